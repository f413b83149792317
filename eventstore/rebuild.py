"""Rebuilds the read models from the log, or compares them with what a rebuild would make."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import orjson

from eventstore.connection import Connection, connect
from eventstore.errors import LogUnfoldable
from eventstore.projection import Sections
from eventstore.replay import replay
from eventstore.rows import Result, column_names, row_maker
from eventstore.statements import statement
from runs.event import Event, Json

_RUNS_AT_ONCE = 100
_EVENTS_AT_ONCE = 2000
_LAPSED_LEASE = {"worker": "", "lease_seconds": 0.0}
"""Started work without a stored lease can be taken over at once."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that differs from the log: `kept` is in the table, `rebuilt` should be; None for no row.

    Where the log itself cannot be folded, `unfoldable` says why, and the run's rows were not compared.
    """

    table: str
    run_id: str
    key: str
    kept: dict[str, Json] | None
    rebuilt: dict[str, Json] | None
    unfoldable: str | None = None

    def __str__(self) -> str:
        place = f"{self.table} {self.run_id} {self.key}".rstrip()
        if self.unfoldable is not None:
            return f"{place}: the log cannot be folded: {self.unfoldable}"
        if self.kept is None:
            return f"{place}: the row is missing"
        if self.rebuilt is None:
            return f"{place}: the log knows no such row"
        wrong = {
            column: f"{value!r} instead of {self.rebuilt.get(column)!r}"
            for column, value in self.kept.items()
            if value != self.rebuilt.get(column)
        }
        return f"{place}: " + ", ".join(f"{column} is {words}" for column, words in wrong.items())


async def rebuild(database_url: str) -> int:
    """Empty the read models and fill them from the log; the number of runs. Leases that still hold are kept.

    One transaction: readers see the old rows or the new ones; appends wait until it is over.
    Raises LogUnfoldable, psycopg.Error; everything is as it was then.
    """
    connection = await _connect(database_url)
    runs = 0
    try:
        async with connection.transaction():
            await connection.execute(statement("rebuild/begin"), prepare=False)
            async with aclosing(_replayed(connection, _give_up)) as chunks:
                async for run_ids, sections in chunks:
                    for row in sections["work"]:
                        row.update(_LAPSED_LEASE if row["started"] else {})
                    await connection.execute(statement("rebuild/rows"), _parameters(run_ids, sections))
                    runs += len(run_ids)
            await connection.execute(statement("rebuild/leases"))
    finally:
        await connection.close()
    return runs


async def compare(database_url: str) -> list[Difference]:
    """Where the read models differ from what the log says, as of one moment. Changes nothing. Raises psycopg.Error."""
    connection = await _connect(database_url)
    unfoldable: list[LogUnfoldable] = []
    try:
        async with connection.transaction():
            await connection.execute("set transaction isolation level repeatable read, read only")
            differences = await _differences(connection, "rebuild/compare_orphans", {})
            async with aclosing(_replayed(connection, unfoldable.append)) as chunks:
                async for run_ids, sections in chunks:
                    differences += await _differences(
                        connection, "rebuild/compare_rows", _parameters(run_ids, sections)
                    )
    finally:
        await connection.close()
    broken = [Difference("flex_events", log.run_id, "", None, None, log.reason) for log in unfoldable]
    return [*broken, *differences]


async def compare_run(database_url: str, run_id: str) -> tuple[int | None, list[Event], list[Difference]]:
    """The last seq that the row of a run has, its log, and where its rows differ from that, as of one moment.

    Changes nothing. Raises psycopg.Error.
    """
    connection = await _connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute("set transaction isolation level repeatable read, read only")
            heads = await connection.execute(statement("log/heads"), {"run_ids": [run_id]})
            head = await heads.fetchone()
            cursor = await connection.execute(statement("log/one_run"), {"run_id": run_id})
            columns = column_names(cursor)
            event_of, xid = row_maker(Event, columns), columns.index(b"xid")
            log = [(row[xid], event_of(row)) for row in await cursor.fetchall()]
            try:
                sections = replay(run_id, _commits(log))
            except Exception as error:  # noqa: BLE001 - such a log may lack anything: a node, a key, a plan
                found = [
                    Difference("flex_events", run_id, "", None, None, f"{type(error).__name__}: {error}")
                ]
            else:
                found = await _differences(
                    connection, "rebuild/compare_rows", _parameters([run_id], sections)
                )
    finally:
        await connection.close()
    return (head[1] if head is not None else None), [event for _, event in log], found


async def _differences(connection: Connection, name: str, parameters: dict[str, Any]) -> list[Difference]:
    cursor = await connection.execute(statement(name), parameters)
    return Result(column_names(cursor), await cursor.fetchall()).read(Difference)


def _give_up(unfoldable: LogUnfoldable) -> None:
    raise unfoldable


async def _connect(database_url: str) -> Connection:
    connection = await connect(database_url, "rebuild")
    await connection.execute(statement("database/maintenance_settings"))
    return connection


def _parameters(run_ids: list[str], sections: Sections) -> dict[str, Any]:
    return {"run_ids": run_ids, "batch": orjson.dumps(sections).decode()}


async def _replayed(
    connection: Connection, refuse: Callable[[LogUnfoldable], None]
) -> AsyncGenerator[tuple[list[str], Sections]]:
    """The rows of all runs, some runs at a time; those whose log cannot be folded go to `refuse`."""
    run_ids: list[str] = []
    chunk: Sections = {}
    async with aclosing(_logs(connection)) as logs:
        async for run_id, commits in logs:
            try:
                sections = replay(run_id, commits)
            except Exception as error:  # noqa: BLE001 - such a log may lack anything: a node, a key, a plan
                refuse(LogUnfoldable(run_id, f"{type(error).__name__}: {error}"))
                continue
            run_ids.append(run_id)
            for name, rows in sections.items():
                chunk.setdefault(name, []).extend(rows)
            if len(run_ids) == _RUNS_AT_ONCE:
                yield run_ids, chunk
                run_ids, chunk = [], {}
    if run_ids:
        yield run_ids, chunk


async def _logs(connection: Connection) -> AsyncGenerator[tuple[str, list[list[Event]]]]:
    """Each run's events by commit."""
    log: list[tuple[int, Event]] = []
    async with connection.cursor(name="whole_log") as cursor:
        cursor.itersize = _EVENTS_AT_ONCE
        await cursor.execute(statement("log/by_run"))
        columns = column_names(cursor)
        event_of, xid = row_maker(Event, columns), columns.index(b"xid")
        async for row in cursor:
            event = event_of(row)
            if log and log[-1][1].run_id != event.run_id:
                yield log[-1][1].run_id, _commits(log)
                log = []
            log.append((row[xid], event))
    if log:
        yield log[-1][1].run_id, _commits(log)


def _commits(log: list[tuple[int, Event]]) -> list[list[Event]]:
    return [[event for _, event in commit] for _, commit in groupby(log, key=lambda logged: logged[0])]
