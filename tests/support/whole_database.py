"""Looks for a text in all that a database holds: every column of every table, and what is sealed in the log."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection, sql


async def places_with(database: AsyncConnection[Any], text: str) -> list[str]:
    """The tables that have a row with `text` in any column, also where the column holds bytes."""
    found: list[str] = []
    for name in await tables(database):
        query = sql.SQL(
            "select count(*) from {table} t where position({text} in t::text) > 0"
            " or position(encode(convert_to({text}, 'UTF8'), 'hex') in t::text) > 0"
        ).format(table=sql.Identifier(name), text=sql.Literal(text))
        row = await (await database.execute(query)).fetchone()
        if row is not None and row[0]:
            found.append(name)
    return found


async def tables(database: AsyncConnection[Any]) -> list[str]:
    """The names of all tables of the schema."""
    cursor = await database.execute(
        "select relname from pg_class where relkind = 'r' and relnamespace = current_schema()::regnamespace order by 1"
    )
    return [row[0] for row in await cursor.fetchall()]
