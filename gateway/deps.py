"""The parts that the gateway is made of, and its state while it serves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from aiohttp import web

from broker.interface import Broker
from broker.readiness import ReadinessProbe
from contracts.checker import ContractChecker
from eventstore.capability_cache import CapabilityCache
from eventstore.clock import Clock
from eventstore.facet_cache import FacetCache
from eventstore.handler import RunHandler
from eventstore.history import History
from eventstore.listener import LogListener
from eventstore.partial_outputs import PartialOutputs
from eventstore.store import EventStore
from eventstore.tail import RunTail
from eventstore.tenant_limits import LimitsCopy
from eventstore.token_copy import TokenCopy
from gateway.auth import Tokens
from gateway.config import GatewayConfig
from gateway.identity.address import Proxies
from gateway.identity.attempts import WrongTokens
from gateway.limits.limiter import Limiter
from gateway.operations_log import OperationsLog
from gateway.people.link_signer import LinkSigner
from gateway.runs.acceptance import Acceptance
from gateway.runs.approval_rules import TokenHolders
from gateway.runs.backlog import BacklogGauge
from gateway.runs.trial_planner import PlanCheck, TrialPlanner
from gateway.streams.open_streams import OpenStreams
from gateway.streams.partial_feed import PartialFeed
from gateway.streams.sse import PING, Frame, waiting_ping
from gateway.work.service import RemoteWork
from schemas.house_policy import HousePolicy
from schemas.limits import parse_limits

T = TypeVar("T")

_NOTED_SECONDS = 2.0
"""An outage shorter than this is not shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayDeps:
    """The parts that the gateway stands on. It starts and closes none of them."""

    store: EventStore
    handler: RunHandler
    tail: RunTail[Frame]
    contracts: ContractChecker
    tokens: Tokens
    clock: Clock
    broker: Broker | None = None
    readiness: ReadinessProbe | None = None
    """What `/readyz` reads; without it, one of the gateway's own."""

    capabilities: CapabilityCache | None = None
    facets: FacetCache | None = None
    """What this process knows of the registry; without them, caches of the gateway's own."""

    listener: LogListener | None = None
    """Tells what other processes do; without it, workers that wait are served by a poll, and streams have no deltas."""

    config: GatewayConfig = field(default_factory=GatewayConfig)
    house: HousePolicy = field(default_factory=HousePolicy)
    """Rules and limits that an envelope or a fork can only tighten."""

    plan: TrialPlanner | None = None
    """Plans envelopes without a run; without it such a request is a 503."""

    check_plan: PlanCheck | None = None
    """Checks plans that people have edited; without it such a plan is a 503."""

    metrics: Callable[[str], Awaitable[tuple[bytes, str]]] | None = None
    """The metrics of this process and their media type, for what a caller accepts; without it, a 503."""

    link_secret: str | None = None
    """What links to requests are signed with; without it, by a secret that the database keeps."""

    version: str = "0"


class Gateway:
    """The state of one serving gateway, reached through `GATEWAY` from every handler."""

    def __init__(self, deps: GatewayDeps) -> None:
        self.deps = deps
        self.config = deps.config
        self.readiness = deps.readiness or ReadinessProbe(
            deps.store, deps.broker, answer_seconds=deps.config.ready_seconds
        )
        self.acceptance = Acceptance(deps.house, TokenHolders(deps.tokens))
        self.capabilities = deps.capabilities or CapabilityCache(deps.store)
        self.facets = deps.facets or FacetCache(deps.store)
        self.streams = OpenStreams()
        self.partial = PartialFeed(deps.store, deps.listener)
        self.partial_outputs = PartialOutputs(deps.store)
        self.history = History(deps.store)
        self.operations = OperationsLog(deps.store)
        self._own_tokens: TokenCopy | None = None
        if deps.tokens.stored is None:
            self._own_tokens = TokenCopy(deps.store, listener=deps.listener)
            deps.tokens.stored = self._own_tokens
        deps.tokens.stored.on_change = self.end_streams_of_others
        self.proxies = Proxies(deps.config.trusted_proxies)
        self.wrong_tokens = WrongTokens(deps.config.wrong_tokens_a_minute)
        self.limits = LimitsCopy(deps.store, listener=deps.listener)
        self.limiter = Limiter(deps.store, self.limits, parse_limits(deps.config.limits))
        self.links = LinkSigner(deps.store, deps.link_secret, deps.tokens)
        self.backlog = BacklogGauge(deps.store, deps.config.backlog_limit, deps.config.backlog_sample_seconds)
        self.work = RemoteWork(
            deps.store, deps.handler, deps.contracts, self.capabilities, deps.listener, deps.clock
        )
        self.importing = asyncio.Lock()
        """Held by the one import that is under way: each takes a child process."""

        self._writes: set[asyncio.Task[Any]] = set()

    @property
    def stopping(self) -> bool:
        """Whether new requests are to go elsewhere."""
        return self.readiness.stopping or self.streams.closing

    def stop(self) -> None:
        """Take nothing new, and end all streams."""
        self.readiness.stopping = True
        self.end_waiting()

    def end_waiting(self) -> None:
        """End all streams, and answer all claims of workers."""
        self.streams.close()
        self.work.stop()

    async def start(self) -> None:
        """Get to know the limits, and the tokens of the database where nobody has given them."""
        if self._own_tokens is not None:
            await self._own_tokens.start(wait=False)
        await self.limits.refresh()

    async def close(self) -> None:
        """Finish what was begun."""
        await self.finish_writes()
        await self.partial_outputs.close()
        await self.work.close()
        await self.operations.close()
        await self.limits.close()
        if self._own_tokens is not None:
            await self._own_tokens.close()

    def change_limits(
        self, *, backlog_limit: int, ping_seconds: float, record_reads: bool, limits: str | None
    ) -> None:
        """Go by these from now on."""
        self.backlog.limit = backlog_limit
        self.limiter.defaults = parse_limits(limits)
        self.config = replace(
            self.config,
            backlog_limit=backlog_limit,
            ping_seconds=ping_seconds,
            record_reads=record_reads,
            limits=limits,
        )

    def end_streams_of_others(self) -> None:
        """End the streams of those who would not be let in now."""
        self.streams.keep(self.deps.tokens.still)

    async def shield_write(self, write: Coroutine[Any, Any, T]) -> T:
        """Await a write that continues when the caller leaves: the handler is cancelled then, the write is not."""
        task = asyncio.ensure_future(write)
        self._writes.add(task)
        task.add_done_callback(self._forget)
        return await asyncio.shield(task)

    def outage_seconds(self) -> dict[str, float]:
        """The servers that this process has not reached for some seconds, so that runs may be slow or stand still."""
        outages = [self.deps.store.outage]
        if self.deps.broker is not None and self.deps.broker.outage is not self.deps.store.outage:
            outages.append(self.deps.broker.outage)
        return {
            outage.what: seconds
            for outage in outages
            if (seconds := outage.seconds) is not None and seconds >= _NOTED_SECONDS
        }

    def ping(self) -> bytes:
        """The comment that keeps a quiet stream open; it names what is waited for."""
        away = next(iter(self.outage_seconds()), None)
        return waiting_ping(away) if away is not None else PING

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._writes.discard(task)
        if not task.cancelled():
            # Retrieved, so that asyncio does not report it where the caller has left.
            task.exception()

    async def finish_writes(self) -> None:
        """Wait until everything that was begun is written or refused."""
        while self._writes:
            await asyncio.wait(self._writes)


GATEWAY = web.AppKey("gateway", Gateway)
