"""Runs that earlier releases have stored, in a database: they replay, verify, and move as files.

What each log folds to is held in tests/runs/test_golden_logs.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from psycopg import AsyncConnection

from eventstore.exported import export_header, exported
from eventstore.import_lines import ImportLimits
from eventstore.importing import Imported, import_run
from eventstore.rebuild import rebuild
from eventstore.run_check import check_beside
from eventstore.store import EventStore
from eventstore.verify import verify
from runs.event import Event
from runs.evolve import fold_all
from runs.state import new_run
from tests.golden.logs.record import FOLDER, LOGS, read_log
from tests.support.offline import offline
from tests.support.run_files import lines_of, packed, unpacked

EXPORTS = sorted((FOLDER.parent / "exports").glob("*.jsonl.gz"))
"""Runs as earlier releases have exported them: a file that is there is never written again."""

_LIMITS = ImportLimits(bytes=2**24, events=10_000, line_bytes=2**20)
_TABLES = ("flex_events", "flex_runs", "flex_plan_nodes", "hitl_requests", "flex_work", "flex_imported_runs")


async def stored_by_an_earlier_release(database: AsyncConnection[Any], log: Sequence[Event]) -> None:
    """The events as it has stored them: without hashes, each in a commit of its own."""
    for event in log:
        await database.execute(
            "insert into flex_events (run_id, seq, type, node_id, payload, detail, message, plan_version,"
            " correlation_id, recorded_at) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                event.run_id,
                event.seq,
                event.type,
                event.node_id,
                orjson.dumps(event.payload).decode(),
                orjson.dumps(event.detail).decode() if event.detail is not None else None,
                event.message,
                event.plan_version,
                event.correlation_id,
                event.recorded_at,
            ),
        )


async def emptied(database: AsyncConnection[Any]) -> None:
    """Most logs are of the same run, so that only one can be there at a time."""
    await database.execute("set session_replication_role = replica")
    for table in _TABLES:
        await database.execute(f"delete from {table}")  # noqa: S608 - our own names
    await database.execute("set session_replication_role = origin")


async def holds(database_url: str, run_id: str, events: int, hashed: int) -> None:
    """As `runs replay --verify` and `db verify` see it."""
    check = await check_beside(database_url, run_id)
    assert check.holds, check
    assert (check.events, check.hashed) == (events, hashed)
    findings = [finding async for each in verify(database_url) for finding in each.findings]
    assert findings == []


async def imported(database_url: str, folder: Path, file: bytes) -> Imported:
    path = folder / "run.jsonl.gz"
    path.write_bytes(file)
    return await import_run(database_url, path, _LIMITS, "ann")


async def exported_lines(store: EventStore, run_id: str) -> list[bytes]:
    header = await export_header(store, run_id, "test")
    return unpacked(b"".join([piece async for piece in exported(store, header)]))[1:]


async def test_every_golden_log_replays_and_verifies(
    store: EventStore, database: AsyncConnection[Any], database_url: str
):
    for name in LOGS:
        log = read_log(name)
        await stored_by_an_earlier_release(database, log)
        assert await rebuild(database_url) == 1
        await holds(database_url, log[0].run_id, len(log), 0)
        read = await store.read(log[0].run_id)
        assert fold_all(new_run(log[0].run_id), read) == fold_all(new_run(log[0].run_id), log), name
        await emptied(database)


async def test_every_golden_log_moves_as_a_file_with_and_without_hashes(
    store: EventStore, database: AsyncConnection[Any], database_url: str, tmp_path: Path
):
    for name in LOGS:
        log = read_log(name)
        run_id, count = log[0].run_id, len(log)
        for hashed_from in (1, count // 2, count + 1):
            lines = lines_of(log, hashed_from=hashed_from)
            done = await imported(database_url, tmp_path, packed(lines))
            assert (done.stored, done.header.events) == (True, count), name
            await holds(database_url, run_id, count, count + 1 - hashed_from)
            assert await exported_lines(store, run_id) == lines[1:]
            assert await rebuild(database_url) == 1
            await holds(database_url, run_id, count, count + 1 - hashed_from)
            again = await imported(database_url, tmp_path, packed(lines))
            assert (again.stored, again.imported) == (False, True)
            await emptied(database)


async def test_every_exported_file_of_an_earlier_release_is_imported(
    database: AsyncConnection[Any], database_url: str, tmp_path: Path
):
    assert EXPORTS
    for path in EXPORTS:
        assert (await offline("verify_run.py", str(path)))[0] == 0
        done = await imported(database_url, tmp_path, path.read_bytes())
        hashed = done.header.events if done.header.head_hash is not None else 0
        await holds(database_url, done.header.run_id, done.header.events, hashed)
        await emptied(database)
