"""Migrations: numbered, forward only, one at a time across all processes, and never edited once they ran."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from eventstore.connection import SCHEMA, Connection, connect, parse_url, search_path
from eventstore.errors import DatabaseUnsuitable, MigrationRefused
from eventstore.rights import grant_again
from eventstore.statements import statement

if TYPE_CHECKING:
    from eventstore.store import EventStore

_LOCK = 7_316_504_881
"""The key of the advisory lock under which migrations run; any number that no other lock has."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of `eventstore/migrations/`: `0001_event_log.sql` is number 1."""

    number: int
    name: str
    script: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.script.encode()).hexdigest()


def migrations() -> list[Migration]:
    """All migrations of this release, in order. Raises MigrationRefused when two have one number."""
    found = sorted(
        (
            Migration(int(path.name[:4]), path.name.removesuffix(".sql"), path.read_text(encoding="utf-8"))
            for path in (files("eventstore") / "migrations").iterdir()
            if path.name.endswith(".sql")
        ),
        key=lambda migration: migration.number,
    )
    numbers = [migration.number for migration in found]
    if len(set(numbers)) != len(numbers):
        raise MigrationRefused(f"two migrations have the same number: {[m.name for m in found]}")
    return found


async def migrate(database_url: str) -> list[str]:
    """Bring the database up to this release; the names of what was applied, [] when it was up to date.

    Raises DatabaseUnsuitable when it cannot hold flexrun's log, MigrationRefused when it was migrated by a newer
    release or by files that have changed since, psycopg.Error when it cannot be reached or refuses a statement.
    """
    async with await connect(database_url, "migrate") as connection:
        _require_utf8(connection)
        if await _is_migrated(connection) and not await _missing(connection):
            return []  # without a lock and without the right to create anything
        await connection.execute(statement("database/maintenance_settings"))
        await connection.execute("select pg_advisory_lock(%s)", (_LOCK,))
        try:
            await _refuse_other_schema(connection, database_url)
            await connection.execute(statement("migrations/create_table"))
            applied = [await _apply(connection, migration) for migration in await _missing(connection)]
            await grant_again(connection)
            return applied
        finally:
            if not connection.closed:
                await connection.execute("select pg_advisory_unlock(%s)", (_LOCK,))


async def schema_version(database_url: str) -> int:
    """The number of the last migration that ran here; 0 for a database without flexrun."""
    async with await connect(database_url, "migrate") as connection:
        return max(await _applied(connection), default=0) if await _is_migrated(connection) else 0


async def applied_version(store: EventStore) -> int:
    """The number of the last migration that ran in this database."""
    return (await store.fetch("migrations/applied_version", {}))[0][0]


def _require_utf8(connection: Connection) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise DatabaseUnsuitable(
            f"the database {connection.info.dbname} has the encoding {encoding}, and texts from anywhere need UTF8; "
            f"create it anew: create database {connection.info.dbname} encoding 'UTF8' template template0"
        )


async def _is_migrated(connection: Connection) -> bool:
    cursor = await connection.execute("select to_regclass('flex_migrations') is not null")
    row = await cursor.fetchone()
    return row is not None and row[0]


async def _refuse_other_schema(connection: Connection, database_url: str) -> None:
    """Make no empty log beside one that a search path of the role or the database led to until now."""
    if search_path(parse_url(database_url)) or await _is_migrated(connection):
        return
    cursor = await connection.execute(statement("migrations/schemas"))
    if rows := await cursor.fetchall():
        schema = rows[0][0]
        raise MigrationRefused(
            f"flexrun's tables are in the schema {schema} of this database, and flexrun looks in {SCHEMA}; "
            f"add ?options=-csearch_path%3D{schema} to the database URL"
        )


async def _missing(connection: Connection) -> list[Migration]:
    applied = await _applied(connection)
    known = migrations()
    unknown = set(applied) - {migration.number for migration in known}
    if unknown:
        raise MigrationRefused(
            f"the database has migrations {sorted(unknown)} that this release does not know: it is older"
        )
    for migration in known:
        if applied.get(migration.number, migration.checksum) != migration.checksum:
            raise MigrationRefused(
                f"{migration.name}.sql is not the file that ran in this database: never edit a migration, add one"
            )
    return [migration for migration in known if migration.number not in applied]


async def _applied(connection: Connection) -> dict[int, str]:
    cursor = await connection.execute(statement("migrations/applied"))
    return dict(await cursor.fetchall())


async def _apply(connection: Connection, migration: Migration) -> str:
    async with connection.transaction():
        await connection.execute(migration.script.encode(), prepare=False)
        await connection.execute(
            statement("migrations/record"), (migration.number, migration.name, migration.checksum)
        )
    return migration.name
