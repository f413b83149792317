"""Rows are read by the names of their columns, in any order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from psycopg import AsyncConnection

from eventstore.errors import DatabaseUnsuitable
from eventstore.queries.run_list import RunFilters, list_runs
from eventstore.rows import Result
from eventstore.store import EventStore
from tests.eventstore.conftest import StartRun


@dataclass(frozen=True)
class Point:
    x: int
    y: int
    name: str = "unnamed"


@pytest.mark.parametrize(
    ("columns", "values", "point"),
    [
        ("x y name", (1, 2, "a"), Point(1, 2, "a")),
        ("name y x", ("a", 2, 1), Point(1, 2, "a")),
        ("x colour y name size", (1, "red", 2, "a", 9), Point(1, 2, "a")),
        ("y x", (2, 1), Point(1, 2)),
        ("x y", (1, 2), Point(1, 2)),
    ],
)
def test_the_order_of_columns_does_not_matter(columns: str, values: Sequence[object], point: Point) -> None:
    result = Result(tuple(columns.encode().split()), [tuple(values)])
    assert result.read(Point) == [point]


def test_a_default_in_the_middle_moves_no_other_field() -> None:
    @dataclass(frozen=True)
    class Middle:
        x: int
        y: int = 7
        z: int = 8

    assert Result((b"z", b"x"), [(3, 1)]).read(Middle) == [Middle(1, 7, 3)]


def test_a_field_without_a_column_is_named() -> None:
    with pytest.raises(DatabaseUnsuitable, match="gives no y for a Point: run flexrun db migrate"):
        Result((b"x", b"name"), []).read(Point)


async def test_a_column_more_in_a_view_disturbs_no_process_that_runs(
    store: EventStore, database: AsyncConnection[Any], start_run: StartRun
) -> None:
    run_id = (await start_run()).run_id
    before = (await list_runs(store, RunFilters())).runs
    assert [row.run_id for row in before] == [run_id]
    async with database.transaction():
        definition = await (
            await database.execute("select pg_get_viewdef('flex_run_rows'::regclass)")
        ).fetchone()
        assert definition is not None
        wider = definition[0].replace("deadline_at\n", "deadline_at, 1 as one_more\n")
        await database.execute(f"create or replace view flex_run_rows as {wider}".encode())
    assert (await list_runs(store, RunFilters())).runs == before
