"""What this worker has in flight, with the newest known state of each run, so that an attempt that is over is stopped.

An attempt is over when its run has ended, when the log shows it as ended, and when its lease is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime

import structlog

from eventstore.errors import StoreUnavailable
from eventstore.heartbeat import AttemptKey
from eventstore.store import Commit, EventStore
from runs.commands import FailNode
from runs.errors import RunError
from runs.event import Event
from runs.evolve import fold_all
from runs.state import RunState
from runs.transitions import RUNNING

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

RUN_OVER = "run_over"
ATTEMPT_OVER = "attempt_over"
LEASE_LOST = "lease_lost"
WORKER_STOPPED = "worker_stopped"

_EVENTS_AT_ONCE = 500


class InFlightTask:
    """One task of the worker and its current attempt."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.state: RunState | None = None
        self.key: AttemptKey | None = None
        self.stop_reason: str | None = None
        self.stopped: asyncio.Future[None] | None = None

    def begin(self, state: RunState, node_id: str, attempt: int) -> asyncio.Future[None]:
        """Begin an attempt that `state` shows as started. The future is done when it must stop; see `stop_reason`."""
        self.key = (self.run_id, node_id, attempt)
        self.stop_reason = None
        self.stopped = asyncio.get_running_loop().create_future()
        self.observe(state)
        self._stop_if_over()
        return self.stopped

    def end(self) -> None:
        """The capability has ended: the attempt cannot be stopped any more, but the log may refuse its result."""
        self.stopped = None

    def observe(self, state: RunState) -> None:
        """Take note of a state of the run, if it is newer; stop if the attempt is over in it."""
        if self.state is None or state.seq > self.state.seq:
            self.state = state
            self._stop_if_over()

    def _stop_if_over(self) -> None:
        if self.key is None or self.state is None:
            return
        node = self.state.nodes.get(self.key[1])
        if self.state.finished:
            self.stop(RUN_OVER)
        elif node is None or node.status != RUNNING or node.attempt != self.key[2]:
            self.stop(ATTEMPT_OVER)

    def stop(self, reason: str) -> None:
        """Cancel the capability, if it still runs."""
        if self.stopped is not None and not self.stopped.done():
            self.stop_reason = reason
            self.stopped.set_result(None)


class InFlightTasks:
    """The tasks of one worker, by run.

    A task is added before its claim is committed, so that an abort that comes right behind the claim finds it.
    """

    kind = "node"

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._by_run: dict[str, set[InFlightTask]] = {}
        self._last_chance: InFlightTask | None = None

    def __iter__(self) -> Iterator[InFlightTask]:
        return iter([task for tasks in self._by_run.values() for task in tasks])

    def __contains__(self, run_id: object) -> bool:
        return run_id in self._by_run

    def add(self, run_id: str) -> InFlightTask:
        """A new task of this run, without an attempt yet."""
        task = InFlightTask(run_id)
        self._by_run.setdefault(run_id, set()).add(task)
        return task

    def remove(self, task: InFlightTask) -> None:
        """The task has ended, or did not get its claim."""
        if self._last_chance is task:
            self._last_chance = None
        tasks = self._by_run.get(task.run_id, set())
        tasks.discard(task)
        if not tasks:
            self._by_run.pop(task.run_id, None)

    def take_last_chance(self, task: InFlightTask) -> bool:
        """Whether `task` may start a node that ends its run if it costs one more worker.

        One at a time: nodes that were lost together are tried again together, and where one of them ends its worker
        again, those that only ran beside it must not be ended with it.
        """
        if self._last_chance in (None, task):
            self._last_chance = task
            return True
        return False

    def keys(self) -> set[AttemptKey]:
        """The attempts in flight."""
        return {task.key for task in self if task.key is not None}

    def lease_lost(self, key: AttemptKey) -> None:
        """Cancel this attempt: another worker may have it by now."""
        for task in self:
            if task.key == key:
                task.stop(LEASE_LOST)

    def give_back_command(self, key: AttemptKey) -> FailNode:
        """The command that reports this attempt as lost, so that another worker takes over at once."""
        return FailNode(
            now=self._clock(),
            node_id=key[1],
            attempt=key[2],
            error_code=WORKER_STOPPED,
            message="the worker gave the node back",
            lost=True,
        )

    def observe(self, state: RunState) -> None:
        """Show a state to every task of its run."""
        for task in list(self._by_run.get(state.run_id, ())):
            task.observe(state)

    def known(self) -> dict[str, RunState]:
        """The newest known state of each run in which a capability runs."""
        states: dict[str, RunState] = {}
        for task in self:
            if task.stopped is None or task.state is None:
                continue
            other = states.get(task.run_id)
            if other is None or other.seq < task.state.seq:
                states[task.run_id] = task.state
        return states


class RunWatch:
    """Shows new states to the tasks in flight: this process's commits at once, those of others after a wake-up message.

    Wake-up messages come for every commit, our own too, and most nodes end before anyone could stop them. So they are
    collected for `watch_seconds`; only the runs that are still in flight then are read, in one query, and only the
    events beyond the known state. The heartbeat covers wake-up messages that got lost: an ended run has no leases.
    """

    def __init__(self, store: EventStore, in_flight: InFlightTasks, watch_seconds: float) -> None:
        self._store = store
        self._in_flight = in_flight
        self._watch_seconds = watch_seconds
        self._woken: set[str] | None = set()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def on_commit(self, commit: Commit) -> None:
        """A commit of this process."""
        if commit.after.run_id in self._in_flight:
            self._in_flight.observe(commit.after)

    def on_runs(self, run_ids: set[str] | None) -> None:
        """Commits of any process; None for "anything may have changed"."""
        if run_ids is None:
            self._woken = None
        elif self._woken is not None:
            self._woken |= {run_id for run_id in run_ids if run_id in self._in_flight}
        if self._woken is None or self._woken:
            self._schedule()

    def _schedule(self) -> None:
        if self._timer is None and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(self._watch_seconds, self._fire)

    def _fire(self) -> None:
        self._timer = None
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._read())
        else:
            self._schedule()

    async def _read(self) -> None:
        woken, self._woken = self._woken, set()
        known = {
            run_id: state
            for run_id, state in self._in_flight.known().items()
            if woken is None or run_id in woken
        }
        if not known:
            return
        cursors = {run_id: state.seq for run_id, state in known.items()}
        try:
            events = await self._store.read_many(cursors, limit_each=_EVENTS_AT_ONCE)
        except StoreUnavailable as error:
            self._store.outage.failed("run watch", error.reason, on_demand=True)
            return
        for run_id, news in events.items():
            self._show(known[run_id], news)
            if len(news) == _EVENTS_AT_ONCE:
                self.on_runs({run_id})

    def _show(self, state: RunState, news: list[Event]) -> None:
        try:
            self._in_flight.observe(fold_all(state, news))
        except RunError as error:
            _log.error("run_cannot_be_folded", run_id=state.run_id, reason=str(error))

    async def close(self) -> None:
        """Stop reading. Tasks in flight are not stopped by it."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
