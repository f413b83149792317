"""Tells a pooler that lends each transaction another session from one that leaves a client its own.

flexrun's connections are sessions for as long as they last: settings, prepared statements, channels that are listened
to, the locks by which one keeper leads. Behind PgBouncer in transaction mode they would be lost without an error, and
settings would reach the sessions of others. Such a pooler is refused; one in session mode serves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from eventstore.errors import DatabaseUnsuitable

Session = psycopg.AsyncConnection[tuple[Any, ...]]

_TURNS = (0, 1, 1, 0, 0, 1)
"""Who of two clients asks: one after the other, and each twice in a row. A pooler that lends a session for a
transaction gives both the same one (its last or its only one), or one of them two (in turn, or as others come and go).
"""


async def require_own_sessions(clients: Sequence[Session]) -> None:
    """Raise DatabaseUnsuitable unless each of two connections through a pooler keeps a session to itself."""
    seen: tuple[set[int], set[int]] = (set(), set())
    for turn in _TURNS:
        cursor = await clients[turn].execute("select pg_backend_pid()", prepare=False)
        seen[turn].update(pid for (pid,) in await cursor.fetchall())
    if len(seen[0]) != 1 or len(seen[1]) != 1 or seen[0] == seen[1]:
        raise DatabaseUnsuitable(
            "the database URL leads to a pooler that gives each transaction another session (PgBouncer in transaction"
            " or statement mode), and flexrun needs sessions: it listens, holds locks and prepares statements. Point"
            " FLEXRUN_DATABASE_URL (--database) at Postgres itself, or at a pool with pool_mode = session"
        )
