"""Puts the log of one run back as an exported file has it, where it was changed in the database.

The file proves itself (docs/proof.md): each line has the hash of the one before it, the header that of the last.
Events that are as in the file stay as they are, so that webhooks are not told of them again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from eventstore.chain import event_hash
from eventstore.connection import Connection
from eventstore.import_file import ExportedRun
from eventstore.import_lines import MOST, ImportRefused
from eventstore.migrate import migrations
from eventstore.rows import Result, column_names
from eventstore.statements import statement
from eventstore.values import Splitter, value_parameters, whole
from eventstore.whole_runs import connect_for_maintenance
from runs.event import Event

_MEMBERS = ("at", "correlationId", "detail", "message", "nodeId", "payload", "planVersion", "seq", "type")


class RestoreRefused(Exception):
    """The file is no whole export of a run, or the run has gone on otherwise than the file says."""


@dataclass(frozen=True, slots=True)
class WholeRun:
    """The log of an exported run, each of its events as it was hashed."""

    run_id: str
    head_hash: str | None
    events: list[dict[str, Any]]
    """In order; `hash` is in hex, None for one that is of an earlier version."""


@dataclass(frozen=True, slots=True)
class Restored:
    """How many events were put back or overwritten, and how many that the file does not have were removed."""

    run_id: str
    head_hash: str | None
    events: int
    written: int
    removed: int


def read_export(path: Path) -> WholeRun:
    """The run of a file, every line checked as for an import. Raises RestoreRefused, OSError."""
    try:
        run = ExportedRun(path, MOST, migrations()[-1].number)
        found = list(run.events())
    except ImportRefused as refused:
        raise RestoreRefused(str(refused)) from None
    hashes = [*(each.after for each in found[1:]), run.header.head_hash]
    lines = [orjson.loads(each.text) for each in found]
    rows = [
        {name: line[name] for name in _MEMBERS} | {"hash": each}
        for line, each in zip(lines, hashes, strict=True)
    ]
    return WholeRun(run.header.run_id, run.header.head_hash, rows)


async def restore(database_url: str, run: WholeRun) -> Restored:
    """Make the log of the run that of the file, in one transaction. The read models are not changed.

    Events after those of the file stay where the run went on from there. Raises RestoreRefused, psycopg.Error.
    """
    head = len(run.events)
    splitter, events = Splitter(), [dict(event) for event in run.events]
    for event in events:
        splitter.members(event)
    values = value_parameters([(run.run_id, *each) for each in splitter.values.items()])
    parameters = {"run_id": run.run_id, "head": head, "events": orjson.dumps(events).decode()}
    connection = await connect_for_maintenance(database_url)
    try:
        async with connection.transaction():
            await connection.execute(statement("restore/begin"))
            await connection.execute(statement("restore/lock_run"), parameters)
            removed = 0
            if run.events[-1]["type"] == "complete":
                removed = (await connection.execute(statement("restore/remove"), parameters)).rowcount
            else:
                await _require_next(connection, run)
            written = (await connection.execute(statement("restore/write"), parameters)).rowcount
            await connection.execute(statement("restore/write_values"), values)
    finally:
        await connection.close()
    return Restored(run.run_id, run.head_hash, head, written, removed)


async def _require_next(connection: Connection, run: WholeRun) -> None:
    """Refuse a file behind whose last event another one stands than the one that followed it."""
    head = len(run.events)
    asked = {"run_id": run.run_id, "after": head, "until": head + 1, "limit": 1}
    cursor = await connection.execute(statement("log/read"), asked)
    result, _ = await whole(connection, Result(column_names(cursor), await cursor.fetchall()))
    for event in result.read(Event):
        if event.seq != head + 1 or event_hash(run.head_hash, event) != event.hash:
            raise RestoreRefused(
                f"event {event.seq} of the database does not follow the last one of the file: restore a later export"
            )
