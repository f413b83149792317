"""The statements that the twin knows, each a function over the tables under the name of its file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import psycopg

from eventstore.statements import statement as text_of
from simulation.database.tables import Tables

Parameters = Mapping[str, Any]
Rows = list[tuple[Any, ...]]
Answer = Callable[[Tables, Parameters], Rows]

KNOWN: dict[str, tuple[tuple[bytes, ...], Answer]] = {}
"""Name of a statement → the names of its columns, and what answers it."""


def answers(name: str, *columns: str) -> Callable[[Answer], Answer]:
    """Have the decorated function answer the statement `name`, whose result has these columns."""

    def add(function: Answer) -> Answer:
        KNOWN[name] = tuple(column.encode() for column in columns), function
        return function

    return add


def run(tables: Tables, name: str, parameters: Parameters) -> tuple[tuple[bytes, ...], Rows]:
    """The columns and rows of a statement. Raises psycopg.Error, Locked."""
    columns, function = KNOWN[name]
    return columns, function(tables, parameters)


@cache
def names_by_text() -> dict[bytes, str]:
    """The text of each known statement → its name."""
    return {text_of(name): name for name in KNOWN} | {
        text_of("log/append"): "log/append",
        text_of("log/append_values"): "log/append_values",
        text_of("processes/listen"): "processes/listen",
        text_of("processes/try_keeper_lock"): "processes/try_keeper_lock",
    }


def name_of(text: bytes | str) -> str | None:
    """The name of a statement by its text; None for a session's `set`, which changes nothing here.

    Raises psycopg.NotSupportedError for a statement that the twin does not know.
    """
    encoded = text.encode() if isinstance(text, str) else text
    name = names_by_text().get(encoded)
    if name is None and not encoded.startswith(b"set "):
        raise psycopg.NotSupportedError(f"the twin does not know this statement: {encoded[:80]!r}")
    return name
