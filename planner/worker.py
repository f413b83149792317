"""The planner worker: claims runs that need a plan, asks the planner, and puts its answer into the log."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog

from broker.interface import Broker, Consumer, WorkHint
from eventstore.capability_cache import CapabilityCache
from eventstore.clock import Clock, wait_if_early
from eventstore.facet_cache import FacetCache
from eventstore.handler import RunHandler, Transact
from eventstore.heartbeat import Heartbeat
from eventstore.lifecycle import refuse_second_start
from eventstore.listener import LogListener
from eventstore.store import EventStore, Lease
from planner.config import PlannerConfig
from planner.in_flight import PlansInFlight
from planner.planner import JsonObject, Planner
from planner.planner_result import PlannerResult, PlanningFailed, Registered, ask, ask_instantly
from runs.commands import Command, RequestPlan
from runs.errors import RunError
from runs.outstanding import PLAN_QUEUE
from runs.settle import needs_plan
from runs.state import RunState
from runs.transitions import PAUSED
from schemas.facets import Facet, pinned_facets

__all__ = ["PlannerConfig", "PlannerWorker"]

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class PlannerWorker:
    """Consumes the queue `plan`.

    With an instant planner the claim and its result are one append, so that there is nothing to lose and no lease.
    With any other the claim comes first, under a lease that is kept alive while the planner works. `capabilities` are
    descriptors that this process knows of by itself, beside those in the registry. A plan is appended by `append_plan`:
    an executor of the same process appends it together with the start of its first node.
    """

    def __init__(  # noqa: PLR0913 - the wiring names each part once
        self,
        store: EventStore,
        handler: RunHandler,
        broker: Broker,
        planner: Planner,
        worker_id: str,
        config: PlannerConfig | None = None,
        *,
        capabilities: Iterable[JsonObject] = (),
        listener: LogListener | None = None,
        clock: Clock | None = None,
        jitter: Callable[[], float] = random.random,
        append_plan: Transact | None = None,
    ) -> None:
        self._store = store
        self._handler = handler
        self._append_plan = append_plan or handler.transact
        self._broker = broker
        self._planner = planner
        self._config = config or PlannerConfig()
        self._clock = clock or store.clock
        self._jitter = jitter
        self._capabilities = CapabilityCache(
            store,
            capabilities,
            listener=listener,
            fresh_seconds=self._config.fresh_seconds,
            seen_within_seconds=self._config.seen_within_seconds,
        )
        self._facets = FacetCache(store, listener=listener, fresh_seconds=self._config.fresh_seconds)
        self._known_facets: Mapping[str, Facet] = {}
        self._own_facets: Mapping[str, JsonObject] = {}
        # Leases go by worker: an executor of the same process must not keep ours alive, nor we its.
        self._lease = Lease(f"{worker_id}:planner", self._config.lease_seconds)
        self._plans = PlansInFlight(self._clock)
        self._heartbeat = Heartbeat(
            store, handler, self._plans, self._lease, self._config.heartbeat_seconds, "planner"
        )
        self._closing = asyncio.Event()
        self._consumer: Consumer | None = None

    @property
    def busy(self) -> int:
        """How many plans are being made."""
        return 0 if self._consumer is None else self._consumer.busy

    async def start(self) -> None:
        """Begin to consume."""
        refuse_second_start(self, started=self._consumer is not None)
        if not self._planner.instant:
            self._store.on_commit(self._plans.on_commit)
            self._heartbeat.start()
        self._consumer = await self._broker.consume([PLAN_QUEUE], self.handle, slots=self._config.slots)
        _log.info("planner_started", planner=self._planner.name, slots=self._config.slots)

    async def close(self) -> None:
        """Take nothing new, wait up to `drain_seconds` for plans that are being made, give back the rest."""
        self._closing.set()
        if self._consumer is not None:
            await self._consumer.cancel(drain_seconds=self._config.drain_seconds)
        await self._heartbeat.close()
        for key in await self._plans.cancel():
            await self._heartbeat.give_back(key)
        _log.info("planner_stopped")

    async def beat(self) -> None:
        """One heartbeat."""
        await self._heartbeat.beat()

    async def handle(self, hint: WorkHint) -> asyncio.Task[None] | None:
        """Plan the run that the hint is about; the task is the rest of it where the planner takes its time."""
        try:
            if self._planner.instant:
                await self._plan_at_once(hint)
                return None
            return await self._claim(hint)
        except RunError as refused:
            _log.debug("hint_refused", run_id=hint.run_id, code=refused.code, attempt=hint.attempt)
            return None

    async def _plan_at_once(self, hint: WorkHint) -> None:
        """Claim and result in one append; a capability that is not there yet is waited for before the claim."""
        give_up_at = time.monotonic() + self._config.patience_seconds
        while missing := await self._try_at_once(hint, patient=time.monotonic() < give_up_at):
            if not await self._look_again(hint.run_id, missing):
                return

    async def _try_at_once(self, hint: WorkHint, *, patient: bool) -> list[JsonObject]:
        """What is missing for a plan, where nothing was appended because of that; else []."""
        missing: list[JsonObject] = []

        async def build(state: RunState) -> Sequence[Command]:
            missing.clear()
            if not await self._may_claim(state):
                return ()
            registered = await self._registered(state.tenant)
            if not _is_due(state, hint):
                # the rules say why it is refused
                return (self._request(hint, len(registered.capabilities)),)
            result = await ask_instantly(self._planner, state, registered, hint.attempt)
            if (
                _may_be_outdated(result)
                and (newer := await self._newer(registered, state.tenant)) is not None
            ):
                registered = newer
                result = await ask_instantly(self._planner, state, registered, hint.attempt)
            request = self._request(hint, len(registered.capabilities))
            if patient and isinstance(result, PlanningFailed) and result.may_mend:
                missing.extend(result.diagnostics)
                return ()
            return (request, result.command(hint.attempt, self._clock(), self._jitter()))

        outcome = await self._append_plan(hint.run_id, build)
        if outcome.events:
            _tell(outcome.state, hint.attempt)
        return missing

    async def _claim(self, hint: WorkHint) -> asyncio.Task[None] | None:
        """Claim first, then plan in a task."""

        async def build(state: RunState) -> Sequence[Command]:
            if not await self._may_claim(state):
                return ()
            return (self._request(hint, len(await self._capabilities.current(state.tenant))),)

        outcome = await self._handler.transact(hint.run_id, build, lease=self._lease)
        if not outcome.events:
            return None
        return self._plans.start(hint.run_id, hint.attempt, self._plan(outcome.state, hint.attempt))

    async def _plan(self, state: RunState, attempt: int) -> None:
        result = await self._ask_patiently(state, attempt)
        command = result.command(attempt, self._clock(), self._jitter())

        async def build(_: RunState) -> Sequence[Command]:
            return (command,)

        try:
            outcome = await self._append_plan(state.run_id, build)
        except RunError as refused:
            _log.info("plan_comes_late", run_id=state.run_id, attempt=attempt, code=refused.code)
        else:
            _tell(outcome.state, attempt)

    async def _ask_patiently(self, state: RunState, attempt: int) -> PlannerResult:
        give_up_at = time.monotonic() + self._config.patience_seconds
        while True:
            registered = await self._registered(state.tenant)
            result = await ask(self._planner, state, registered, attempt, self._config.timeout_seconds)
            if (
                _may_be_outdated(result)
                and (newer := await self._newer(registered, state.tenant)) is not None
            ):
                result = await ask(self._planner, state, newer, attempt, self._config.timeout_seconds)
            if (
                not isinstance(result, PlanningFailed)
                or not result.may_mend
                or time.monotonic() >= give_up_at
            ):
                return result
            if not await self._look_again(state.run_id, result.diagnostics):
                return result

    async def _look_again(self, run_id: str, missing: list[JsonObject]) -> bool:
        """Wait a moment and list the capabilities anew; False where this worker is about to stop."""
        _log.info("capabilities_awaited", run_id=run_id, missing=[each.get("message") for each in missing])
        try:
            async with asyncio.timeout(self._config.look_again_seconds):
                await self._closing.wait()
        except TimeoutError:
            await self._capabilities.refresh()
            return True
        return False

    async def _registered(self, tenant: str) -> Registered:
        """What a plan for a tenant may use now. As long as nothing changes its parts are the same objects."""
        known = await self._facets.current(tenant)
        if known is not self._known_facets:
            self._known_facets, self._own_facets = known, pinned_facets(known, known)
        listed = await self._capabilities.current(tenant)
        return Registered(listed, self._own_facets, self._capabilities.disabled(tenant))

    async def _newer(self, registered: Registered, tenant: str) -> Registered | None:
        """What may be used as the database says it now; None where that is the same."""
        await self._facets.refresh()
        await self._capabilities.refresh()
        newest = await self._registered(tenant)
        same = newest.capabilities is registered.capabilities and newest.facets is registered.facets
        return None if same else newest

    async def _may_claim(self, state: RunState) -> bool:
        """Whether planning is due, in a moment at the latest; a hint that comes earlier is sent again."""
        if state.status == PAUSED:
            return False
        due_at = state.plan_due_at
        return due_at is None or await wait_if_early(due_at, self._clock(), self._clock) >= due_at

    def _request(self, hint: WorkHint, capability_count: int) -> RequestPlan:
        return RequestPlan(
            now=self._clock(),
            attempt=hint.attempt,
            planner=self._planner.name,
            capability_count=capability_count,
        )


def _may_be_outdated(result: PlannerResult) -> bool:
    """Whether a plan was refused that may be possible: what was just registered may not be known here."""
    return isinstance(result, PlanningFailed) and not result.ours


def _is_due(state: RunState, hint: WorkHint) -> bool:
    """Whether the rules will let this attempt be claimed, so that a plan is not made in vain."""
    open_to_all = state.exists and not state.finished and needs_plan(state) and not state.plan_in_progress
    return open_to_all and hint.attempt == state.plan_attempt + 1


def _tell(state: RunState, attempt: int) -> None:
    _log.info(
        "planned" if state.plan_version is not None and state.replan_reason is None else "plan_rejected",
        run_id=state.run_id,
        attempt=attempt,
        status=state.status,
        plan_version=state.plan_version,
        correlation_id=state.correlation_id,
    )
