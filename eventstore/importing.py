"""Imports an exported run: one transaction, after the whole file was checked, so that nothing is stored of a bad one.

The events are stored with their numbers, times and hashes. The run is read-only from then on: the database refuses
every later append (FR006), and there is no work, no open request and no delivery of it. The transaction is open only
while it writes: readers of the whole log wait for its end (see `eventstore.whole_log`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import islice
from pathlib import Path

import orjson
import psycopg

from eventstore.chain import event_body, hashed_text
from eventstore.connection import Connection, connect
from eventstore.errors import brief, is_passing
from eventstore.exported import ExportHeader
from eventstore.import_file import ExportedRun
from eventstore.import_lines import ImportLimits, ImportRefused
from eventstore.imported_rows import imported_rows
from eventstore.migrate import migrations
from eventstore.projection import Sections, erased_rows
from eventstore.rows import Result, column_names
from eventstore.sealing import RunKey
from eventstore.statements import statement
from eventstore.values import whole
from runs.event import Event, JsonObject

_BATCH_EVENTS = 500
_BATCH_BYTES = 1024 * 1024
_PAGE_EVENTS = 500


class RunDiffers(Exception):
    """There is, or was, a run of this id with another history. Nothing was stored."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import; `stored` is False where the run was there already, with this history."""

    header: ExportHeader
    status: str
    stored: bool
    imported: bool


@dataclass(frozen=True, slots=True)
class _There:
    head_seq: int | None
    status: str | None
    imported_at: datetime | None
    pruned_events: int | None
    pruned_hash: str | None


async def import_run(
    database_url: str, path: Path, limits: ImportLimits, imported_by: str, tenant: str | None = None
) -> Imported:
    """Import the run of a file. Raises ImportRefused, RunDiffers, OSError, psycopg.Error; nothing is stored then.

    It takes seconds of CPU for a long run: call it where that disturbs nobody. A `tenant` takes its own runs only.
    """
    run = ExportedRun(path, limits, migrations()[-1].number)
    rows = checked_rows(run)
    if tenant is not None and rows["starts"][0]["tenant"] != tenant:
        raise ImportRefused("tenant", "its run belongs to another tenant than the caller")
    connection = await connect(database_url, "import")
    try:
        await connection.execute(statement("imports/settings"))
        return await _store(connection, run, rows, imported_by)
    except psycopg.Error as error:
        if is_passing(error) and error.sqlstate != psycopg.errors.ProgramLimitExceeded.sqlstate:
            raise
        raise ImportRefused("storage", f"the database cannot keep it: {brief(error)}") from error
    finally:
        await connection.close()


def checked_rows(run: ExportedRun) -> Sections:
    """The rows of the run, after a look at all its events. Raises ImportRefused."""
    found, key = run.events(), run.header.key
    try:
        if key is not None and key.key is None:
            return erased_rows((each.event for each in found), key.erased_at)
        return imported_rows(run.header.run_id, (each.event for each in found), None)
    except (ImportRefused, OSError, MemoryError, RecursionError):
        raise
    except Exception as error:  # such a log may lack anything: a node, a key, a plan
        message = f"it cannot follow the events before it: {type(error).__name__}: {error}"
        raise ImportRefused("fold", message, run.line) from error


async def _store(connection: Connection, run: ExportedRun, rows: Sections, imported_by: str) -> Imported:
    header = run.header
    async with connection.transaction():
        there = await _there(connection, header.run_id)
        _require_same_pruned(header, there)
        imported_at = await _begin(connection, rows["starts"][0])
        if imported_at is not None:
            if header.key is not None:
                await connection.execute(statement("imports/key"), _key_of(header.key))
            for batch in _batches(run):
                await connection.execute(statement("imports/events"), {"events": batch})
            others = {"planned": rows["planned"], "requests": rows["requests"]}
            await connection.execute(
                statement("imports/rows"), {"batch": orjson.dumps(others).decode()}, prepare=False
            )
            await _end(connection, header, imported_at, imported_by)
            return Imported(header, rows["starts"][0]["status"], stored=True, imported=True)
        there = await _there(connection, header.run_id)
        await _require_same(connection, run, there)
        return Imported(header, there.status or "", stored=False, imported=there.imported_at is not None)


async def _there(connection: Connection, run_id: str) -> _There:
    cursor = await connection.execute(statement("imports/there"), {"run_id": run_id})
    return Result(column_names(cursor), await cursor.fetchall()).read(_There)[0]


async def _begin(connection: Connection, row: JsonObject) -> datetime | None:
    cursor = await connection.execute(statement("imports/begin"), {"run": orjson.dumps(row).decode()})
    found = await cursor.fetchone()
    return found[0] if found is not None else None


async def _end(connection: Connection, header: ExportHeader, imported_at: datetime, imported_by: str) -> None:
    parameters = {
        "run_id": header.run_id,
        "imported_at": imported_at,
        "imported_by": imported_by,
        "installation": header.installation,
        "flexrun": header.flexrun,
        "exported_at": header.exported_at,
        "events": header.events,
        "head_hash": header.head_hash,
    }
    await connection.execute(statement("imports/end"), parameters)


def _key_of(key: RunKey) -> dict[str, object]:
    return {
        "run_id": key.run_id,
        "key": key.key,
        "erased_at": key.erased_at,
        "erased_by": key.erased_by,
        "reason": key.reason,
    }


def _batches(run: ExportedRun) -> Iterator[str]:
    """The events as `imports/events` takes them, some at a time."""
    batch: list[bytes] = []
    size = 0
    for text in _with_hashes(run):
        if batch and (len(batch) >= _BATCH_EVENTS or size + len(text) > _BATCH_BYTES):
            yield (b"[%b]" % b",".join(batch)).decode()
            batch, size = [], 0
        batch.append(text)
        size += len(text)
    yield (b"[%b]" % b",".join(batch)).decode()


def _with_hashes(run: ExportedRun) -> Iterator[bytes]:
    """Each line with the hash of its event, which the next line, or the header, says that it has."""
    texts = run.texts()
    text = next(texts)
    for following in texts:
        yield _with_hash(text, hashed=not following.startswith(b'{"after":null'))
        text = following
    yield _with_hash(text, hashed=run.header.head_hash is not None)


def _with_hash(text: bytes, *, hashed: bool) -> bytes:
    digest = b'"%b"' % sha256(text).hexdigest().encode() if hashed else b"null"
    return b'{"hash":%b,%b' % (digest, text[1:])


def _require_same_pruned(header: ExportHeader, there: _There) -> None:
    """Raises RunDiffers where a run of this id was removed that had another history."""
    if there.pruned_events is None or there.head_seq is not None:
        return
    if there.pruned_events != header.events or there.pruned_hash != header.head_hash:
        raise RunDiffers(
            f"A run {header.run_id} was here and was removed after its time: it had {there.pruned_events} events and"
            f" ended with the hash {there.pruned_hash}, and the file has {header.events}, ending with"
            f" {header.head_hash}. It is not the history that was here."
        )


async def _require_same(connection: Connection, run: ExportedRun, there: _There) -> None:
    """Raises RunDiffers where the run that is there does not begin with all events of the file."""
    run_id, events = run.header.run_id, run.header.events
    texts, previous, seq = run.texts(), None, 0
    while True:
        page = await _page(connection, run_id, seq)
        for event, text in zip(page, islice(texts, len(page)), strict=False):
            seq = event.seq
            if hashed_text(previous, event_body(event)) != text:
                raise RunDiffers(
                    f"There is a run {run_id} with another history: event {seq} of it is not that of the file."
                )
            previous = event.hash
            if seq == events:
                _require_same_head(run.header, event)
                return
        if len(page) < _PAGE_EVENTS:
            break
    kind = "was imported" if there.imported_at is not None else "was made here"
    raise RunDiffers(
        f"There is a run {run_id} that {kind} and has the first {seq} events of the file, which has {events}:"
        " an import adds nothing to a run."
    )


def _require_same_head(header: ExportHeader, last: Event) -> None:
    if last.hash != header.head_hash:
        raise RunDiffers(
            f"There is a run {header.run_id} whose event {last.seq} has the hash {last.hash}, not {header.head_hash}."
        )


async def _page(connection: Connection, run_id: str, after: int) -> list[Event]:
    parameters = {"run_id": run_id, "after": after, "until": 2**31 - 1, "limit": _PAGE_EVENTS}
    cursor = await connection.execute(statement("log/read"), parameters)
    result, _ = await whole(connection, Result(column_names(cursor), await cursor.fetchall()))
    return result.read(Event)
