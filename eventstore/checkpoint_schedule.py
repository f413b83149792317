"""Checkpoints on a schedule: when the next one is due, and how one is written into its folder.

What was written is in the operations log (`writeCheckpoint`), so that the schedule goes on after a restart, in
whichever process, and everybody who can ask the database knows how old the newest one is.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eventstore.background import end_background
from eventstore.operations import MAX_REASON_CHARS, Operation, new_operation_id, write_operations
from eventstore.store import EventStore
from eventstore.whole_file import UNFINISHED, whole_file

if TYPE_CHECKING:
    from eventstore.checkpoint import Seal

ACTION = "writeCheckpoint"
LATE = 1.5
"""A checkpoint is late when the newest one is so many times as old as the time between two."""

_WRITER = "keeper"
_LEFT_SECONDS = 86_400.0
_STOP_SECONDS = 0.2
_NAME = re.compile(r"checkpoint-\d{8}T\d{6}Z\.jsonl\.gz(\.part)?")


class CheckpointStopped(Exception):
    """The process stops; the file is gone."""


@dataclass(frozen=True, slots=True)
class CheckpointSchedule:
    """Every `seconds` a checkpoint into `folder`, signed with the key in `key_file`; the newest `keep` stay, or all."""

    seconds: float
    folder: Path
    key_file: Path
    keep: int | None = None


@dataclass(frozen=True, slots=True)
class NewestCheckpoint:
    """The newest checkpoint that a schedule has written, None where there is none, and why it has failed since then."""

    age_seconds: float | None
    failure: str | None

    def due_in(self, seconds: float) -> float:
        """Seconds until the next one is due, where there is one every `seconds`."""
        return 0.0 if self.age_seconds is None else seconds - self.age_seconds

    def trouble(self, seconds: float) -> str | None:
        """What is wrong with it, where there should be one every `seconds`: public words, without a full stop."""
        if self.failure is not None:
            return "a checkpoint that is due could not be written"
        if self.age_seconds is not None and self.age_seconds > seconds * LATE:
            return f"the newest checkpoint is {self.age_seconds / 3600:.1f} hours old"
        return None


async def newest_checkpoint(store: EventStore) -> NewestCheckpoint:
    """The newest one by the operations log. Raises StoreUnavailable."""
    return (await store.select(NewestCheckpoint, "checkpoint/newest", {}))[0]


async def note_written(store: EventStore, file: Path) -> None:
    """Store that a checkpoint was written. Raises StoreUnavailable."""
    await _note(store, Operation(**_begun(store), object_id=file.name, outcome="done"))


async def note_failed(store: EventStore, reason: str) -> None:
    """Store why none could be written. Raises StoreUnavailable."""
    await _note(store, Operation(**_begun(store), outcome="failed", reason=reason[:MAX_REASON_CHARS]))


def write_into(
    database_url: str, schedule: CheckpointSchedule, now: datetime, stopped: Callable[[], bool]
) -> tuple[Path, Seal]:
    """Write a checkpoint, and remove those that are too many; it waits in its thread, until `stopped()` at most.

    Raises CheckpointRefused, CheckpointStopped, OSError, psycopg.Error, DatabaseUnsuitable.
    """
    from eventstore.checkpoint import read_key, write_checkpoint  # noqa: PLC0415 - it loads cryptography

    key = read_key(schedule.key_file)
    target = schedule.folder / f"checkpoint-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}.jsonl.gz"
    _remove_unfinished(schedule.folder)
    with whole_file(target) as file:
        seal = asyncio.run(_unless_stopped(write_checkpoint(database_url, key, file), stopped))
    if schedule.keep is not None:
        for file in _those_in(schedule.folder)[: -schedule.keep]:
            file.unlink(missing_ok=True)
    return target, seal


async def _unless_stopped(writing: Coroutine[Any, Any, Seal], stopped: Callable[[], bool]) -> Seal:
    """The seal; a database that does not answer cannot keep the process from stopping. Raises CheckpointStopped."""
    task = asyncio.ensure_future(writing)
    while not (await asyncio.wait({task}, timeout=_STOP_SECONDS))[0]:
        if stopped():
            await end_background(task)
            raise CheckpointStopped
    return task.result()


def _those_in(folder: Path, ending: str = ".gz") -> list[Path]:
    """The files of this schedule, the oldest first; nothing else that is in the folder."""
    return sorted(each for each in folder.iterdir() if _NAME.fullmatch(each.name) and each.suffix == ending)


def _remove_unfinished(folder: Path) -> None:
    """Remove what a process that was killed has left, not what another one writes now."""
    for file in _those_in(folder, UNFINISHED):
        if time.time() - file.stat().st_mtime > _LEFT_SECONDS:
            file.unlink(missing_ok=True)


def _begun(store: EventStore) -> dict[str, Any]:
    now = store.clock()
    return {
        "operation_id": new_operation_id(now),
        "at": now,
        "actor": _WRITER,
        "action": ACTION,
        "object_kind": "checkpoint",
        "finished_at": now,
    }


async def _note(store: EventStore, operation: Operation) -> None:
    await write_operations(store, [operation])
