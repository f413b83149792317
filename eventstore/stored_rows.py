"""The rows of whole runs from their logs as they are stored: plain, sealed, or erased."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from eventstore.connection import BlockingConnection, Connection
from eventstore.errors import LogUnfoldable
from eventstore.imported_rows import whole_rows
from eventstore.projection import Sections, erased_rows, final_rows
from eventstore.rows import Result, column_names
from eventstore.sealing import RunKey, is_sealed, open_event
from eventstore.statements import statement
from eventstore.whole_runs import Log

Keys = Mapping[str, RunKey]
"""Run id → key as the database has it, of the runs that have one."""

Imports = Mapping[str, datetime]
"""Run id → when it was imported, of the runs that were."""

_STATEMENT = "erasure/keys"
_NONE: Keys = {}


def sealed_runs(logs: Mapping[str, Log]) -> list[str]:
    """Those of these runs that are sealed."""
    return [run_id for run_id, commits in logs.items() if is_sealed(commits[0][0])]


async def keys_of(connection: Connection, logs: Mapping[str, Log]) -> Keys:
    """The keys of those of these runs that are sealed. Raises psycopg.Error."""
    run_ids = sealed_runs(logs)
    if not run_ids:
        return _NONE
    cursor = await connection.execute(statement(_STATEMENT), {"run_ids": run_ids})
    return _by_run(Result(column_names(cursor), await cursor.fetchall()))


def keys_in(connection: BlockingConnection, logs: Mapping[str, Log]) -> Keys:
    """`keys_of`, waiting in its thread. Raises psycopg.Error."""
    run_ids = sealed_runs(logs)
    if not run_ids:
        return _NONE
    cursor = connection.execute(statement(_STATEMENT), {"run_ids": run_ids})
    return _by_run(Result(column_names(cursor), cursor.fetchall()))


def final_rows_of(run_id: str, log: Log, keys: Keys, imports: Imports) -> Sections:
    """`projection.final_rows` of a stored log where that is enough. Raises whatever a log may lack."""
    known = keys.get(run_id)
    if run_id in imports or (known is not None and known.key is None):
        return whole_rows_of(run_id, log, keys, imports)
    return final_rows(run_id, [event for commit in _opened(log, known) for event in commit])


def whole_rows_of(run_id: str, log: Log, keys: Keys, imports: Imports) -> Sections:
    """`imported_rows.whole_rows` of a stored log. Raises whatever a log may lack."""
    known = keys.get(run_id)
    if known is not None and known.key is None:
        events = [event for commit in log for event in commit]
        return erased_rows(events, known.erased_at, imports.get(run_id))
    return whole_rows(run_id, _opened(log, known), imports)


def _opened(log: Log, known: RunKey | None) -> Log:
    if known is None:
        if is_sealed(log[0][0]):
            raise LogUnfoldable(log[0][0].run_id, "it is sealed, and the database has no key of it")
        return log
    known = known.unwrapped()
    return [[open_event(event, known) if is_sealed(event) else event for event in commit] for commit in log]


def _by_run(found: Result) -> Keys:
    return {row.run_id: row for row in found.read(RunKey)}
