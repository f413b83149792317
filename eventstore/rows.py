"""Rows read by name: the columns of a statement and the fields of a row class need not be in the same order.

A column that the class has no field for is ignored; a field with a default needs no column.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from functools import cache
from operator import itemgetter
from typing import Any, TypeVar

import psycopg

from eventstore.errors import DatabaseUnsuitable

T = TypeVar("T")

Rows = list[tuple[Any, ...]]

Columns = tuple[bytes, ...]
"""The names of the columns of a statement, in its order."""


@dataclass(frozen=True, slots=True)
class Result:
    """The rows of a statement and the names of their columns."""

    columns: Columns
    rows: Rows

    def read(self, row_class: type[T]) -> list[T]:
        """Each row as a `row_class`, which is a dataclass. Raises DatabaseUnsuitable where a field has no column."""
        return list(map(row_maker(row_class, self.columns), self.rows))


def column_names(cursor: psycopg.AsyncCursor[Any] | psycopg.Cursor[Any]) -> Columns:
    """The names of the columns of a cursor's result; () for a statement that returns no rows."""
    result = cursor.pgresult
    if result is None:
        return ()
    return tuple([result.fname(index) or b"" for index in range(result.nfields)])


@cache
def row_maker(row_class: type[T], columns: Columns) -> Callable[[tuple[Any, ...]], T]:
    """A function that makes a `row_class` from the values of these columns."""
    places = {name.decode(): place for place, name in enumerate(columns)}
    wanted = fields(row_class)  # type: ignore[arg-type]
    missing = [field.name for field in wanted if field.name not in places and field.default is MISSING]
    if missing:
        raise DatabaseUnsuitable(
            f"the database gives no {', '.join(missing)} for a {row_class.__name__}: run flexrun db migrate"
        )
    named = [field.name for field in wanted if field.name in places]
    order = [places[name] for name in named]
    first_ones = named == [field.name for field in wanted[: len(named)]]
    if first_ones and order == list(range(len(columns))):
        return lambda values: row_class(*values)
    if first_ones and len(order) > 1:
        pick = itemgetter(*order)
        return lambda values: row_class(*pick(values))
    return lambda values: row_class(**{name: values[places[name]] for name in named})
