"""Whole runs, read from the log in the order of their ids, and the rows that they should have."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any
from uuid import UUID

import orjson

from eventstore.connection import Connection, connect
from eventstore.errors import LogUnfoldable
from eventstore.imported_rows import whole_rows
from eventstore.projection import Sections
from eventstore.rows import Result, column_names, row_maker
from eventstore.statements import statement
from eventstore.values import Splitter, value_parameters, whole
from runs.event import Event

FIRST_RUN = "00000000-0000-0000-0000-000000000000"
LAST_RUN = "ffffffff-ffff-ffff-ffff-ffffffffffff"
ONE_MOMENT = "set transaction isolation level repeatable read, read only"

_RUNS_AT_ONCE = 100
_EVENTS_AT_ONCE = 2000

Log = list[list[Event]]
"""The events of a run by commit."""


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


def add_sections(sections: Sections, more: Sections) -> None:
    for name, rows in more.items():
        sections.setdefault(name, []).extend(rows)


async def connect_for_maintenance(database_url: str) -> Connection:
    """A connection for long statements. Raises psycopg.Error, DatabaseUnsuitable."""
    connection = await connect(database_url, "rebuild")
    await connection.execute(statement("database/maintenance_settings"))
    return connection


def parameters_of(run_ids: list[str], sections: Sections) -> dict[str, Any]:
    """The parameters of statements that take rows of runs."""
    return {"run_ids": run_ids, "batch": orjson.dumps(sections).decode()}


@dataclass(slots=True)
class Replayed:
    """The rows of some runs as they are stored, and the large values that they leave out: (run, hash, text)."""

    run_ids: list[str] = field(default_factory=list[str])
    sections: Sections = field(default_factory=Sections)
    values: list[tuple[str, str, bytes]] = field(default_factory=list[tuple[str, str, bytes]])

    def add(self, run_id: str, sections: Sections) -> None:
        """Add the rows of a run, split."""
        splitter = Splitter()
        for name, rows in sections.items():
            splitter.rows(name, rows)
        self.run_ids.append(run_id)
        self.values += [(run_id, *each) for each in splitter.values.items()]
        add_sections(self.sections, sections)

    @property
    def value_parameters(self) -> dict[str, Any]:
        return value_parameters(self.values)


async def replayed(connection: Connection, runs: RunRange) -> AsyncGenerator[Replayed]:
    """The rows of these runs, some runs at a time. Raises LogUnfoldable, psycopg.Error."""
    chunk = Replayed()
    imports = dict(
        await (await connection.execute(statement("imports/of_range"), runs.parameters)).fetchall()
    )
    async with aclosing(_logs(connection, runs)) as logs:
        async for run_id, commits in logs:
            try:
                sections = whole_rows(run_id, commits, imports)
            except Exception as error:  # such a log may lack anything: a node, a key, a plan
                raise LogUnfoldable(run_id, f"{type(error).__name__}: {error}") from error
            chunk.add(run_id, sections)
            if len(chunk.run_ids) == _RUNS_AT_ONCE:
                yield chunk
                chunk = Replayed()
    if chunk.run_ids:
        yield chunk


async def _logs(connection: Connection, runs: RunRange) -> AsyncGenerator[tuple[str, list[list[Event]]]]:
    """Each run's events by commit."""
    log: list[tuple[int, Event]] = []
    async with connection.cursor(name="whole_log") as cursor:
        await cursor.execute(statement("log/by_run"), runs.parameters)
        columns = column_names(cursor)
        event_of, xid = row_maker(Event, columns), columns.index(b"xid")
        while rows := await cursor.fetchmany(_EVENTS_AT_ONCE):
            result, lost = await whole(connection, Result(columns, rows))
            if lost:
                raise LogUnfoldable(lost[0].run_id, f"{lost[0]}; flexrun db verify names all")
            for row in result.rows:
                event = event_of(row)
                if log and log[-1][1].run_id != event.run_id:
                    yield log[-1][1].run_id, _commits(log)
                    log = []
                log.append((row[xid], event))
    if log:
        yield log[-1][1].run_id, _commits(log)


def _commits(log: list[tuple[int, Event]]) -> list[list[Event]]:
    return [[event for _, event in commit] for _, commit in groupby(log, key=lambda logged: logged[0])]
