"""The database server: whether it answers, what it is, how it is set."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import psycopg

from eventstore.connection import Connection, connect
from eventstore.errors import brief
from eventstore.migrate import migrations
from eventstore.statements import statement
from flexrun.doctor.findings import Finding, ok, problem, warning

OLDEST_VERSION = 14
_WRONG_CLOCK_SECONDS = 5.0
_MANY = 0.8
"""A part of a limit from which on it is worth a warning."""


@dataclass(frozen=True, slots=True)
class Server:
    """The answer of `doctor/server`, and our clock less the server's."""

    facts: dict[str, Any]
    ahead_seconds: float


async def rows(connection: Connection, name: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a statement by the names of their columns."""
    cursor = await connection.execute(statement(name), parameters)
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]


async def open_server(database_url: str) -> tuple[Connection, Server]:
    """Connect and ask. Raises psycopg.Error, DatabaseUnsuitable."""
    connection = await connect(database_url, "doctor")
    before = time.time()
    (facts,) = await rows(connection, "doctor/server", {})
    return connection, Server(facts, (before + time.time()) / 2 - facts["now"])


def look_at_server(server: Server) -> list[Finding]:
    """Version, encoding, durability, permission, this machine's clock, connections."""
    facts = server.facts
    return [
        _version(facts),
        _encoding(facts),
        _durability(facts),
        _permission(facts),
        _clock(server.ahead_seconds),
        _connections(facts),
        ok("disk", "database size", f"{facts['size_bytes'] / 1e6:,.0f} MB"),
    ]


async def look_at_schema(connection: Connection, server: Server) -> list[Finding]:
    """Whether the migrations of this version have run."""
    needed = migrations()[-1].number
    if not server.facts["has_tables"]:
        return [
            problem("database", "migrations", "there are no tables of flexrun", "run: flexrun db migrate")
        ]
    found = (await rows(connection, "migrations/applied_version", {}))[0]["coalesce"]
    if found == needed:
        return [ok("database", "migrations", f"version {found}, as this program needs it")]
    if found < needed:
        seen = f"version {found}; this program needs {needed}"
        return [problem("database", "migrations", seen, "run: flexrun db migrate")]
    seen = f"version {found}; this program knows {needed}"
    compatible = (await rows(connection, "migrations/needed", {"numbers": [*range(needed + 1, found + 1)]}))[
        0
    ]["max"]
    if compatible is not None and compatible <= needed:
        return [ok("database", "migrations", f"{seen} and can go on with it")]
    return [
        problem("database", "migrations", seen, "use the version of flexrun that migrated it, or a newer one")
    ]


async def look_for_room(connection: Connection) -> Finding:
    """Whether the server can still write: what a gateway's readiness tries, which needs bytes on its disks."""
    try:
        async with connection.transaction():
            await connection.execute(statement("doctor/soon"), prepare=False)
            await connection.execute(statement("database/probe"), prepare=False)
    except psycopg.errors.DiskFull as full:
        advice = (
            "make room on the server's disk (never in pg_wal by hand), or enlarge it; processes go on by themselves"
            " then. Nothing that was acknowledged is lost; old runs: flexrun db prune, once it can write again"
        )
        return problem("disk", "room to write", f"the disk of the database is full: {brief(full)}", advice)
    except (psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.InsufficientPrivilege) as refused:
        advice = "name the primary, and an account that may write"
        return problem("disk", "room to write", f"nothing can be written: {brief(refused)}", advice)
    except psycopg.errors.LockNotAvailable:
        return warning(
            "disk", "room to write", "not tried: another session has a lock", "see who under locks"
        )
    except psycopg.errors.QueryCanceled:
        advice = "look at its disk, and at a standby that it waits for"
        return problem("disk", "room to write", "a row was not written within seconds", advice)
    return ok("disk", "room to write", "a row was written")


def _version(facts: dict[str, Any]) -> Finding:
    seen = f"Postgres {facts['version']}"
    if facts["is_standby"]:
        return problem("database", "server", f"{seen}, a standby", "name the primary in FLEXRUN_DATABASE_URL")
    if facts["version_number"] < OLDEST_VERSION * 10_000:
        return problem("database", "server", seen, f"flexrun needs Postgres {OLDEST_VERSION} or newer")
    return ok("database", "server", seen)


def _encoding(facts: dict[str, Any]) -> Finding:
    if facts["encoding"] == "UTF8":
        return ok("database", "encoding", "UTF8")
    advice = "make a database with: create database … encoding 'UTF8' template template0"
    return problem("database", "encoding", facts["encoding"], advice)


def _durability(facts: dict[str, Any]) -> Finding:
    off = [name for name in ("fsync", "full_page_writes") if facts[name] == "off"]
    if off:
        seen = f"{' and '.join(off)} off"
        return problem(
            "database", "durability", seen, "turn it on: a crash of the machine can destroy the log"
        )
    if facts["synchronous_commit"] in ("off", "local"):
        seen = f"synchronous_commit is {facts['synchronous_commit']}"
        return warning(
            "database", "durability", seen, "set it to on: the last commits may be lost in a crash"
        )
    seen = f"fsync on, synchronous_commit {facts['synchronous_commit']}"
    return ok("database", "durability", seen)


def _permission(facts: dict[str, Any]) -> Finding:
    if not facts["has_tables"] or facts["may_write"]:
        return ok(
            "database", "permission", "this account may write" if facts["has_tables"] else "no tables yet"
        )
    advice = "grant it insert, update and delete on all tables of flexrun, or use their owner"
    return problem("database", "permission", "this account may not write into flexrun's tables", advice)


def _clock(ahead_seconds: float) -> Finding:
    said = f"this machine is {abs(ahead_seconds):.1f} s {'ahead of' if ahead_seconds > 0 else 'behind'} the database"
    if abs(ahead_seconds) < _WRONG_CLOCK_SECONDS:
        return ok("clocks", "this machine", said)
    advice = "synchronize both (NTP); flexrun goes by the database's clock, logs and tokens by this one's"
    return warning("clocks", "this machine", said, advice)


def _connections(facts: dict[str, Any]) -> Finding:
    used, most = facts["connections"], facts["max_connections"]
    seen = f"{used} of {most} connections"
    if used < most * _MANY:
        return ok("limits", "connections", seen)
    return warning(
        "limits",
        "connections",
        seen,
        "raise max_connections, or put a pooler in between, or run fewer processes",
    )
