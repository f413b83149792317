"""An exported run: the whole history in the form that was hashed, verified without flexrun."""

from __future__ import annotations

import gzip
import zlib
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest
from psycopg import AsyncConnection

from eventstore import exported as exports
from eventstore.exported import export_header, exported
from eventstore.store import EventStore
from runs.errors import RunUnknown
from tests.eventstore.conftest import StartRun
from tests.support.offline import offline
from tests.support.started_runs import new_run_id


async def file_of(store: EventStore, run_id: str, folder: Path) -> Path:
    """The export of a run."""
    header = await export_header(store, run_id, "1.2.3")
    file = folder / "run.jsonl.gz"
    file.write_bytes(b"".join([piece async for piece in exported(store, header)]))
    return file


@pytest.fixture
async def run_id(start_run: StartRun) -> str:
    run = await start_run()
    await run.to_the_end()
    return run.run_id


async def test_each_line_is_what_was_hashed(
    store: EventStore, run_id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(exports, "PAGE_EVENTS", 3)
    header, *lines = gzip.decompress((await file_of(store, run_id, tmp_path)).read_bytes()).splitlines()
    log = await store.read(run_id)
    found = orjson.loads(header)
    assert {key: found[key] for key in ("format", "version", "flexrun", "runId", "events", "headHash")} == {
        "format": "flexrun-run",
        "version": 1,
        "flexrun": "1.2.3",
        "runId": run_id,
        "events": len(log),
        "headHash": log[-1].hash,
    }
    assert [sha256(line).hexdigest() for line in lines] == [event.hash for event in log]
    assert orjson.loads(lines[0])["detail"] == log[0].detail


async def test_the_script_says_that_a_run_is_as_it_was_written(
    store: EventStore, run_id: str, tmp_path: Path
):
    log = await store.read(run_id)
    status, said = await offline("verify_run.py", str(await file_of(store, run_id, tmp_path)))
    assert status == 0, said
    assert said.splitlines() == [
        f"run {run_id}: {len(log)} events, {len(log)} as they were written, 0 without a hash",
        f"head: event {len(log)}, hash {log[-1].hash}",
    ]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("update flex_events set message = 'x' where run_id = %(run)s and seq = 3", "event 4: it or the event before"),
        ("delete from flex_events where run_id = %(run)s and seq = 3", "event 3: another event stands in its place"),
        ("delete from flex_events where run_id = %(run)s and seq > 3", "events after it are missing"),
        ("update flex_events set hash = null where run_id = %(run)s and seq = 3", "event 4: it or the event before"),
    ],
)  # fmt: skip
async def test_the_script_names_what_was_changed_in_the_database(
    store: EventStore,
    run_id: str,
    tmp_path: Path,
    database: AsyncConnection[Any],
    statement: str,
    words: str,
):
    await database.execute("set session_replication_role = replica")
    header = await export_header(store, run_id, "1.2.3")
    await database.execute(statement.encode(), {"run": run_id})
    file = tmp_path / "run.jsonl.gz"
    file.write_bytes(b"".join([piece async for piece in exported(store, header)]))
    status, said = await offline("verify_run.py", str(file))
    assert (status, words in said) == (1, True), said


async def test_the_script_names_what_was_changed_in_the_file(store: EventStore, run_id: str, tmp_path: Path):
    file = await file_of(store, run_id, tmp_path)
    whole = file.read_bytes()
    lines = gzip.decompress(whole).splitlines(keepends=True)
    for wrong, words in (
        ([*lines[:2], lines[2].replace(b'"seq":2', b'"seq":2,"x":1'), *lines[3:]], "event 3"),
        (
            [*lines[:-1], lines[-1].replace(b'"message":null', b'"message":"x"')],
            "it is not as it was written",
        ),
        (lines[:-1], "missing"),
    ):
        file.write_bytes(gzip.compress(b"".join(wrong)))
        status, said = await offline("verify_run.py", str(file))
        assert (status, words in said) == (1, True), said
    file.write_bytes(whole[:-20])
    status, said = await offline("verify_run.py", str(file))
    assert (status, "no whole export" in said) == (1, True), said


async def test_a_run_that_is_not_there_has_no_export(store: EventStore):
    with pytest.raises(RunUnknown):
        await export_header(store, new_run_id(), "1")


async def test_it_is_one_gzip_member(store: EventStore, run_id: str, tmp_path: Path):
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    unpacker.decompress((await file_of(store, run_id, tmp_path)).read_bytes())
    assert unpacker.eof
    assert not unpacker.unused_data
