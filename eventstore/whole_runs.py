"""Whole runs, read from the log in the order of their ids: the rows that they should have, and where those differ."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID

import orjson

from eventstore.connection import Connection, connect
from eventstore.errors import LogUnfoldable
from eventstore.projection import Sections, final_rows
from eventstore.replay import replay
from eventstore.rows import Result, column_names, row_maker
from eventstore.same_rows import runs_that_differ
from eventstore.statements import statement
from runs.event import Event, Json

FIRST_RUN = "00000000-0000-0000-0000-000000000000"
LAST_RUN = "ffffffff-ffff-ffff-ffff-ffffffffffff"
ONE_MOMENT = "set transaction isolation level repeatable read, read only"

_RUNS_AT_ONCE = 100
_EVENTS_AT_ONCE = 2000

Log = list[list[Event]]
"""The events of a run by commit."""

Look = Callable[[str, Log], None]
"""Is shown a run's id and its events by commit."""


@dataclass(frozen=True, slots=True)
class RunRange:
    """The runs with ids above `after`, up to and with `until`."""

    after: str = FIRST_RUN
    until: str = LAST_RUN

    @classmethod
    def of(cls, run_id: str) -> RunRange:
        """This run alone."""
        return cls(str(UUID(int=max(UUID(run_id).int - 1, 0))), run_id)

    @property
    def parameters(self) -> dict[str, str]:
        return {"after": self.after, "until": self.until}


ALL_RUNS = RunRange()


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


async def differences(connection: Connection, runs: RunRange, look: Look | None = None) -> list[Difference]:
    """Where the rows of these runs differ from what their logs say. Raises psycopg.Error.

    `look` is shown the log of each run.
    """
    found = await _differences(connection, "rebuild/compare_orphans", runs.parameters)
    logs: dict[str, Log] = {}
    events = 0
    async with aclosing(_logs(connection, runs)) as whole:
        async for run_id, commits in whole:
            if look is not None:
                look(run_id, commits)
            logs[run_id] = commits
            events += sum(map(len, commits))
            if len(logs) >= _RUNS_AT_ONCE or events >= _EVENTS_AT_ONCE:
                found += await _differing(connection, logs)
                logs, events = {}, 0
    return found + await _differing(connection, logs)


async def _differing(connection: Connection, logs: dict[str, Log]) -> list[Difference]:
    """A quick look at all of these runs, and a close one at those that it does not find to be right."""
    sections: Sections = {}
    closer: set[str] = set()
    for run_id, commits in logs.items():
        try:
            _add(sections, final_rows(run_id, [event for commit in commits for event in commit]))
        except Exception:  # noqa: BLE001 - such a log may lack anything; the closer look says what
            closer.add(run_id)
    closer |= await runs_that_differ(connection, list(logs.keys() - closer), sections)
    found: list[Difference] = []
    rows: Sections = {}
    for run_id in sorted(closer):
        try:
            _add(rows, replay(run_id, logs[run_id]))
        except Exception as error:  # noqa: BLE001 - the same
            reason = f"{type(error).__name__}: {error}"
            found.append(Difference("flex_events", run_id, "", None, None, reason))
            closer.remove(run_id)
    if closer:
        found += await _differences(connection, "rebuild/compare_rows", parameters_of(sorted(closer), rows))
    return found


def _add(sections: Sections, more: Sections) -> None:
    for name, rows in more.items():
        sections.setdefault(name, []).extend(rows)


async def _differences(connection: Connection, name: str, parameters: dict[str, Any]) -> list[Difference]:
    cursor = await connection.execute(statement(name), parameters)
    return Result(column_names(cursor), await cursor.fetchall()).read(Difference)


async def connect_for_maintenance(database_url: str) -> Connection:
    """A connection for long statements. Raises psycopg.Error, DatabaseUnsuitable."""
    connection = await connect(database_url, "rebuild")
    await connection.execute(statement("database/maintenance_settings"))
    return connection


def parameters_of(run_ids: list[str], sections: Sections) -> dict[str, Any]:
    """The parameters of statements that take rows of runs."""
    return {"run_ids": run_ids, "batch": orjson.dumps(sections).decode()}


async def replayed(connection: Connection, runs: RunRange) -> AsyncGenerator[tuple[list[str], Sections]]:
    """The rows of these runs, some runs at a time. Raises LogUnfoldable, psycopg.Error."""
    run_ids: list[str] = []
    chunk: Sections = {}
    async with aclosing(_logs(connection, runs)) as logs:
        async for run_id, commits in logs:
            try:
                sections = replay(run_id, commits)
            except Exception as error:  # such a log may lack anything: a node, a key, a plan
                raise LogUnfoldable(run_id, f"{type(error).__name__}: {error}") from error
            run_ids.append(run_id)
            _add(chunk, sections)
            if len(run_ids) == _RUNS_AT_ONCE:
                yield run_ids, chunk
                run_ids, chunk = [], {}
    if run_ids:
        yield run_ids, chunk


async def _logs(connection: Connection, runs: RunRange) -> AsyncGenerator[tuple[str, list[list[Event]]]]:
    """Each run's events by commit."""
    log: list[tuple[int, Event]] = []
    async with connection.cursor(name="whole_log") as cursor:
        await cursor.execute(statement("log/by_run"), runs.parameters)
        columns = column_names(cursor)
        event_of, xid = row_maker(Event, columns), columns.index(b"xid")
        while rows := await cursor.fetchmany(_EVENTS_AT_ONCE):
            for row in rows:
                event = event_of(row)
                if log and log[-1][1].run_id != event.run_id:
                    yield log[-1][1].run_id, _commits(log)
                    log = []
                log.append((row[xid], event))
    if log:
        yield log[-1][1].run_id, _commits(log)


def _commits(log: list[tuple[int, Event]]) -> list[list[Event]]:
    return [[event for _, event in commit] for _, commit in groupby(log, key=lambda logged: logged[0])]
