"""Where the rows of whole runs differ from what their logs say."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from eventstore.connection import BlockingConnection
from eventstore.projection import Sections
from eventstore.read_runs import read_logs
from eventstore.rows import Result, column_names
from eventstore.same_rows import runs_that_differ
from eventstore.statements import statement
from eventstore.stored_rows import Imports, Keys, final_rows_of, keys_in, whole_rows_of
from eventstore.values import LostValue
from eventstore.whole_runs import Log, RunRange, add_sections, parameters_of
from runs.event import Json

_RUNS_AT_ONCE = 500
_EVENTS_AT_ONCE = 4_000

Look = Callable[[str, Log], None]
"""Is shown a run's id and its events by commit."""


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


def differences(
    connection: BlockingConnection,
    runs: RunRange,
    look: Look | None = None,
    lost: list[LostValue] | None = None,
) -> list[Difference]:
    """Where the rows of these runs differ from what their logs say. Raises psycopg.Error.

    `look` is shown the log of each run; `lost` gets the large values of its events that are missing or changed.
    """
    found: list[Difference] = []
    lost = [] if lost is None else lost
    logs: dict[str, Log] = {}
    events, after = 0, runs.after
    imports = _imports(connection, runs)
    with closing(read_logs(connection, runs, lost)) as whole:
        for run_id, commits in whole:
            if look is not None:
                look(run_id, commits)
            logs[run_id] = commits
            events += sum(map(len, commits))
            if len(logs) >= _RUNS_AT_ONCE or events >= _EVENTS_AT_ONCE:
                found += _differing(connection, logs, RunRange(after, run_id), imports)
                logs, events, after = {}, 0, run_id
    return found + _differing(connection, logs, RunRange(after, runs.until), imports)


def _imports(connection: BlockingConnection, runs: RunRange) -> Imports:
    return dict(connection.execute(statement("imports/of_range"), runs.parameters).fetchall())


def _differing(
    connection: BlockingConnection, logs: dict[str, Log], runs: RunRange, imports: Imports
) -> list[Difference]:
    """A quick look at the rows of a range, of which these are all logs, and a close one where that is not enough."""
    sections: Sections = {}
    closer: set[str] = set()
    keys = keys_in(connection, logs)
    for run_id, commits in logs.items():
        try:
            add_sections(sections, final_rows_of(run_id, commits, keys, imports))
        except Exception:  # noqa: BLE001 - such a log may lack anything; the closer look says what
            closer.add(run_id)
    closer |= runs_that_differ(connection, runs, sections)
    without_log = closer - logs.keys()
    found = _without_log(connection, runs, without_log) if without_log else []
    closer_logs = {run_id: logs[run_id] for run_id in sorted(closer & logs.keys())}
    return found + _close_look(connection, closer_logs, keys, imports)


def _without_log(connection: BlockingConnection, runs: RunRange, run_ids: set[str]) -> list[Difference]:
    rows = _read(connection, "rebuild/compare_orphans", runs.parameters)
    return [row for row in rows if row.run_id in run_ids]


def _close_look(
    connection: BlockingConnection, logs: dict[str, Log], keys: Keys, imports: Imports
) -> list[Difference]:
    found: list[Difference] = []
    rows: Sections = {}
    compared: list[str] = []
    for run_id, commits in logs.items():
        try:
            add_sections(rows, whole_rows_of(run_id, commits, keys, imports))
            compared.append(run_id)
        except Exception as error:  # noqa: BLE001 - such a log may lack anything: a node, a key, a plan
            reason = f"{type(error).__name__}: {error}"
            found.append(Difference("flex_events", run_id, "", None, None, reason))
    if compared:
        found += _read(connection, "rebuild/compare_rows", parameters_of(compared, rows))
    return found


def _read(connection: BlockingConnection, name: str, parameters: dict[str, Any]) -> list[Difference]:
    cursor = connection.execute(statement(name), parameters)
    return Result(column_names(cursor), cursor.fetchall()).read(Difference)
