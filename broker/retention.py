"""Removes runs whose time is over, some in each round of the keeper."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import structlog

from eventstore.background import end_background
from eventstore.retention import Export, ended_before, prune
from eventstore.store import EventStore
from runs.event import rfc3339

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


RUNS_OF_A_LOOK = 200


class Retention:
    """What the setting says of how long a run is kept after its end; None: for good.

    A look is made beside the keeper's rounds, which have timers to fire. Where nothing is left to remove, or a run
    could not be exported, the next look is `pause_seconds` later.
    """

    def __init__(
        self, store: EventStore, seconds: float | None, export: Export | None, pause_seconds: float
    ) -> None:
        self._store = store
        self._seconds = seconds
        self._export = export
        self._pause_seconds = pause_seconds
        self._due_at = 0.0
        self._looking: asyncio.Task[None] | None = None

    def go_on(self) -> None:
        """Look in the background, unless a look is under way. Raises StoreUnavailable where the one before did."""
        looking = self._looking
        if self._seconds is None or (looking is not None and not looking.done()):
            return
        self._looking = asyncio.create_task(self.look(), name="retention")
        if looking is not None:
            looking.result()

    async def close(self) -> None:
        """End the look that is under way; what it has not removed yet stays."""
        looking, self._looking = self._looking, None
        await end_background(looking)

    async def look(self) -> None:
        """Remove some runs, where that is due. Raises StoreUnavailable."""
        now = asyncio.get_running_loop().time()
        if self._seconds is None or now < self._due_at:
            return
        before = ended_before(self._store, self._seconds)
        removed = 0
        try:
            async with aclosing(
                prune(self._store, before, export=self._export, limit=RUNS_OF_A_LOOK)
            ) as bundles:
                async for bundle in bundles:
                    removed += bundle.runs
        except OSError as error:
            self._due_at = now + self._pause_seconds
            _log.error("run_not_exported", reason=str(error), removed=removed)
            return
        if removed:
            _log.info("runs_removed", runs=removed, ended_before=rfc3339(before))
        else:
            self._due_at = now + self._pause_seconds
