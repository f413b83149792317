"""Putting the log of a run back from a file: what is no whole export is refused, and later events stay."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from psycopg import AsyncConnection

from eventstore.exported import export_header, exported
from eventstore.restore import RestoreRefused, read_export, restore
from eventstore.store import EventStore
from tests.eventstore.conftest import StartRun

Change = Callable[[list[bytes]], list[bytes]]


async def _export(store: EventStore, run_id: str, file: Path) -> Path:
    header = await export_header(store, run_id, "1.2.3")
    file.write_bytes(b"".join([piece async for piece in exported(store, header)]))
    return file


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: [*lines[:-1], lines[-1].replace(b"null", b'"x"', 1)], "line 7: event 6 is not what was written"),
        (lambda lines: [*lines[:2], *lines[3:]], "line 3: it has event 3, not event 2"),
        (lambda lines: [lines[0].replace(b"flexrun-run", b"other"), *lines[1:]], "line 1: .format. is not"),
        (lambda lines: [b"nonsense"], "line 1: it is no JSON"),
    ],
)  # fmt: skip
async def test_a_file_that_is_not_as_it_was_written_is_refused(
    store: EventStore, start_run: StartRun, tmp_path: Path, change: Change, words: str
):
    run = await start_run()
    await run.to_the_end()
    file = await _export(store, run.run_id, tmp_path / "run.gz")
    lines = gzip.decompress(file.read_bytes()).splitlines()
    assert len(read_export(file).events) == 6
    file.write_bytes(gzip.compress(b"\n".join(change(lines)) + b"\n"))
    with pytest.raises(RestoreRefused, match=words):
        read_export(file)


async def test_a_run_that_has_gone_on_since_keeps_what_followed(
    store: EventStore,
    start_run: StartRun,
    database: AsyncConnection[Any],
    database_url: str,
    tmp_path: Path,
):
    run = await start_run()
    await run.planned()
    kept = read_export(await _export(store, run.run_id, tmp_path / "run.gz"))
    await run.work()
    await run.deliver()
    before = await store.read(run.run_id)
    await database.execute("set session_replication_role = replica")
    await database.execute(
        "update flex_events set message = 'x' where run_id = %s and seq = 2", (run.run_id,)
    )
    restored = await restore(database_url, kept)
    assert (restored.written, restored.removed) == (1, 0)
    assert await store.read(run.run_id) == before
    last = len(kept.events)
    await database.execute(
        "update flex_events set message = 'x' where run_id = %s and seq = %s", (run.run_id, last + 1)
    )
    with pytest.raises(RestoreRefused, match=f"event {last + 1} of the database does not follow"):
        await restore(database_url, kept)
