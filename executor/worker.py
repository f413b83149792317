"""The executor worker: claims nodes, runs their capabilities, and reports what came of them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

import structlog

from broker.interface import Broker, WorkConsumer, WorkHint
from contracts.checker import ContractChecker
from eventstore import capabilities
from eventstore.background import start_background
from eventstore.clock import Clock
from eventstore.errors import StoreUnavailable
from eventstore.handler import Build, Outcome, RunHandler, decided
from eventstore.notify import LogListener
from eventstore.store import EventStore
from executor.checks import OutputChecker
from executor.config import ExecutorConfig
from executor.context import WorkerContext
from executor.in_flight import WORKER_STOPPED, InFlightTask, InFlightTasks, RunWatch
from executor.leases import Heartbeat
from executor.lookahead import start_ready
from executor.node_runner import Claim, NodeRunner, claim_in
from executor.registry import CapabilityRegistry
from runs.decide import Decided
from runs.errors import NotReady, RunFinished, RunUnknown, StaleAttempt
from runs.state import RunState

_LAST_REPORT_SECONDS = 2.0
"""How long a stop waits, after the drain and the grace, until it is in the log what was lost."""

_log = structlog.get_logger("executor")


class ExecutorWorker:
    """Consumes the queues of its capabilities' groups.

    `worker_id` must be new with each start of a process: leases are extended by it, and a restarted process must not
    keep alive what it no longer works on. Closing lets running attempts end for `drain_seconds`; the rest is cancelled
    and reported as lost, which the log shows as a `node_error` that is tried again at once, so that nobody has to wait
    for a lease to run out.
    """

    def __init__(  # noqa: PLR0913 - the wiring names each part once; grouping them would only move the list
        self,
        store: EventStore,
        handler: RunHandler,
        broker: Broker,
        contracts: ContractChecker,
        registry: CapabilityRegistry,
        worker_id: str,
        config: ExecutorConfig | None = None,
        *,
        listener: LogListener | None = None,
        clock: Clock | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._broker = broker
        self._config = config or ExecutorConfig()
        clock = clock or store.clock
        self._holds = InFlightTasks()
        checker = OutputChecker(contracts, self._config.checker_seconds)
        self._parts = WorkerContext(
            handler, checker, registry, self._holds, worker_id, self._config, clock, jitter
        )
        self._heartbeat = Heartbeat(store, handler, self._holds, worker_id, self._config, clock)
        self._watch = RunWatch(store, self._holds, self._config.watch_seconds)
        self._listener = listener
        self._consumer: WorkConsumer | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._duties: list[asyncio.Task[None]] = []

    @property
    def busy(self) -> int:
        """How many tasks are at work."""
        return len(self._tasks)

    async def start(self) -> None:
        """Register the capabilities and begin to consume. A database that is away is tried again by the duties."""
        self._store.on_commit(self._watch.on_commit)
        if self._listener is not None:
            self._listener.on_runs(self._watch.on_runs)
        await self._dutifully("register", self.register)
        self._duties = [
            start_background(
                "executor-register", self._repeat("register", self._config.register_seconds, self.register)
            ),
            start_background(
                "executor-heartbeat", self._repeat("heartbeat", self._config.heartbeat_seconds, self.beat)
            ),
        ]
        queues = self._parts.registry.queues(serves_output=self._config.serves_output)
        self._consumer = await self._broker.consume(queues, self.handle, slots=self._config.slots)
        _log.info("executor_started", queues=queues, slots=self._config.slots)

    async def register(self) -> None:
        """Say in `flex_capabilities` what this worker can do, and that it is there."""
        await capabilities.register(
            self._store, self._parts.registry.wire_descriptors(), self._parts.worker_id
        )

    async def beat(self) -> None:
        """One heartbeat."""
        await self._heartbeat.beat()

    async def _repeat(self, name: str, seconds: float, duty: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self._dutifully(name, duty)

    async def _dutifully(self, name: str, duty: Callable[[], Awaitable[None]]) -> None:
        try:
            await duty()
            self._store.outage.worked(f"executor {name}")
        except StoreUnavailable as error:
            self._store.outage.failed(f"executor {name}", error.reason)
        except Exception:  # noqa: BLE001 - a duty that died quietly would cost the worker all its leases
            _log.exception("duty_failed", duty=name)

    async def handle(self, hint: WorkHint) -> asyncio.Task[None] | None:
        """Claim what the hint is about. The task is the rest of the work; None where there is nothing to do here."""
        hold = self._holds.add(hint.run_id)
        chain = NodeRunner(self._parts, hold)
        claim: Claim | None = None
        try:
            claim = await chain.claim(hint)
        except (StaleAttempt, NotReady, RunFinished, RunUnknown) as refused:
            _log.debug("hint_refused", run_id=hint.run_id, node_id=hint.ref, code=refused.code)
        finally:
            if claim is None:
                self._holds.remove(hold)
        return None if claim is None else self._begin(chain, hold, claim)

    async def transact(self, run_id: str, build: Build) -> Outcome:
        """`RunHandler.transact`, and a node that this makes ready is started here in the same append.

        Where no slot is free for it, or older work waits, that is left to the broker.
        """
        handler, consumer = self._parts.handler, self._consumer
        if consumer is None or not consumer.reserve():
            return await handler.transact(run_id, build)
        hold = self._holds.add(run_id)
        claim: Claim | None = None
        try:
            outcome = await handler.transact(run_id, self._and_start(build), lease=self._parts.lease)
            claim = claim_in(outcome)
        finally:
            if claim is None:
                self._holds.remove(hold)
                consumer.give_back()
        if claim is not None:
            consumer.occupy(claim.hint, self._begin(NodeRunner(self._parts, hold), hold, claim))
        return outcome

    def _and_start(self, build: Build) -> Build:
        async def and_start(state: RunState) -> Decided:
            following = await decided(build, state)
            return start_ready(state, following, self._parts.goes_on_with, self._parts.clock())

        return and_start

    def _begin(self, chain: NodeRunner, hold: InFlightTask, claim: Claim) -> asyncio.Task[None]:
        task = asyncio.create_task(self._work(chain, hold, claim))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _work(self, chain: NodeRunner, hold: InFlightTask, claim: Claim) -> None:
        try:
            await chain.work(claim)
        finally:
            self._holds.remove(hold)

    async def close(self) -> None:
        """Take nothing new, wait for what is running, give back the rest."""
        self._parts.closing = True
        began = time.monotonic()
        if self._consumer is not None:
            await self._consumer.cancel(drain_seconds=self._config.drain_seconds)
        for hold in self._holds:
            hold.stop(WORKER_STOPPED)
        if self._tasks:
            # What the consumer took beyond the drain is taken from the time to report what is lost.
            late_seconds = time.monotonic() - began - self._config.drain_seconds
            report_seconds = self._config.grace_seconds + _LAST_REPORT_SECONDS - max(late_seconds, 0)
            await asyncio.wait(self._tasks, timeout=max(report_seconds, 0))
        leftover = list(self._tasks) + self._duties
        for task in leftover:
            task.cancel()
        if leftover:
            await asyncio.wait(leftover)
        await self._watch.close()
        _log.info("executor_stopped")
