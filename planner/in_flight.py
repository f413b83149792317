"""The plans that a planner has in flight, where it takes its time: one task for each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

import structlog

from eventstore.heartbeat import AttemptKey
from eventstore.store import Commit
from planner.planner import diagnostic
from runs.commands import RejectPlan

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class PlansInFlight:
    """Tasks by attempt. One that lost its lease, or whose run is over, is cancelled."""

    kind = "plan"

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._tasks: dict[AttemptKey, asyncio.Task[None]] = {}

    def start(self, run_id: str, attempt: int, planning: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Make a plan in a task of its own."""
        key = (run_id, "", attempt)
        task = asyncio.create_task(planning)
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._tasks.pop(key, None))
        return task

    def keys(self) -> set[AttemptKey]:
        """The attempts in flight."""
        return set(self._tasks)

    def lease_lost(self, key: AttemptKey) -> None:
        """Cancel this attempt: another planner may have it by now."""
        task = self._tasks.get(key)
        if task is not None and not task.done():
            _log.info("plan_lease_lost", run_id=key[0], attempt=key[2])
            task.cancel()

    def give_back_command(self, key: AttemptKey) -> RejectPlan:
        """Report this attempt as lost."""
        return RejectPlan(
            now=self._clock(),
            attempt=key[2],
            diagnostics=[diagnostic("planner_stopped", "The planner gave the run back.")],
            retryable=True,
            lost=True,
        )

    def on_commit(self, commit: Commit) -> None:
        """Cancel the plans of a run that has ended."""
        if commit.after.finished:
            for key, task in self._tasks.items():
                if key[0] == commit.after.run_id:
                    task.cancel()

    async def cancel(self) -> list[AttemptKey]:
        """Cancel what is left and wait for its end; the attempts, which are to be given back."""
        left = dict(self._tasks)
        for task in left.values():
            task.cancel()
        if left:
            await asyncio.wait(left.values())
        return list(left)
