"""Makes a log that was restored from a dump into another server that server's own.

Readers of the whole log (webhooks) go by transaction ids, which a new server counts anew: it would hide the restored
events from them until it has come as far, and new events would seem to be behind the places that they have read to.
Streams, which go by seq, do not care, nor does the hash chain.
"""

from __future__ import annotations

from dataclasses import dataclass

from eventstore.connection import Connection
from eventstore.errors import DatabaseUnsuitable
from eventstore.pause import DoublingPause
from eventstore.statements import statement
from eventstore.store import EventStore
from eventstore.whole_runs import connect_for_maintenance

MOST_TRANSACTIONS = 1_000_000
"""How many transactions a server is made to count at most. Each takes 0.1 ms; the longest run decides how many."""

_TRIES = 20
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Adopted:
    """How many events and webhooks were numbered anew; none where the log was the server's own already."""

    events: int
    webhooks: int


async def require_own_log(store: EventStore) -> None:
    """Raise DatabaseUnsuitable where the log is another server's. Raises StoreUnavailable."""
    if (await store.fetch("adopt/needed", {}))[0][0]:
        raise DatabaseUnsuitable(
            "the log was written by another database server, of which a dump was restored here, and webhooks would not"
            " be told of anything for a long time. Call once, as the owner of the tables: flexrun db adopt"
        )


async def adopt(database_url: str) -> Adopted:
    """Number the commits of the log anew, below this server's transactions, in one transaction that locks the log.

    The order within runs and the places of webhooks are kept. Each row of the log is written once. To be called by the
    owner of the tables. Raises DatabaseUnsuitable, psycopg.Error.
    """
    connection = await connect_for_maintenance(database_url)
    try:
        if not await _needed(connection):
            return Adopted(0, 0)
        adopted = await _try(connection)
        if isinstance(adopted, int):
            await _count_up(connection, adopted)
        pause = DoublingPause(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        for _ in range(_TRIES):
            if not isinstance(adopted, int):
                return adopted
            # A transaction that is open anywhere in the server holds back what the server has come to.
            await pause.wait()
            adopted = await _try(connection)
        if isinstance(adopted, int):
            raise DatabaseUnsuitable(
                "the log grows meanwhile, or a transaction in this server stays open; stop all processes of flexrun,"
                " and call it again"
            )
        return adopted
    finally:
        await connection.close()


async def _needed(connection: Connection) -> bool:
    row = await (await connection.execute(statement("adopt/needed"))).fetchone()
    return row is not None and row[0]


async def _try(connection: Connection) -> Adopted | int:
    """What was adopted, or by how many transactions the server is behind what the numbers need."""
    async with connection.transaction():
        await connection.execute(statement("adopt/begin"))
        await connection.execute(statement("adopt/number"), prepare=False)
        found = await (await connection.execute(statement("adopt/highest"), prepare=False)).fetchone()
        highest, at = found or (0, 0)
        if highest >= at:
            await connection.execute("drop table flex_adopted")
            await connection.execute(statement("adopt/end"))
            return highest - at + 1
        events = (await connection.execute(statement("adopt/events"), prepare=False)).rowcount
        webhooks = (await connection.execute(statement("adopt/webhooks"), prepare=False)).rowcount
        await connection.execute(statement("adopt/end"))
    return Adopted(events, webhooks)


async def _count_up(connection: Connection, transactions: int) -> None:
    if transactions > MOST_TRANSACTIONS:
        raise DatabaseUnsuitable(
            f"the longest run has so many commits that the server would have to count {transactions} transactions;"
            f" more than {MOST_TRANSACTIONS} are not asked of it. Stop it and raise its epoch: pg_resetwal --epoch=1"
        )
    for _ in range(transactions):
        await connection.execute("select pg_current_xact_id()")
