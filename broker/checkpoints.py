"""Writes checkpoints on a schedule, beside the rounds of the keeper: one process of an installation does it."""

from __future__ import annotations

import asyncio
import threading

import psycopg
import structlog

from eventstore.background import end_background
from eventstore.checkpoint_schedule import (
    CheckpointSchedule,
    CheckpointStopped,
    newest_checkpoint,
    note_failed,
    note_written,
    write_into,
)
from eventstore.errors import DatabaseUnsuitable, StoreUnavailable, explain
from eventstore.store import EventStore
from telemetry.catalogue import CHECKPOINT_FAILURES

RETRY_SECONDS = 60.0
"""How long after a failure it is tried again, and how often it is asked whether another process has written one."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Checkpoints:
    """A checkpoint is written in a thread: over a million runs it takes far longer than a round."""

    def __init__(
        self, store: EventStore, schedule: CheckpointSchedule | None, *, retry_seconds: float = RETRY_SECONDS
    ) -> None:
        self._store = store
        self._retry_seconds = retry_seconds
        self._schedule = schedule
        self._look_at = 0.0
        self._stopped = threading.Event()
        self._writing: asyncio.Task[None] | None = None

    async def look(self) -> None:
        """Begin to write one, where that is due. Raises StoreUnavailable."""
        now = asyncio.get_running_loop().time()
        if self._schedule is None or now < self._look_at or self._writing is not None:
            return
        newest = await newest_checkpoint(self._store)
        due_in = newest.due_in(self._schedule.seconds)
        self._look_at = now + min(max(due_in, 0.0), self._retry_seconds)
        if due_in <= 0:
            self._writing = asyncio.create_task(self._write(self._schedule, newest.failure))

    async def close(self) -> None:
        """Stop writing; the file that is not whole is removed."""
        self._stopped.set()
        await end_background(self._writing)

    async def _write(self, schedule: CheckpointSchedule, failed_before: str | None) -> None:
        try:
            await self._try(schedule, failed_before)
        # Nobody waits for this task; the schedule must go on whatever ends one attempt.
        except Exception:  # noqa: BLE001 - see above
            _log.exception("checkpoint_not_noted")
        finally:
            self._look_at = asyncio.get_running_loop().time() + min(self._retry_seconds, schedule.seconds)
            self._writing = None

    async def _try(self, schedule: CheckpointSchedule, failed_before: str | None) -> None:
        from eventstore.checkpoint import CheckpointRefused  # noqa: PLC0415 - cryptography

        try:
            file, seal = await asyncio.to_thread(
                write_into, self._store.database_url, schedule, self._store.clock(), self._stopped.is_set
            )
        except CheckpointStopped:
            return
        except (CheckpointRefused, OSError, psycopg.Error, DatabaseUnsuitable, StoreUnavailable) as error:
            reason = _reason(schedule, error)
            CHECKPOINT_FAILURES.add()
            _log.error("checkpoint_not_written", reason=reason)
            if reason != failed_before:
                await note_failed(self._store, reason)
            return
        _log.info("checkpoint_written", file=str(file), runs=seal.runs, root=seal.root)
        await note_written(self._store, file)


def _reason(schedule: CheckpointSchedule, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{schedule.folder}: {error.strerror or error}"
    if isinstance(error, psycopg.Error):
        return explain(error)
    return f"{schedule.key_file}: {error}"
