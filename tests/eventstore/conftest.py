"""A store on a database of the test's own, and the runs in it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import psycopg
import pytest

from eventstore.handler import RunHandler
from eventstore.listener import LogListener
from eventstore.store import EventStore
from eventstore.tail import RunTail
from runs.event import Event
from tests.eventstore.following import Tail
from tests.support.by_hand import ByHand
from tests.support.started_runs import started_run

OpenStore = Callable[..., Awaitable[EventStore]]
StartRun = Callable[..., Awaitable[ByHand]]
OpenTail = Callable[..., Awaitable[Tail]]


@pytest.fixture
async def open_store(database_url: str) -> AsyncIterator[OpenStore]:
    """Open stores that are closed with the test; each stands for a process of its own."""
    async with AsyncExitStack() as stack:

        async def open_one(url: str = database_url, **settings: Any) -> EventStore:
            store = await EventStore.open(url, **settings)
            stack.push_async_callback(store.close)
            return store

        yield open_one


@pytest.fixture
async def store(open_store: OpenStore) -> EventStore:
    return await open_store()


@pytest.fixture
def handler(store: EventStore) -> RunHandler:
    return RunHandler(store)


@pytest.fixture
async def start_run(handler: RunHandler) -> StartRun:
    """Start a run; keywords become part of its envelope."""

    async def start(**envelope: Any) -> ByHand:
        return await started_run(handler, **envelope)

    return start


@pytest.fixture
async def open_tail(store: EventStore) -> AsyncIterator[OpenTail]:
    """Open tails on `store`; without a listener they know of other processes only by polling."""
    async with AsyncExitStack() as stack:

        async def open_one(listener: LogListener | None = None, poll_seconds: float = 3600) -> Tail:
            tail = RunTail[Event](store, listener, lambda event: event, poll_seconds)
            await tail.start()
            stack.push_async_callback(tail.close)
            return tail

        yield open_one


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """A stranger's connection to the same database, in autocommit mode."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        yield connection


async def appends_waiting_for_a_lock(database: psycopg.AsyncConnection[Any]) -> int:
    """How many statements in this database wait for a table."""
    cursor = await database.execute(
        "select count(*) from pg_locks where not granted"
        " and database = (select oid from pg_database where datname = current_database())"
    )
    row = await cursor.fetchone()
    return row[0] if row else 0
