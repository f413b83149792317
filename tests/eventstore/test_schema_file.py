"""`eventstore/schema.sql` says what the migrations make: both are run, and the catalogs of the databases compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg

import eventstore
from flexrun.schema_file import tidied

SCHEMA_FILE = Path(eventstore.__file__).parent / "schema.sql"

RELATIONS = """
select c.relname, c.relkind::text, c.reloptions, obj_description(c.oid, 'pg_class')
from pg_class c where c.relnamespace = 'public'::regnamespace
"""
COLUMNS = """
select c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity::text,
       a.attstorage::text, pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)
from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
where c.relnamespace = 'public'::regnamespace
"""
CONSTRAINTS = """
select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint
where connamespace = 'public'::regnamespace
"""
INDEXES = "select indexname, indexdef from pg_indexes where schemaname = 'public'"
VIEWS = "select viewname, definition from pg_views where schemaname = 'public'"
FUNCTIONS = """
select proname, pg_get_functiondef(oid) from pg_proc where pronamespace = 'public'::regnamespace
"""
TRIGGERS = "select tgname, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal"
CATALOG = (RELATIONS, COLUMNS, CONSTRAINTS, INDEXES, VIEWS, FUNCTIONS, TRIGGERS)


async def catalog(database_url: str) -> list[set[str]]:
    """What the schema `public` consists of, one set of descriptions for each query of CATALOG."""
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        return [await described(connection, query) for query in CATALOG]


async def described(connection: psycopg.AsyncConnection[Any], query: str) -> set[str]:
    rows = await (await connection.execute(query.encode())).fetchall()
    return {repr(row) for row in rows}


async def test_the_migrations_make_the_schema_of_the_file(database_url: str, empty_database_url: str) -> None:
    async with await psycopg.AsyncConnection.connect(empty_database_url) as connection:
        await connection.execute(SCHEMA_FILE.read_bytes())
    of_migrations, of_file = await catalog(database_url), await catalog(empty_database_url)
    assert all(of_migrations), "a query of the catalog finds nothing"
    differences = [made ^ said for made, said in zip(of_migrations, of_file, strict=True)]
    assert not any(differences), f"make schema writes the file again: {differences}"


def test_the_file_is_written_without_what_differs_from_dump_to_dump() -> None:
    dump = "\\restrict x7\n-- t\nSET a = b;\nSET check_function_bodies = false;\n\n\n\nCREATE TABLE public.t ();\n"
    assert tidied(dump) == "SET check_function_bodies = false;\n\nCREATE TABLE t ();\n"
