"""Migrations: numbered, forward only, one at a time across all processes, and never edited once they ran."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files

import psycopg

from eventstore.connection import Connection, connect_options
from eventstore.errors import MigrationRefused
from eventstore.statements import statement

_LOCK = 7_316_504_881
"""The key of the advisory lock under which migrations run; any number that nobody else uses."""


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

    Raises MigrationRefused when the database was migrated by a newer release or by files that have changed since, and
    psycopg.OperationalError when it cannot be reached.
    """
    async with await psycopg.AsyncConnection.connect(
        database_url, autocommit=True, **connect_options("migrate")
    ) as connection:
        await connection.execute("select pg_advisory_lock(%s)", (_LOCK,))
        try:
            await connection.execute(statement("create_migrations_table"))
            return [await _apply(connection, migration) for migration in await _missing(connection)]
        finally:
            await connection.execute("select pg_advisory_unlock(%s)", (_LOCK,))


async def schema_version(database_url: str) -> int:
    """The number of the last migration that ran here; 0 for a database without flexrun."""
    async with await psycopg.AsyncConnection.connect(
        database_url, autocommit=True, **connect_options("migrate")
    ) as connection:
        cursor = await connection.execute("select to_regclass('flex_migrations') is not null")
        row = await cursor.fetchone()
        return max(await _applied(connection), default=0) if row and row[0] else 0


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
    cursor = await connection.execute(statement("applied_migrations"))
    return dict(await cursor.fetchall())


async def _apply(connection: Connection, migration: Migration) -> str:
    async with connection.transaction():
        await connection.execute(migration.script.encode())
        await connection.execute(
            statement("record_migration"), (migration.number, migration.name, migration.checksum)
        )
    return migration.name
