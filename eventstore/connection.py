"""Connections: one way to open them, with the limits that keep a stuck one from holding up everyone else."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import orjson
import psycopg
from psycopg.types.json import set_json_loads

Connection = psycopg.AsyncConnection[tuple[Any, ...]]

CONNECT_SECONDS = 5
CALL_SECONDS = 15.0
"""A statement that takes longer is given up: by the server itself, and by us where the server cannot be heard."""

_SETTINGS = b"""
select set_config(name, value, false) from (values
  ('TimeZone', 'UTC'),
  ('statement_timeout', '15s'),
  ('idle_in_transaction_session_timeout', '10s'),
  ('jit', 'off'),
  -- Plans are kept for the life of a connection and are often made while a table is still empty:
  -- a sequential scan, or a sort in place of an ordered index, would be right then and wrong an hour later.
  ('plan_cache_mode', 'force_generic_plan'),
  ('enable_seqscan', 'off'),
  ('enable_bitmapscan', 'off'),
  ('enable_hashjoin', 'off'),
  ('enable_mergejoin', 'off')
) as settings (name, value)
"""


async def connect(database_url: str, purpose: str) -> Connection:
    """A connection in autocommit mode. Raises psycopg.OperationalError."""
    connection = await psycopg.AsyncConnection.connect(
        database_url, autocommit=True, prepare_threshold=0, **connect_options(purpose)
    )
    try:
        with hang_up_after(connection):
            set_json_loads(orjson.loads, context=connection)
            await connection.execute(_SETTINGS, prepare=False)
    except BaseException:
        await connection.close()
        raise
    return connection


def connect_options(purpose: str) -> dict[str, Any]:
    """libpq's options: a dead peer is noticed within seconds, and pg_stat_activity says who is who."""
    return {
        "application_name": f"flexrun {purpose}",
        "connect_timeout": CONNECT_SECONDS,
        "keepalives_idle": 10,
        "keepalives_interval": 3,
        "keepalives_count": 3,
        "tcp_user_timeout": 15_000,
    }


@contextmanager
def hang_up_after(connection: Connection, seconds: float = CALL_SECONDS + 1) -> Generator[None]:
    """Cut the line when the block takes longer, so that it ends with an OperationalError.

    For a server that is there and says nothing (stopped, or behind a link that swallows): cancelling the statement
    would wait for that server's answer as well.
    """
    timer = asyncio.get_running_loop().call_later(seconds, _hang_up, connection)
    try:
        yield
    finally:
        timer.cancel()


def _hang_up(connection: Connection) -> None:
    if connection.closed:
        return
    with socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)
