"""The executor worker: consumes hints of nodes and outputs, and has `node_runner.py` do the work."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

import structlog

from broker.interface import Broker, WorkConsumer, WorkHint
from contracts.checker import ContractChecker
from eventstore import capabilities
from eventstore.background import start_background
from eventstore.clock import Clock
from eventstore.errors import StoreUnavailable
from eventstore.handler import Build, Outcome, RunHandler
from eventstore.heartbeat import Heartbeat
from eventstore.lifecycle import refuse_second_start
from eventstore.listener import LogListener
from eventstore.partial_outputs import PartialOutputs
from eventstore.store import EventStore
from eventstore.task_tokens import TaskTokens
from executor.admissions import Admissions, Parked
from executor.callbacks import Callbacks
from executor.checks import OutputChecker
from executor.config import ExecutorConfig
from executor.context import WorkerContext
from executor.in_flight import WORKER_STOPPED, InFlightTasks, RunWatch
from executor.node_runner import Claim, NodeRunner
from executor.registry import CapabilityRegistry
from runs.errors import NotReady, RunFinished, RunUnknown, StaleAttempt

_LAST_REPORT_SECONDS = 2.0
"""How long a stop waits, after the drain and the grace, for the appends that report attempts as lost."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class ExecutorWorker:
    """Consumes the queues of its capabilities' groups.

    `worker_id` must be new with each start of a process: leases are extended by it, and a restarted process must not
    extend those of its predecessor. Closing waits `drain_seconds` for running attempts; the rest is cancelled and
    reported as lost, which the log shows as a `node_error` that is retried at once, without waiting for the lease.
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
        callback_url: Callable[[], str] | None = None,
    ) -> None:
        self._store = store
        self._broker = broker
        self._config = config or ExecutorConfig()
        clock = clock or store.clock
        self._in_flight = InFlightTasks(clock)
        checker = OutputChecker(contracts, self._config.checker_seconds)
        admissions = Admissions(store, broker, registry, worker_id)
        self._context = WorkerContext(
            handler,
            checker,
            registry,
            admissions,
            self._in_flight,
            worker_id,
            self._config,
            clock,
            jitter,
            PartialOutputs(store),
        )
        if callback_url is not None:
            self._context.callbacks = Callbacks(store, handler, TaskTokens(store), callback_url, clock)
        self._heartbeat = Heartbeat(
            store,
            handler,
            self._in_flight,
            self._context.lease,
            self._config.heartbeat_seconds,
            "executor",
        )
        self._watch = RunWatch(store, self._in_flight, self._config.watch_seconds)
        self._listener = listener
        self._consumer: WorkConsumer | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._registering: asyncio.Task[None] | None = None

    @property
    def busy(self) -> int:
        """How many tasks are at work."""
        return len(self._tasks)

    async def start(self) -> None:
        """Register the capabilities and begin to consume. A database that is unavailable is tried again later."""
        refuse_second_start(self, started=self._registering is not None)
        self._store.on_commit(self._watch.on_commit)
        if self._listener is not None:
            self._listener.on_runs(self._watch.on_runs)
        self._context.registry.freshen()
        await self._try_to_register()
        self._registering = start_background("executor-register", self._keep_registered())
        self._heartbeat.start()
        queues = self._context.registry.queues(serves_output=self._config.serves_output)
        self._consumer = await self._broker.consume(queues, self.handle, slots=self._config.slots)
        _log.info("executor_started", queues=queues, slots=self._config.slots)

    async def register(self) -> None:
        """Write into `flex_capabilities` what this worker can do, and that it is alive."""
        registry, worker_id = self._context.registry, self._context.worker_id
        await capabilities.register(self._store, registry.wire_descriptors(), worker_id)
        await capabilities.heard_of(self._store, worker_id, registry.versions, self._config.slots)

    async def beat(self) -> None:
        """One heartbeat."""
        await self._heartbeat.beat()

    async def handle(self, hint: WorkHint) -> asyncio.Task[None] | None:
        """Claim what the hint names. The task is the rest of the work; None where nothing is to be done here."""
        runner = NodeRunner(self._context, hint.run_id)
        try:
            claim = await runner.claim(hint)
        except (StaleAttempt, NotReady, RunFinished, RunUnknown) as refused:
            _log.debug("hint_refused", run_id=hint.run_id, node_id=hint.ref, code=refused.code)
            return None
        except Parked:
            return None
        return None if claim is None else self._begin(runner, claim)

    async def append_plan_and_start_node(self, run_id: str, build: Build) -> Outcome:
        """`RunHandler.transact` for a planner of this process: the plan's first node starts here in the same append.

        Without a free slot, or where older work waits, only the plan is appended; hints of its nodes go to the broker.
        """
        consumer = self._consumer
        if consumer is None or not consumer.reserve():
            return await self._context.handler.transact(run_id, build)
        runner = NodeRunner(self._context, run_id)
        claim: Claim | None = None
        try:
            outcome, claim = await runner.append_and_claim(build)
        finally:
            if claim is None:
                consumer.give_back()
        if claim is not None:
            consumer.occupy(claim.hint, self._begin(runner, claim))
        return outcome

    def _begin(self, runner: NodeRunner, claim: Claim) -> asyncio.Task[None]:
        task = asyncio.create_task(runner.work(claim))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _keep_registered(self) -> None:
        while True:
            await asyncio.sleep(self._config.register_seconds)
            await self._try_to_register()

    async def _try_to_register(self) -> None:
        try:
            await self.register()
            self._store.outage.worked("executor register")
        except StoreUnavailable as error:
            self._store.outage.failed("executor register", error.reason)
        except Exception:  # noqa: BLE001 - it is tried again in any case; the worker must not end for it
            _log.exception("register_failed")

    async def close(self) -> None:
        """Take nothing new, wait for running attempts, report the rest as lost."""
        self._context.closing = True
        began = time.monotonic()
        if self._consumer is not None:
            await self._consumer.cancel(drain_seconds=self._config.drain_seconds)
        for task in self._in_flight:
            task.stop(WORKER_STOPPED)
        if self._tasks:
            # What the consumer took beyond the drain is taken from the time to report what is lost.
            late_seconds = time.monotonic() - began - self._config.drain_seconds
            report_seconds = self._config.grace_seconds + _LAST_REPORT_SECONDS - max(late_seconds, 0)
            await asyncio.wait(self._tasks, timeout=max(report_seconds, 0))
        leftover = list(self._tasks)
        if self._registering is not None:
            leftover.append(self._registering)
        for task in leftover:
            task.cancel()
        if leftover:
            await asyncio.wait(leftover)
        await self._heartbeat.close()
        await self._watch.close()
        await self._context.partial.close()
        await self._context.admissions.close()
        _log.info("executor_stopped")
