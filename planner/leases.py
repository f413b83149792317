"""Plans in the making: whose lease is kept alive, and what is given back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

import structlog

from eventstore import leases
from eventstore.background import start_background
from eventstore.errors import StoreUnavailable, VersionConflict
from eventstore.handler import RunHandler
from eventstore.store import Commit, EventStore
from planner.config import PlannerConfig
from planner.planner import diagnostic
from runs.commands import RejectPlan
from runs.errors import RunError

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("planner")

PlanKey = tuple[str, int]
"""(run id, planning attempt)"""


class PlanLeases:
    """The tasks of a planner that takes its time. One heartbeat extends all their leases; a task that lost its lease,
    or whose run is over, is cancelled.
    """

    def __init__(
        self,
        store: EventStore,
        handler: RunHandler,
        worker: str,
        config: PlannerConfig,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._handler = handler
        self._worker = worker
        self._config = config
        self._clock = clock
        self._tasks: dict[PlanKey, asyncio.Task[None]] = {}
        self._strays: set[PlanKey] = set()
        self._beating: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to beat."""
        self._store.on_commit(self._on_commit)
        self._beating = start_background("planner-heartbeat", self._keep_beating())

    def work(self, key: PlanKey, planning: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Make a plan in a task of its own, for as long as its lease is ours."""
        task = asyncio.create_task(planning)
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._tasks.pop(key, None))
        return task

    async def beat(self) -> None:
        """Extend all leases, cancel what is no longer ours, give back what nobody here works on.

        A claim that was just committed looks like the latter for a moment, hence two beats before one counts.
        """
        began = dict(self._tasks)
        extended = await leases.extend(self._store, self._worker, self._config.lease_seconds)
        held = {(run_id, attempt) for run_id, kind, _, attempt in extended if kind == "plan"}
        for key, task in began.items():
            if key not in held and not task.done():
                _log.info("plan_lease_lost", run_id=key[0], attempt=key[1])
                task.cancel()
        strays = held - began.keys() - self._tasks.keys()
        for key in strays & self._strays:
            await self._give_back(key)
        self._strays = strays

    async def close(self) -> None:
        """Cancel what is left and give it back, so that another planner takes over at once."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.wait([self._beating])
        left = dict(self._tasks)
        for task in left.values():
            task.cancel()
        if left:
            await asyncio.wait(left.values())
        for key in left:
            await self._give_back(key)

    def _on_commit(self, commit: Commit) -> None:
        if commit.after.finished:
            for key, task in self._tasks.items():
                if key[0] == commit.after.run_id:
                    task.cancel()

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(self._config.heartbeat_seconds)
            try:
                await self.beat()
                self._store.outage.worked("planner heartbeat")
            except StoreUnavailable as outage:
                self._store.outage.failed("planner heartbeat", outage.reason)
            # A heartbeat that died quietly would cost this worker every lease it has.
            except Exception:  # noqa: BLE001 - see above
                _log.exception("heartbeat_failed")

    async def _give_back(self, key: PlanKey) -> None:
        run_id, attempt = key
        command = RejectPlan(
            now=self._clock(),
            attempt=attempt,
            diagnostics=[diagnostic("planner_stopped", "The planner gave the run back.")],
            retryable=True,
            lost=True,
        )
        try:
            await self._handler.execute(run_id, command)
        except (RunError, StoreUnavailable, VersionConflict) as error:
            # Refused: it was over after all. Not reachable: the lease ends by itself.
            _log.info("plan_not_given_back", run_id=run_id, attempt=attempt, reason=str(error))
