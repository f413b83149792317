"""Whether an attempt may begin now: the circuit breaker of its endpoint, and the limits of its capability.

Both hold over all processes (`eventstore.breaker`, `eventstore.limits`). Work that may not begin waits in `flex_work`,
and nothing of it is burnt. Capabilities without limits, whose endpoint works, cost no query.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Generator
from contextlib import contextmanager

import structlog

from broker.interface import Broker
from broker.parked import free_parked
from eventstore import breaker, limits
from eventstore.background import end_background
from eventstore.capabilities import CapabilityRow, taken
from eventstore.errors import StoreUnavailable
from eventstore.limits import ENDPOINT
from eventstore.store import EventStore
from executor.attempt import Dropped, Failed, Result
from executor.registry import CapabilityRegistry
from runs.state import NodeState, RunState
from runs.transitions import READY, WAITING_RETRY
from schemas.capability import Limits

CALLED_HOMES = frozenset({"http", "mcp", "model"})
"""Homes with an endpoint, which can fail as a whole."""

_TAKEN_SECONDS = 1.0
_RECHECK_SECONDS = 2.0
"""How long work waits for the probe of another process, before it looks again."""

_MAX_FREED = 500

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

_Version = tuple[str, str]


class Parked(Exception):
    """The work waits in the table for a limit or an endpoint; its hint is done with."""


class Admissions:
    """One per executor; `holder` names it."""

    def __init__(self, store: EventStore, broker: Broker, registry: CapabilityRegistry, holder: str) -> None:
        self._store = store
        self._broker = broker
        self._registry = registry
        self._holder = holder
        self._probes: dict[_Version, limits.StartKey] = {}
        self._failed: set[_Version] = set()
        self._taken_at: dict[_Version, float] = {}
        self._noting: set[asyncio.Task[None]] = set()

    def guards(self, node: NodeState) -> bool:
        """Whether an attempt of this node has to ask, so that it cannot begin together with another append."""
        row = self._row(node)
        return self._limits(node) is not None or (row is not None and breaker.is_failing(row))

    async def guards_hinted(self, run_id: str, node_id: str) -> bool:
        """`guards` for the node that a hint names. Raises StoreUnavailable."""
        node = (await self._store.load(run_id)).nodes.get(node_id)
        return node is not None and self.guards(node)

    async def admit(self, state: RunState, node: NodeState, attempt: int) -> None:
        """Let the attempt begin, or raise Parked. Raises StoreUnavailable."""
        due = node.status in (READY, WAITING_RETRY) and node.attempt + 1 == attempt
        if state.finished or not due:
            return  # the rules of the run refuse it
        key = (state.run_id, node.id, attempt)
        row = self._row(node)
        if row is not None and breaker.is_failing(row):
            await self._admit_by_breaker(row, key)
        wanted = self._limits(node)
        if wanted is not None:
            admission = await limits.admit(self._store, node.capability_id, key, wanted, self._holder)
            if not admission.admitted:
                raise Parked

    def note_start(self, node: NodeState) -> None:
        """An attempt has begun: the registry shows when work was last taken, to the second."""
        version = node.capability_version or self._version(node)
        if version is None:
            return
        key, now = (node.capability_id, version), time.monotonic()
        if now - self._taken_at.get(key, float("-inf")) >= _TAKEN_SECONDS:
            self._taken_at[key] = now
            task = asyncio.create_task(self._note_taken(key))
            self._noting.add(task)
            task.add_done_callback(self._noting.discard)

    async def not_started(self, attempt: limits.StartKey) -> None:
        """An attempt that was admitted does not begin after all: a probe that it was to make is another's."""
        for version, probing in list(self._probes.items()):
            if probing == attempt:
                del self._probes[version]
                with self._outages_told():
                    await breaker.return_probe(self._store, *version)

    async def note_end(self, attempt: limits.StartKey, node: NodeState, result: Result) -> None:
        """Tell the breaker of the endpoint how the call went."""
        row = self._row(node)
        if row is None or row.home not in CALLED_HOMES:
            return
        if isinstance(result, Dropped) or (isinstance(result, Failed) and result.lost):
            await self.not_started(attempt)
            return
        key = (row.capability_id, row.version)
        probed = self._probes.get(key) == attempt
        if probed:
            del self._probes[key]
        with self._outages_told():
            if isinstance(result, Failed) and result.endpoint_failed:
                await self._failed_again(key, probed=probed)
            elif probed or row.failures or key in self._failed:
                await self._works_again(key)

    async def close(self) -> None:
        """Give up what is being noted: a database that does not answer must not hold up a stop."""
        await end_background(*self._noting)

    @contextmanager
    def _outages_told(self) -> Generator[None]:
        try:
            yield
        except StoreUnavailable as outage:
            self._store.outage.failed("circuit breaker", outage.reason, on_demand=True)

    async def _admit_by_breaker(self, row: CapabilityRow, key: limits.StartKey) -> None:
        version = (row.capability_id, row.version)
        if self._probes.get(version) == key:
            return  # taken for an append that another writer of the run came before
        now = self._store.clock()
        seconds = (row.open_until - now).total_seconds() if row.open_until is not None else 0.0
        if seconds <= 0 and await breaker.take_probe(self._store, *version):
            self._probes[version] = key
            return
        if seconds <= 0:
            seconds = _RECHECK_SECONDS
        seconds += random.random() / 4  # noqa: S311 - spreads what waits
        await limits.park(self._store, key, ENDPOINT, row.capability_id, seconds)
        raise Parked

    async def _failed_again(self, key: _Version, *, probed: bool) -> None:
        self._failed.add(key)
        open_until = await breaker.call_failed(self._store, *key, probed=probed)
        if open_until is not None:
            _log.warning("endpoint_failing", capability_id=key[0], version=key[1], until=str(open_until))
            await self._registry.refresh()

    async def _works_again(self, key: _Version) -> None:
        self._failed.discard(key)
        if await breaker.call_worked(self._store, *key):
            await self._registry.refresh()
            await free_parked(self._store, self._broker, ENDPOINT, key[0], _MAX_FREED)

    async def _note_taken(self, key: _Version) -> None:
        try:
            await taken(self._store, [key])
        except StoreUnavailable as outage:
            self._store.outage.failed("last taken", outage.reason, on_demand=True)

    def _row(self, node: NodeState) -> CapabilityRow | None:
        return self._registry.row(node.capability_id, node.capability_version)

    def _version(self, node: NodeState) -> str | None:
        capability = self._registry.find(node.capability_id, node.capability_version)
        return capability.descriptor.version if capability is not None else None

    def _limits(self, node: NodeState) -> Limits | None:
        capability = self._registry.find(node.capability_id, node.capability_version)
        wanted = capability.descriptor.limits if capability is not None else None
        if wanted is None or (wanted.max_concurrent is None and wanted.per_minute is None):
            return None
        return wanted
