"""Databases for tests: one template with the migrations in it, one quick copy of it for each test."""

from functools import cache
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
from psycopg import sql


def new_name(kind: str = "case") -> str:
    """A database name that no other test, session or machine uses."""
    return f"flexrun_{kind}_{uuid4().hex[:16]}"


def database_url(server_url: str, database: str) -> str:
    """The URL of another database on the same server."""
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{database}"))


def create_database(server_url: str, *, template: str | None = None, kind: str = "case") -> str:
    """Create a database and return its URL."""
    name = new_name(kind)
    # Copying files needs two checkpoints, cheap without fsync, and half the CPU of writing all to the log.
    statement = sql.SQL("create database {} template {} strategy file_copy").format(
        sql.Identifier(name), sql.Identifier(template or "template0")
    )
    _connection(server_url).execute(statement)
    return database_url(server_url, name)


def drop_database(server_url: str, url: str) -> None:
    """Drop a database, ending its connections."""
    name = urlsplit(url).path.lstrip("/")
    _connection(server_url).execute(
        sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
    )


@cache
def _connection(server_url: str) -> psycopg.Connection:
    """Kept, as opening one costs as much as the copy."""
    return psycopg.connect(server_url, autocommit=True)
