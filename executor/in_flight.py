"""What this worker has in flight: one `InFlightTask` for each of its tasks, with the newest known state of its run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import structlog

from eventstore.errors import StoreUnavailable
from eventstore.store import Commit, EventStore
from runs.errors import RunError
from runs.event import Event
from runs.evolve import fold_all
from runs.state import RunState
from runs.transitions import RUNNING

_log = structlog.get_logger("executor")

AttemptKey = tuple[str, str, int]
"""(run id, node id, attempt)"""

RUN_OVER = "run_over"
ATTEMPT_OVER = "attempt_over"
LEASE_LOST = "lease_lost"
WORKER_STOPPED = "worker_stopped"

EVENTS_AT_ONCE = 500


class InFlightTask:
    """One task of the worker and the attempt that it is at.

    It is registered before the claim is committed, so that an abort that comes right behind the claim finds it.
    """

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.state: RunState | None = None
        self.key: AttemptKey | None = None
        self.stop_reason: str | None = None
        self.stopped: asyncio.Future[None] | None = None

    def begin(self, state: RunState, node_id: str, attempt: int) -> asyncio.Future[None]:
        """Take up an attempt that `state` shows as started. The future is done when it must stop: see `stop_reason`."""
        self.key = (self.run_id, node_id, attempt)
        self.stop_reason = None
        self.stopped = asyncio.get_running_loop().create_future()
        self.observe(state)
        self._stop_if_over()
        return self.stopped

    def end(self) -> None:
        """The capability has ended; from here on nothing can stop the attempt but the log's refusal."""
        self.stopped = None

    def observe(self, state: RunState) -> None:
        """A newer state of the run: stop if the attempt is over in it."""
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
        """Have the capability cancelled, if it still runs."""
        if self.stopped is not None and not self.stopped.done():
            self.stop_reason = reason
            self.stopped.set_result(None)


class InFlightTasks:
    """All that this worker holds."""

    def __init__(self) -> None:
        self._by_run: dict[str, set[InFlightTask]] = {}
        self._last_chance: InFlightTask | None = None

    def __iter__(self) -> Iterator[InFlightTask]:
        return iter([hold for holds in self._by_run.values() for hold in holds])

    def __contains__(self, run_id: object) -> bool:
        return run_id in self._by_run

    def __len__(self) -> int:
        return sum(len(holds) for holds in self._by_run.values())

    def add(self, run_id: str) -> InFlightTask:
        hold = InFlightTask(run_id)
        self._by_run.setdefault(run_id, set()).add(hold)
        return hold

    def take_last_chance(self, hold: InFlightTask) -> bool:
        """Whether `hold` may start a node that ends its run if it costs one more worker.

        One at a time: nodes that were lost together are tried again together, and where one of them ends its worker
        again, those that only ran beside it must not be ended with it.
        """
        if self._last_chance in (None, hold):
            self._last_chance = hold
            return True
        return False

    def remove(self, hold: InFlightTask) -> None:
        if self._last_chance is hold:
            self._last_chance = None
        holds = self._by_run.get(hold.run_id, set())
        holds.discard(hold)
        if not holds:
            self._by_run.pop(hold.run_id, None)

    def observe(self, state: RunState) -> None:
        """Show a state to every task of its run."""
        for hold in list(self._by_run.get(state.run_id, ())):
            hold.observe(state)

    def known(self) -> dict[str, RunState]:
        """The newest known state of each run in which a capability runs."""
        states: dict[str, RunState] = {}
        for hold in self:
            if hold.stopped is None or hold.state is None:
                continue
            other = states.get(hold.run_id)
            if other is None or other.seq < hold.state.seq:
                states[hold.run_id] = hold.state
        return states


class RunWatch:
    """Shows new states to the holds: those that this process commits at once, those of others after a wake-up.

    Wake-ups come for every commit, our own too, and most nodes are done before anybody could tell them to stop. So they
    are collected for `watch_seconds`, and only runs that are still at work then are read, all in one query and only
    beyond what is known. The heartbeat covers wake-ups that got lost: an ended run's leases are gone.
    """

    def __init__(self, store: EventStore, holds: InFlightTasks, watch_seconds: float) -> None:
        self._store = store
        self._holds = holds
        self._watch_seconds = watch_seconds
        self._woken: set[str] | None = set()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def on_commit(self, commit: Commit) -> None:
        """A commit of this process."""
        if commit.after.run_id in self._holds:
            self._holds.observe(commit.after)

    def on_runs(self, run_ids: set[str] | None) -> None:
        """Commits of any process; None for "anything may have changed"."""
        if run_ids is None:
            self._woken = None
        elif self._woken is not None:
            self._woken |= {run_id for run_id in run_ids if run_id in self._holds}
        if self._woken is None or self._woken:
            self._schedule()

    def _schedule(self) -> None:
        if self._timer is None and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(self._watch_seconds, self._fire)

    def _fire(self) -> None:
        self._timer = None
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
        else:
            self._schedule()

    async def _look(self) -> None:
        woken, self._woken = self._woken, set()
        known = {
            run_id: state for run_id, state in self._holds.known().items() if woken is None or run_id in woken
        }
        if not known:
            return
        cursors = {run_id: state.seq for run_id, state in known.items()}
        try:
            events = await self._store.read_many(cursors, limit_each=EVENTS_AT_ONCE)
        except StoreUnavailable as error:
            self._store.outage.failed("run watch", error.reason, on_demand=True)
            return
        for run_id, news in events.items():
            self._show(known[run_id], news)
            if len(news) == EVENTS_AT_ONCE:
                self.on_runs({run_id})

    def _show(self, state: RunState, news: list[Event]) -> None:
        try:
            self._holds.observe(fold_all(state, news))
        except RunError as error:
            _log.error("run_cannot_be_folded", run_id=state.run_id, reason=str(error))

    async def close(self) -> None:
        """Look no more."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
