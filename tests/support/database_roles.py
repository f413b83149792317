"""A database with the roles that `flexrun db roles` sets up."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.support import cli


@dataclass(frozen=True, slots=True)
class RoleUrls:
    """One database, as its owner, as flexrun's processes and as a reader; `said` is what the command printed."""

    owner: str
    app: str
    read: str
    roles: tuple[str, str]
    said: str


@asynccontextmanager
async def database_roles(owner_url: str, *arguments: str) -> AsyncGenerator[RoleUrls]:
    """Roles belong to the whole server: these have names of their own, which need quotes, and go with the test."""
    mark = uuid.uuid4().hex[:12]
    app, read = f"app-{mark}", f"read-{mark}"
    done = await cli.run(
        "db", "roles", "--database", owner_url, "--app", app, "--read", read, "--json", *arguments
    )
    assert done.status == 0, done.err
    try:
        yield RoleUrls(owner_url, _as(owner_url, app), _as(owner_url, read), (app, read), done.out)
    finally:
        async with await psycopg.AsyncConnection.connect(owner_url, autocommit=True) as connection:
            for name in (app, read):
                await connection.execute(sql.SQL("drop owned by {}").format(sql.Identifier(name)))
                await connection.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


def _as(url: str, role: str) -> str:
    parts = conninfo_to_dict(url)
    return f"postgresql://{role}@{parts['host']}:{parts['port']}/{parts['dbname']}"
