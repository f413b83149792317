"""The logs of whole runs, read quickly by a process or a thread of its own, which may wait for the database.

Reading the log is most of what a verify does, so rows come as text, and what is hashed and folded is made of that.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, cast

import orjson
import psycopg
from psycopg.types.string import TextLoader

from eventstore.connection import BlockingConnection, connect_blocking
from eventstore.rows import Columns, Result, column_names
from eventstore.statements import statement
from eventstore.values import APART_COLUMN, LostValue, whole_blocking
from eventstore.whole_runs import Log, RunRange
from runs.event import Event
from schemas.vocabulary import EventType

EVENTS_AT_ONCE = 4_000
_AS_TEXT = ("uuid", "xid8", "jsonb", "timestamptz")

_Row = tuple[
    str, int, EventType, str, str, str | None, str | None, int | None, str | None, str | None, str | None, str,
    str | None
]  # fmt: skip
"""The columns of log/by_run."""

_DOCUMENTS = (b"payload", b"detail", APART_COLUMN)


def open_for_reading(database_url: str) -> BlockingConnection:
    """A connection for long statements that waits in its thread. Raises psycopg.Error, DatabaseUnsuitable."""
    connection = connect_blocking(database_url, "verify")
    connection.execute(statement("database/maintenance_settings"))
    return connection


def read_logs(
    connection: BlockingConnection, runs: RunRange, lost: list[LostValue]
) -> Generator[tuple[str, Log]]:
    """Each run of a range with its events by commit, in the order of the ids. Raises psycopg.Error.

    `lost` gets the large values that are missing or changed.
    """
    with connection.cursor(name="whole_log") as cursor:
        for name in _AS_TEXT:
            cursor.adapters.register_loader(name, TextLoader)
        cursor.execute(statement("log/by_run"), runs.parameters)
        for run_id, rows in groupby(_rows(connection, cursor, lost), key=_run_of):
            yield run_id, _commits(rows)


def _rows(
    connection: BlockingConnection, cursor: psycopg.ServerCursor[_Row], lost: list[LostValue]
) -> Generator[_Row]:
    columns = column_names(cursor)
    while rows := cursor.fetchmany(EVENTS_AT_ONCE):
        if any(row[-1] is not None for row in rows):
            yield from _whole(connection, columns, rows, lost)
        else:
            yield from rows


def _whole(
    connection: BlockingConnection, columns: Columns, rows: list[_Row], lost: list[LostValue]
) -> Generator[_Row]:
    """The rows, with the large values of their documents put back."""
    documents = [columns.index(name) for name in _DOCUMENTS]
    for row in rows:
        if row[-1] is None:
            yield row
            continue
        cells: list[Any] = list(row)
        for place in documents:
            cells[place] = None if cells[place] is None else orjson.loads(cells[place])
        filled, missed = whole_blocking(connection, Result(columns, [tuple(cells)]))
        lost += missed
        cells = list(filled.rows[0])
        for place in documents:
            cells[place] = None if cells[place] is None else orjson.dumps(cells[place]).decode()
        yield cast("_Row", tuple(cells))


def _run_of(row: _Row) -> str:
    return row[0]


def _commits(rows: Iterable[_Row]) -> Log:
    log: Log = []
    last = ""
    loads = orjson.loads
    for run, seq, kind, payload, at, correlation, node, version, message, detail, digest, xid, _ in rows:
        event = Event(
            run, seq, kind, loads(payload), _moment(at), correlation, node, version, message,
            None if detail is None else loads(detail), digest,
        )  # fmt: skip
        if xid == last:
            log[-1].append(event)
        else:
            log.append([event])
            last = xid
    return log


def _moment(text: str) -> datetime:
    """A time as Postgres writes it. One that is beyond the calendar, which the engine never writes, is its last day."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)
