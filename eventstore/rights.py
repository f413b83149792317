"""The database's roles: the owner migrates, one role serves and may not touch what the log has, one only reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg
from psycopg import sql

from eventstore.connection import Connection, connect
from eventstore.errors import DatabaseUnsuitable
from eventstore.pause import DoublingPause
from eventstore.statements import statement

APP_ROLE = "flexrun_app"
READ_ROLE = "flexrun_read"

_MEANWHILE = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.DuplicateObject,
    psycopg.errors.UniqueViolation,
    psycopg.errors.InternalError_,  # "tuple concurrently updated"
)
"""Somebody else does the same; roles belong to the server, so it may be for another database."""

_TRIES = 8
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Roles:
    """The names of the role that flexrun's processes run as, and of the one that only reads."""

    app: str = APP_ROLE
    read: str = READ_ROLE


async def set_up_roles(database_url: str, roles: Roles, passwords: Mapping[str, str]) -> list[str]:
    """Create what is missing of the roles and grant each what it needs, and no more; the names of those created.

    `database_url` is the owner's. `passwords` by role; a role without one keeps what it has. It can be called again.
    Raises DatabaseUnsuitable where a role could do more than it is granted, psycopg.Error.
    """
    pause = DoublingPause(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
    for _ in range(_TRIES - 1):
        try:
            return await _set_up(database_url, roles, passwords)
        except _MEANWHILE:
            await pause.wait()
    return await _set_up(database_url, roles, passwords)


async def _set_up(database_url: str, roles: Roles, passwords: Mapping[str, str]) -> list[str]:
    async with await connect(database_url, "roles") as connection, connection.transaction():
        await connection.execute(statement("database/maintenance_settings"))
        created = await _create_missing(connection, roles)
        await _refuse_unfit(connection, roles)
        for role, password in passwords.items():
            await _set_password(connection, role, password)
        await _grant(connection, roles)
        return created


async def roles_missing(database_url: str, roles: Roles) -> bool:
    """Whether one of the roles has no rights here yet. Raises psycopg.Error."""
    async with await connect(database_url, "roles") as connection:
        found = await (await connection.execute(statement("rights/granted"))).fetchall()
    return not {roles.app, roles.read} <= {name for name, _ in found}


async def grant_again(connection: Connection) -> None:
    """After a migration: the roles that were set up before get their rights to what is new. Raises psycopg.Error."""
    async with connection.transaction():
        found = await (await connection.execute(statement("rights/granted"))).fetchall()
        apps = [name for name, appends in found if appends]
        readers = [name for name, appends in found if not appends]
        for app, reader in zip(apps, readers, strict=False):
            await _grant(connection, Roles(app, reader))


async def _create_missing(connection: Connection, roles: Roles) -> list[str]:
    missing: list[str] = []
    for name in (roles.app, roles.read):
        found = await connection.execute("select from pg_roles where rolname = %s", [name])
        if found.rowcount == 0:
            await connection.execute(sql.SQL("create role {} login").format(sql.Identifier(name)))
            missing.append(name)
    return missing


async def _refuse_unfit(connection: Connection, roles: Roles) -> None:
    found = await connection.execute(statement("rights/roles"), {"names": [roles.app, roles.read]})
    for name, unfit in await found.fetchall():
        if unfit is not None:
            raise DatabaseUnsuitable(
                f"the role {name} could do more with the log than it is granted: {unfit}; name another one"
            )


async def _set_password(connection: Connection, role: str, password: str) -> None:
    """Sent as its SCRAM verifier, so that no log of the server has the password."""
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    await connection.execute(
        sql.SQL("alter role {} password {}").format(sql.Identifier(role), sql.Literal(verifier.decode()))
    )


async def _grant(connection: Connection, roles: Roles) -> None:
    await connection.execute(
        "select set_config('flexrun.app_role', %s, true), set_config('flexrun.read_role', %s, true)",
        [roles.app, roles.read],
    )
    await connection.execute(statement("rights/grant"), prepare=False)
