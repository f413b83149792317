"""Opens connections to Postgres, and sets on each the settings that flexrun relies on. No other module opens one.

A role, a database or a server may have settings of its own (`alter role … set search_path`, `alter database … set
datestyle`). Those that would change what a statement means here are set on the connection. A connection is used only
while its server accepts writes: one to a primary that has become read-only is closed, and the next one connects to the
new primary where the URL names several hosts.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import traceback
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any, cast

import orjson
import psycopg
from psycopg.abc import Params, Query, QueryNoTemplate
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.json import set_json_loads
from psycopg.types.numeric import IntLoader
from psycopg.types.string import TextLoader

from eventstore.errors import DatabaseUnsuitable
from eventstore.pooler import require_own_sessions
from eventstore.tenancy import EVERY_TENANT

BlockingConnection = psycopg.Connection[tuple[Any, ...]]
"""One that waits in its thread: for a process or a thread that reads much and has nothing else to do."""

CONNECT_SECONDS = 5
_XID8_OID = 5069
CALL_SECONDS = 15.0
"""A statement that takes longer is cancelled: by the server, and by us where the server does not answer."""

CANCEL_SECONDS = 1.0
"""How long the server may take to cancel a statement whose caller was cancelled."""

SCHEMA = "public"
"""Where flexrun's tables are, unless the URL says otherwise (`options=-c search_path=…`)."""

_SETTINGS = """
select set_config(name, value, false) from (values
  ('TimeZone', 'UTC'),
  ('DateStyle', 'ISO'),
  ('IntervalStyle', 'postgres'),
  ('search_path', %(search_path)s),
  -- Without it the rights of the role that serves show no row.
  ('flexrun.tenant', '*'),
  ('default_transaction_isolation', 'read committed'),
  ('standard_conforming_strings', 'on'),
  ('statement_timeout', '15s'),
  ('lock_timeout', '10s'),
  ('idle_in_transaction_session_timeout', '10s'),
  ('idle_session_timeout', '0'),
  ('jit', 'off'),
  -- Plans are kept for the life of a connection and are often made while a table is still empty:
  -- a sequential scan, or a sort in place of an ordered index, would be right then and wrong an hour later.
  ('plan_cache_mode', 'force_generic_plan'),
  ('enable_seqscan', 'off'),
  ('enable_bitmapscan', 'off'),
  ('enable_hashjoin', 'off'),
  ('enable_mergejoin', 'off')
) as settings (name, value)
where %(pid)s::integer is null or pg_backend_pid() = %(pid)s
"""
"""Sets nothing where the server process is not the one that was said to be connected to: see `_settle`."""

_SESSION_POOLS: set[str] = set()
"""Database URLs that were seen to lead to a pooler which leaves each client its session."""

_WORK_FOR = "select set_config('flexrun.tenant', %(tenant)s, false)"

_READ_ONLY_SIGNS = (b"in_hot_standby", b"default_transaction_read_only")
"""Settings that Postgres reports by itself, with the answer to the first statement after they have changed."""

_STALE_PLAN = "cached plan must not change result type"
"""What Postgres says to a prepared `select *` after a migration has added a column."""

Dial = Callable[[str, str], "Awaitable[Connection]"]
"""Opens what stands in for a connection: of a URL, for a purpose. It can `hang_up`, which closes it."""

_stand_ins: dict[str, Dial] = {}

_SEARCH_PATH_OPTION = re.compile(r"(?:-c\s*|--)search_path\s*=\s*((?:\\.|\S)+)")


def stand_in(scheme: str, dial: Dial) -> None:
    """Have `dial` open what URLs name that begin with `scheme:`, in the place of a server: for simulations."""
    _stand_ins[scheme] = dial


async def connect(database_url: str, purpose: str) -> Connection:
    """A connection in autocommit mode to a server that accepts writes.

    Raises psycopg.OperationalError, and DatabaseUnsuitable for a URL that cannot be parsed or leads to a pooler that
    lends sessions for transactions.
    """
    if (dial := _stand_ins.get(database_url.partition(":")[0])) is not None:
        return await dial(database_url, purpose)
    parts = parse_url(database_url)
    try:
        connection = await Connection.connect(
            database_url, autocommit=True, prepare_threshold=0, **_connect_options(parts, purpose)
        )
    except asyncio.CancelledError as cancelled:
        # psycopg's frames hold the unfinished connection; the task that was cancelled would keep them, and it, alive.
        traceback.clear_frames(cancelled.__traceback__)
        raise
    try:
        with hang_up_after(connection):
            _register_loaders(connection)
            await _settle(connection, database_url, parts)
    except BaseException:
        await connection.close()
        raise
    return connection


async def _settle(connection: Connection, database_url: str, parts: dict[str, Any]) -> None:
    """Make the session ours. Raises DatabaseUnsuitable where a pooler lends it for a transaction only.

    A pooler gives its clients numbers of its own in place of the server process's, which costs no question to see.
    """
    wanted = {"search_path": search_path(parts) or SCHEMA}
    direct = await connection.execute(
        _SETTINGS, {**wanted, "pid": connection.info.backend_pid}, prepare=False
    )
    if direct.rowcount:
        return
    if database_url not in _SESSION_POOLS:
        options = _connect_options(parts, "pooler")
        async with await Connection.connect(database_url, autocommit=True, **options) as other:
            with hang_up_after(other):
                await require_own_sessions((connection, other))
        _SESSION_POOLS.add(database_url)
    await connection.execute(_SETTINGS, {**wanted, "pid": None}, prepare=False)


def connect_blocking(database_url: str, purpose: str) -> BlockingConnection:
    """The same as `connect`, but that it waits in its thread, and does not close itself.

    Only after `connect`, by this process or the one that started it, which refuses an unsuitable pooler.
    """
    parts = parse_url(database_url)
    connection = psycopg.connect(
        database_url, autocommit=True, prepare_threshold=0, **_connect_options(parts, purpose)
    )
    try:
        _register_loaders(connection)
        wanted = {"search_path": search_path(parts) or SCHEMA, "pid": None}
        connection.execute(_SETTINGS, wanted, prepare=False)
    except BaseException:
        connection.close()
        raise
    return connection


def _register_loaders(connection: Connection | BlockingConnection) -> None:
    """JSON is read by orjson, a UUID as its text, a transaction id as a number."""
    set_json_loads(orjson.loads, context=connection)
    connection.adapters.register_loader("uuid", TextLoader)
    connection.adapters.register_loader(_XID8_OID, IntLoader)


def parse_url(database_url: str) -> dict[str, Any]:
    """The parts of a database URL by libpq's names.

    Raises DatabaseUnsuitable, whose message leaves the URL out, since it may hold a password.
    """
    try:
        return conninfo_to_dict(database_url)
    except psycopg.Error:
        raise DatabaseUnsuitable(
            "the database URL cannot be read; it has the form postgresql://user:password@host:port/database"
        ) from None


def search_path(parts: dict[str, Any]) -> str | None:
    """The search path that a URL asks for in its `options`; None where it asks for none."""
    found = _SEARCH_PATH_OPTION.findall(parts.get("options") or "")
    return re.sub(r"\\(.)", r"\1", found[-1]) if found else None


def named(database_url: str, name: str) -> str:
    """The same database under this application name, unless the URL has one. Raises DatabaseUnsuitable."""
    if "application_name" in parse_url(database_url):
        return database_url
    return make_conninfo(database_url, application_name=name)


def _connect_options(parts: dict[str, Any], purpose: str) -> dict[str, Any]:
    """libpq's options: a dead peer is noticed within seconds, and pg_stat_activity shows each connection's purpose."""
    return {
        "application_name": f"{parts.get('application_name') or 'flexrun'} {purpose}",
        "target_session_attrs": "read-write",
        "client_encoding": "UTF8",
        "connect_timeout": CONNECT_SECONDS,
        "keepalives_idle": 10,
        "keepalives_interval": 3,
        "keepalives_count": 3,
        "tcp_user_timeout": 15_000,
    }


class Connection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """Works for `tenant`, which the database knows too.

    It closes itself when its server has become read-only, which a refused write or a reported setting shows, and when a
    migration has changed the columns of a prepared statement.
    """

    tenant: str = EVERY_TENANT

    async def work_for(self, tenant: str) -> None:
        """Have the database show and take what belongs to this tenant only. Raises psycopg.Error."""
        if tenant != self.tenant:
            with hang_up_after(self):
                await self.execute(_WORK_FOR, {"tenant": tenant}, prepare=True)
            self.tenant = tenant

    async def execute(
        self, query: Query, params: Params | None = None, *, prepare: bool | None = None, binary: bool = False
    ) -> psycopg.AsyncCursor[tuple[Any, ...]]:
        """The same as psycopg's. Raises psycopg.OperationalError also where the connection closed itself."""
        try:
            cursor = await super().execute(
                cast(QueryNoTemplate, query), params, prepare=prepare, binary=binary
            )
        except psycopg.errors.ReadOnlySqlTransaction:
            await self.close()
            raise
        except psycopg.errors.FeatureNotSupported as error:
            if _STALE_PLAN in str(error):
                await self.close()  # with all that it has prepared
                raise psycopg.OperationalError(
                    "the schema has changed since the statement was prepared"
                ) from error
            raise
        if any(self.pgconn.parameter_status(sign) == b"on" for sign in _READ_ONLY_SIGNS):
            await self.close()
            raise psycopg.OperationalError("the server has become read-only")
        return cursor

    async def cancel_safe(self, *, timeout: float = CANCEL_SECONDS) -> None:
        """Cancel the statement in flight; psycopg does so where its caller is cancelled, and would wait for 5 s, twice.

        A server that takes no cancellation is hung up on, so that a process can stop. Raises psycopg.Error.
        """
        try:
            await super().cancel_safe(timeout=min(timeout, CANCEL_SECONDS))
        except psycopg.Error:
            self.hang_up()
            raise

    def hang_up(self) -> None:
        """Close the socket, so that what waits for the server ends with an OperationalError."""
        if self.closed:
            return
        with socket.socket(fileno=os.dup(self.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)


@contextmanager
def hang_up_after(connection: Connection, seconds: float = CALL_SECONDS + 1) -> Generator[None]:
    """Close the socket when the block takes longer than `seconds`, so that it ends with an OperationalError.

    For a server that is connected and does not answer (stopped, or behind a network that drops packets): cancelling
    the statement would wait for that server's answer as well.
    """
    timer = asyncio.get_running_loop().call_later(seconds, connection.hang_up)
    try:
        yield
    finally:
        timer.cancel()
