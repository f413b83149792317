"""The rows that the log makes of whole runs, some runs at a time, in the order of their ids."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from eventstore.connection import Connection
from eventstore.errors import LogUnfoldable
from eventstore.projection import Sections
from eventstore.rows import Result, column_names, row_maker
from eventstore.sealing import is_sealed
from eventstore.statements import statement
from eventstore.stored_rows import Imports, keys_of, whole_rows_of
from eventstore.values import Splitter, value_parameters, whole
from eventstore.whole_runs import Log, RunRange, add_sections
from runs.event import Event

_RUNS_AT_ONCE = 100
_EVENTS_AT_ONCE = 2000


@dataclass(slots=True)
class Replayed:
    """The rows of some runs as they are stored, and the large values that they leave out: (run, hash, text)."""

    run_ids: list[str] = field(default_factory=list[str])
    sections: Sections = field(default_factory=Sections)
    values: list[tuple[str, str, bytes]] = field(default_factory=list[tuple[str, str, bytes]])

    def add(self, run_id: str, sections: Sections, sealed: bool) -> None:
        """Add the rows of a run, split; those of one that can be erased stay whole."""
        splitter = Splitter()
        for name, rows in sections.items():
            if not sealed:
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
    imports: Imports = dict(
        await (await connection.execute(statement("imports/of_range"), runs.parameters)).fetchall()
    )
    async with aclosing(_logs(connection, runs)) as logs:
        async for run_id, commits in logs:
            keys = await keys_of(connection, {run_id: commits})
            try:
                sections = whole_rows_of(run_id, commits, keys, imports)
            except Exception as error:  # such a log may lack anything: a node, a key, a plan
                raise LogUnfoldable(run_id, f"{type(error).__name__}: {error}") from error
            chunk.add(run_id, sections, is_sealed(commits[0][0]))
            if len(chunk.run_ids) == _RUNS_AT_ONCE:
                yield chunk
                chunk = Replayed()
    if chunk.run_ids:
        yield chunk


async def _logs(connection: Connection, runs: RunRange) -> AsyncGenerator[tuple[str, Log]]:
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


def _commits(log: list[tuple[int, Event]]) -> Log:
    return [[event for _, event in commit] for _, commit in groupby(log, key=lambda logged: logged[0])]
