"""What a role or a database sets for itself changes nothing, and a server that takes no writes is left."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg import AsyncConnection, sql

from eventstore.connection import connect, named
from eventstore.errors import DatabaseUnsuitable, MigrationRefused, StoreUnavailable
from eventstore.handler import RunHandler
from eventstore.migrate import migrate, migrations
from eventstore.rebuild import compare
from eventstore.store import EventStore
from tests.eventstore.appends import first_event
from tests.support import databases
from tests.support.processes import ROOT
from tests.support.started_runs import new_run_id, started_run

SURPRISES = {
    "datestyle": "SQL, DMY",
    "timezone": "America/New_York",
    "intervalstyle": "iso_8601",
    "search_path": "pg_temp",
    "client_encoding": "LATIN1",
    "default_transaction_isolation": "serializable",
    "standard_conforming_strings": "off",
}


def _parts(url: str) -> tuple[str, sql.Identifier]:
    database = urlsplit(url).path.lstrip("/")
    return database, sql.Identifier(database)


async def test_settings_of_the_database_change_nothing(database_url: str, database: AsyncConnection[Any]):
    _, identifier = _parts(database_url)
    for name, value in SURPRISES.items():
        await database.execute(
            sql.SQL("alter database {} set {} = {}").format(identifier, sql.Identifier(name), value)
        )
    assert await migrate(database_url) == []
    store = await EventStore.open(database_url)
    try:
        run = await started_run(RunHandler(store), objective="Grüße, 日本語")
        await run.log("ünïcode")
        state = await store.load(run.run_id, fresh=True)
        events = await store.read(run.run_id)
        assert [event.recorded_at for event in events][-1] == state.updated_at
        assert events[1].message == "ünïcode"
        assert (await store.fetch("runs/get", {"run_id": run.run_id}))[0]
    finally:
        await store.close()
    assert await compare(database_url) == []


@pytest.fixture
async def role_url(database_url: str, database: AsyncConnection[Any]) -> AsyncIterator[str]:
    """The same database as a role of this test's own, who owns nothing."""
    role = f"case_{uuid4().hex[:12]}"
    await database.execute(sql.SQL("create role {} login password 'right'").format(sql.Identifier(role)))
    parts = urlsplit(database_url)
    yield parts._replace(netloc=f"{role}:right@{parts.netloc.rpartition('@')[2]}").geturl()
    await database.execute(sql.SQL("drop owned by {0}; drop role {0}").format(sql.Identifier(role)))


async def test_settings_of_the_role_change_nothing(role_url: str, database: AsyncConnection[Any]):
    role = sql.Identifier(urlsplit(role_url).username or "")
    await database.execute(
        sql.SQL("grant select, insert, update, delete on all tables in schema public to {}").format(role)
    )
    await database.execute(sql.SQL("grant usage on all sequences in schema public to {}").format(role))
    for name, value in SURPRISES.items():
        await database.execute(sql.SQL("alter role {} set {} = {}").format(role, sql.Identifier(name), value))
    assert await migrate(role_url) == [], "up to date needs no right to create anything"
    store = await EventStore.open(role_url)
    try:
        before, after, events = first_event(new_run_id())
        await store.append(before, after, events)
        assert await store.read(after.run_id) == events
    finally:
        await store.close()


async def test_time_outs_are_ours(database_url: str, database: AsyncConnection[Any]):
    _, identifier = _parts(database_url)
    names = (
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "idle_session_timeout",
    )
    for name in names:
        await database.execute(
            sql.SQL("alter database {} set {} = '7s'").format(identifier, sql.Identifier(name))
        )
    async with await connect(database_url, "test") as connection:
        shown = [await (await connection.execute(f"show {name}".encode())).fetchone() for name in names]
    assert shown == [("15s",), ("10s",), ("10s",), ("0",)]


async def test_tables_in_another_schema_are_not_left_for_an_empty_log(
    empty_database_url: str,
):
    with psycopg.connect(empty_database_url, autocommit=True) as database:
        database.execute("create schema engine")
    there = f"{empty_database_url}?options={quote('-c search_path=engine')}"
    assert len(await migrate(there)) == len(migrations())
    with pytest.raises(MigrationRefused, match=r"schema engine .*options=-csearch_path%3Dengine"):
        await migrate(empty_database_url)
    assert await migrate(f"{empty_database_url}?options=-csearch_path%3Dengine") == []


async def test_connections_are_named_by_process_and_purpose(database_url: str):
    for url, name in (
        (database_url, "flexrun writer"),
        (named(database_url, "flexrun planner"), "flexrun planner writer"),
        (named(f"{database_url}?application_name=blue", "flexrun planner"), "blue writer"),
    ):
        async with await connect(url, "writer") as connection:
            assert connection.info.parameter_status("application_name") == name


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
async def test_a_database_that_is_not_utf8_is_refused_untouched(postgres_url: str, encoding: str):
    name = databases.new_name()
    url = databases.database_url(postgres_url, name)
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as server:
        await server.execute(
            sql.SQL("create database {} encoding {} locale 'C' template template0").format(
                sql.Identifier(name), encoding
            )
        )
    try:
        with pytest.raises(DatabaseUnsuitable, match=f"encoding {encoding}.*UTF8"):
            await migrate(url)
        with psycopg.connect(url) as database:
            row = database.execute("select to_regclass('flex_migrations') is null").fetchone()
        assert row == (True,)
    finally:
        databases.drop_database(postgres_url, url)


async def test_a_url_that_is_none_is_refused_without_its_password():
    for url in ("postgres//ann:sesame@host/db", "postgresql://ann:sesame@host:port:5/db?nonsense=1"):
        with pytest.raises(DatabaseUnsuitable) as refused:
            await connect(url, "test")
        assert "sesame" not in str(refused.value)


async def _make_read_only(database: AsyncConnection[Any], database_url: str, value: str) -> None:
    """As a server that is a primary no more: its sessions stay, and hear of it with their next statement."""
    await database.execute("set default_transaction_read_only = off")
    statement = sql.SQL("alter database {} set default_transaction_read_only = {}")
    await database.execute(statement.format(_parts(database_url)[1], value))


async def test_a_server_that_is_read_only_is_not_connected_to(
    database_url: str, database: AsyncConnection[Any]
):
    await _make_read_only(database, database_url, "on")
    with pytest.raises(psycopg.OperationalError, match="read-only"):
        await connect(database_url, "test")
    with pytest.raises(StoreUnavailable, match="read-only"):
        await EventStore.open(database_url, patience_seconds=0.2)


async def test_a_connection_whose_server_becomes_read_only_is_closed_by_a_read(database_url: str):
    connection = await connect(database_url, "test")
    with pytest.raises(psycopg.OperationalError, match="read-only"):
        await connection.execute("set default_transaction_read_only = on")
    assert connection.closed


async def test_a_refused_write_closes_the_connection_and_is_tried_again_on_another(
    store: EventStore, database_url: str
):
    connection = await connect(database_url, "test")
    await connection.execute("begin read only")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        await connection.execute("create table never (x int)")
    assert connection.closed


PACKAGES = (
    "broker",
    "eventstore",
    "executor",
    "flexrun",
    "gateway",
    "planner",
    "runs",
    "schemas",
    "webhooks",
)


def test_one_place_opens_connections():
    places = [
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in Path(ROOT, package).rglob("*.py")
        if _opens_a_connection(path)
    ]
    assert places == ["eventstore/connection.py"]


def _opens_a_connection(path: Path) -> bool:
    calls = (node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    receivers = [
        ast.unparse(call.value)
        for call in calls
        if isinstance(call, ast.Attribute) and call.attr == "connect"
    ]
    return any("psycopg" in name or "Connection" in name or name == "_Guarded" for name in receivers)


async def test_a_connection_that_is_cancelled_while_it_is_made_is_closed() -> None:
    """The cancelled task is kept, as every part keeps its own: what it holds must not hold the connection."""
    asked, left = asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        asked.set()
        await reader.read()
        left.set()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        connecting = asyncio.create_task(connect(f"postgresql://flexrun@127.0.0.1:{port}/silent", "test"))
        await asyncio.wait_for(asked.wait(), 30)
        connecting.cancel()
        await asyncio.wait([connecting])
        await asyncio.wait_for(left.wait(), 10)
    assert connecting.cancelled()
