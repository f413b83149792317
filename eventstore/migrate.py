"""Migrations: numbered, forward only, one at a time across all processes, and never edited once they ran.

Processes of the release before go on while the database is migrated and after it, and may be started again, where each
migration allows it: one whose head says `-- compatible: 0031` can be worked with by releases that know migration 0031.
One that does not say so cannot, and older processes are stopped before it runs. `tests/e2e/test_upgrade.py` shows it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

import psycopg

from eventstore.connection import SCHEMA, Connection, connect, parse_url, search_path
from eventstore.errors import DatabaseUnsuitable, MigrationRefused
from eventstore.rights import grant_again
from eventstore.statements import statement

if TYPE_CHECKING:
    from eventstore.store import EventStore

_LOCK = 7_316_504_881
"""The key of the advisory lock under which migrations run; any number that no other lock has."""

_COMPATIBLE = re.compile(r"^-- compatible: (\d{4})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of `eventstore/migrations/`: `0001_event_log.sql` is number 1."""

    number: int
    name: str
    script: str

    @property
    def compatible(self) -> int:
        """The migration that a release must know to go on with the schema after this one."""
        said = _COMPATIBLE.search(self.script)
        return int(said[1]) if said else self.number

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
            await connection.execute(statement("migrations/add_compatible"))
            applied = [await _apply(connection, migration) for migration in await _missing(connection)]
            await grant_again(connection)
            return applied
        finally:
            if not connection.closed:
                await connection.execute("select pg_advisory_unlock(%s)", (_LOCK,))


@dataclass(frozen=True, slots=True)
class Outlook:
    """What `migrate` would do: the migrations that are missing here, those of them that older processes could not go on
    with, and the roles of the processes that are there.
    """

    missing: list[str]
    incompatible: list[str]
    present: list[str]


async def look_ahead(database_url: str) -> Outlook:
    """What is missing here, without a change. Raises what `migrate` does."""
    async with await connect(database_url, "migrate") as connection:
        if not await _is_migrated(connection):
            return Outlook([migration.name for migration in migrations()], [], [])
        missing = await _missing(connection)
        at = max(await _applied(connection), default=0)
        present = await (await connection.execute(statement("processes/roles_present"))).fetchall()
        return Outlook(
            [migration.name for migration in missing],
            [migration.name for migration in missing if at and migration.compatible > at],
            sorted(role for (role,) in present),
        )


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
    if unknown := set(applied) - {migration.number for migration in known}:
        await _require_compatible(connection, unknown, known[-1].number)
    for migration in known:
        if applied.get(migration.number, migration.checksum) != migration.checksum:
            raise MigrationRefused(
                f"{migration.name}.sql is not the file that ran in this database: never edit a migration, add one"
            )
    return [migration for migration in known if migration.number not in applied]


async def _require_compatible(connection: Connection, unknown: set[int], known: int) -> None:
    """Raise MigrationRefused where this release cannot go on with what a newer one has made of the schema."""
    try:
        cursor = await connection.execute(statement("migrations/needed"), {"numbers": sorted(unknown)})
        needed = (await cursor.fetchone() or (None,))[0] or max(unknown)
    except psycopg.errors.UndefinedColumn:
        needed = max(unknown)
    if needed > known:
        raise MigrationRefused(
            f"the database has migrations {sorted(unknown)} that this release does not know: it is older, and only"
            f" releases that know migration {needed} can go on with them"
        )


async def _applied(connection: Connection) -> dict[int, str]:
    cursor = await connection.execute(statement("migrations/applied"))
    return dict(await cursor.fetchall())


async def _apply(connection: Connection, migration: Migration) -> str:
    async with connection.transaction():
        await connection.execute(migration.script.encode(), prepare=False)
        await connection.execute(
            statement("migrations/record"),
            (migration.number, migration.name, migration.checksum, migration.compatible),
        )
    return migration.name
