"""Learning that a run has ended, or an attempt is over, while its capability is still at work."""

from __future__ import annotations

import asyncio

import structlog

from eventstore.errors import StoreUnavailable
from eventstore.store import Commit, EventStore
from executor.in_flight import InFlightTasks
from runs.errors import RunError
from runs.event import Event
from runs.evolve import fold_all
from runs.state import RunState

_log = structlog.get_logger("executor")

EVENTS_AT_ONCE = 500


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
