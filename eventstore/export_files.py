"""Exports runs into files of a folder before they are removed: each is whole and on the disk before its run goes."""

from __future__ import annotations

import asyncio
import gzip
import os
from contextlib import aclosing
from pathlib import Path

from eventstore.exported import ExportHeader, export_header, exported
from eventstore.retention import Export
from eventstore.store import EventStore
from eventstore.whole_file import UNFINISHED, put_in_place


class ExportIncomplete(OSError):
    """The file has not all events of its run; its run is not removed."""


def export_into(store: EventStore, folder: Path, flexrun: str) -> Export:
    """A function that writes a run into `folder/DAY/RUN.jsonl.gz` and returns that path; `flexrun` is our version.

    The function raises RunUnknown, StoreUnavailable, OSError; what it had written is gone then.
    """
    installation: str | None = None

    async def export(run_id: str) -> str:
        nonlocal installation
        header = await export_header(store, run_id, flexrun, installation)
        installation = header.installation
        target = folder / f"{header.exported_at:%Y-%m-%d}" / f"{run_id}.jsonl.gz"
        unfinished = target.with_name(target.name + UNFINISHED)
        try:
            await _write(store, header, unfinished)
            await asyncio.to_thread(_finish, unfinished, target, header.events)
        finally:
            await asyncio.to_thread(unfinished.unlink, missing_ok=True)
        return str(target)

    return export


async def _write(store: EventStore, header: ExportHeader, file: Path) -> None:
    await asyncio.to_thread(file.parent.mkdir, parents=True, exist_ok=True)
    with file.open("wb") as opened:
        async with aclosing(exported(store, header)) as pieces:
            async for piece in pieces:
                await asyncio.to_thread(opened.write, piece)
        opened.flush()
        await asyncio.to_thread(os.fsync, opened.fileno())


def _finish(unfinished: Path, target: Path, events: int) -> None:
    """Read the file again, and give it its name, so that a crash leaves a whole file or none."""
    with gzip.open(unfinished) as packed:
        lines = sum(1 for _ in packed)
    if lines != events + 1:
        raise ExportIncomplete(f"{target}: {lines - 1} of {events} events were exported")
    put_in_place(unfinished, target)
