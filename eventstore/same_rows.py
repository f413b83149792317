"""Which runs have rows that are not, byte for byte, what their logs say: a first look, which names no columns.

It is quick, and may only err to one side: a run that it does not name has the rows that it should have. Values are
compared as the JSON that they are written as, so 1 and 1.0 count as different here, and 1 and true do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from eventstore.connection import Connection
from eventstore.projection import Sections
from eventstore.rows import column_names
from eventstore.statements import statement
from runs.event import JsonObject

Key = Callable[[Mapping[str, Any]], str]

_TABLES: tuple[tuple[str, str, Key], ...] = (
    ("verify/kept_runs", "starts", lambda row: row["run_id"]),
    ("verify/kept_nodes", "planned", lambda row: f"{row['run_id']} {row['node_id']}"),
    ("verify/kept_requests", "requests", lambda row: f"{row['run_id']} {row['id']}"),
    ("verify/kept_work", "work", lambda row: f"{row['run_id']} {row['kind']} {row['ref']}"),
)
"""The statement that reads a table, the section with its rows, and the key of a row."""


async def runs_that_differ(connection: Connection, run_ids: list[str], sections: Sections) -> set[str]:
    """Those of `run_ids` whose rows may differ from `sections`. Raises psycopg.Error."""
    differ: set[str] = set()
    for name, section, key in _TABLES:
        expected = {key(row): row for row in sections.get(section, ())}
        cursor = await connection.execute(statement(name), {"run_ids": run_ids})
        columns = [column.decode() for column in column_names(cursor)]
        for values in await cursor.fetchall():
            kept = dict(zip(columns, values, strict=True))
            row = expected.pop(key(kept), None)
            if row is None or not _same(kept, row):
                differ.add(kept["run_id"])
        differ |= {row["run_id"] for row in expected.values()}
    return differ


def _same(kept: dict[str, Any], row: JsonObject) -> bool:
    wanted = {column: row.get(column) for column in kept}
    if row.get("at_once"):  # it may have been put down as due a little earlier than its event says, see 0009
        wanted["due_at"] = min(wanted["due_at"], kept["due_at"])
    return _text(kept) == _text(wanted)


def _text(row: dict[str, Any]) -> bytes:
    return orjson.dumps(row, option=orjson.OPT_SORT_KEYS)
