"""Removes runs whose time is over, some in each round of the keeper."""

from __future__ import annotations

import asyncio

import structlog

from eventstore.retention import RUNS_AT_ONCE, Export, ended_before, prune
from eventstore.store import EventStore
from runs.event import rfc3339

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Retention:
    """What the setting says of how long a run is kept after its end; None: for good.

    Where nothing is left to remove, or a run could not be exported, the next look is `pause_seconds` later.
    """

    def __init__(
        self, store: EventStore, seconds: float | None, export: Export | None, pause_seconds: float
    ) -> None:
        self._store = store
        self._seconds = seconds
        self._export = export
        self._pause_seconds = pause_seconds
        self._due_at = 0.0

    async def look(self) -> None:
        """Remove some runs, where that is due. Raises StoreUnavailable."""
        now = asyncio.get_running_loop().time()
        if self._seconds is None or now < self._due_at:
            return
        before = ended_before(self._store, self._seconds)
        removed = 0
        try:
            async for bundle in prune(self._store, before, export=self._export, limit=RUNS_AT_ONCE):
                removed += bundle.runs
        except OSError as error:
            self._due_at = now + self._pause_seconds
            _log.error("run_not_exported", reason=str(error), removed=removed)
            return
        if removed:
            _log.info("runs_removed", runs=removed, ended_before=rfc3339(before))
        else:
            self._due_at = now + self._pause_seconds
