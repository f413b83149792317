"""Which runs have rows that are not, byte for byte, what their logs say: a first look, which names no columns.

It is quick, and may only err to one side: a run that it does not name has the rows that it should have. Values are
compared as the JSON that they are written as, so 1 and 1.0 count as different here, and 1 and true do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

import orjson

from eventstore.connection import BlockingConnection
from eventstore.projection import Sections
from eventstore.rows import Result, Rows, column_names
from eventstore.statements import statement
from eventstore.values import APART, whole_blocking
from eventstore.whole_runs import RunRange
from runs.event import JsonObject

_TABLES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("verify/kept_runs", "starts", ("run_id",)),
    ("verify/kept_nodes", "planned", ("run_id", "node_id")),
    ("verify/kept_requests", "requests", ("run_id", "id")),
    ("verify/kept_work", "work", ("run_id", "kind", "ref")),
)
"""The statement that reads a table, the section with its rows, and the columns that are the key of a row."""


def runs_that_differ(connection: BlockingConnection, runs: RunRange, sections: Sections) -> set[str]:
    """Those of a range of runs whose rows may differ from `sections`, which has the rows of all runs of the range.

    Raises psycopg.Error.
    """
    differ: set[str] = set()
    for name, section, key in _TABLES:
        cursor = connection.execute(statement(name), runs.parameters)
        kept, _ = whole_blocking(connection, Result(column_names(cursor), cursor.fetchall()))
        columns = [column.decode() for column in kept.columns]
        differ |= _differ(columns, kept.rows, sections.get(section, ()), key)
    return differ


def _differ(columns: list[str], kept: Rows, rows: Sequence[JsonObject], key: tuple[str, ...]) -> set[str]:
    """The runs with a row that is not among `rows`, is another one, or is not among those kept."""
    run = columns.index("run_id")
    key_of, key_kept = _picker(key), _picker(tuple(map(columns.index, key)))
    expected = {key_of(row): row for row in rows}
    differ: set[str] = set()
    pairs: list[tuple[tuple[Any, ...], list[Any]]] = []
    for values in kept:
        row = expected.pop(key_kept(values), None)
        if row is None:
            differ.add(values[run])
        else:
            pairs.append((values, _wanted(columns, values, row)))
    differ |= {row["run_id"] for row in expected.values()}
    if _text([values for values, _ in pairs]) != _text([wanted for _, wanted in pairs]):
        differ |= {values[run] for values, wanted in pairs if _text(values) != _text(wanted)}
    return differ


def _picker(places: tuple[Any, ...]) -> Callable[[Any], object]:
    return itemgetter(*places)


def _wanted(columns: list[str], kept: tuple[Any, ...], row: Mapping[str, Any]) -> list[Any]:
    wanted = [row.get(column) for column in columns]
    if APART in columns:  # the documents are compared whole
        place = columns.index(APART)
        wanted[place] = kept[place]
    if row.get("at_once"):  # it may have been put down as due a little earlier than its event says, see 0009
        place = columns.index("due_at")
        wanted[place] = min(row["due_at"], kept[place])
    return wanted


def _text(rows: Sequence[Any]) -> bytes:
    return orjson.dumps(rows, option=orjson.OPT_SORT_KEYS)
