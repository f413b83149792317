"""The twin of the database is held to the tests of the store: all of them that ask Postgres nothing behind its back."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from eventstore.connection import connect
from eventstore.errors import StoreUnavailable
from eventstore.store import EventStore
from eventstore.whole_log import LOG_BEGIN, lag, read_log
from simulation.database.connection import forget, url_of
from simulation.database.server import Fate, NoFaults, Server
from tests.eventstore import (
    test_append,
    test_handler,
    test_leases,
    test_tail,
    test_tail_of_other_processes,
    test_two_stores,
    test_whole_log,
)
from tests.eventstore.appends import first_event
from tests.eventstore.conftest import OpenStore, handler, open_store, open_tail, start_run, store
from tests.support.started_runs import new_run_id
from tests.support.waiting import eventually

__all__ = ["handler", "open_store", "open_tail", "start_run", "store"]

SUITE = (
    test_append,
    test_handler,
    test_leases,
    test_tail,
    test_tail_of_other_processes,
    test_two_stores,
    test_whole_log,
)

IN_SQL = frozenset({"test_a_transaction_that_commits_late_is_not_skipped"})
"""Tests that speak to Postgres in SQL, beside those that take the fixture `database`."""


class Told(NoFaults):
    """What a test says becomes of the next append."""

    def __init__(self) -> None:
        self.next_disk_seconds = 0.0
        self.next_fate = Fate.ANSWERED

    def disk_seconds(self) -> float:
        seconds, self.next_disk_seconds = self.next_disk_seconds, 0.0
        return seconds

    def fate(self, name: str) -> Fate:
        if not name.startswith("log/append"):
            return Fate.ANSWERED
        fate, self.next_fate = self.next_fate, Fate.ANSWERED
        return fate


@pytest.fixture
def faults() -> Told:
    return Told()


@pytest.fixture
def server(faults: Told) -> Server:
    """A twin of this test's own."""
    return Server(faults)


@pytest.fixture
def database_url(server: Server) -> Iterator[str]:
    """Its address, in the place of that of a Postgres."""
    name = uuid4().hex
    yield url_of(server, name)
    forget(name)


def of_the_store(module: ModuleType) -> dict[str, Callable[..., Any]]:
    """The tests of a module that know nothing but the store."""
    return {
        f"{name}_of_{module.__name__.rpartition('.')[2]}": test
        for name, test in vars(module).items()
        if name.startswith("test_")
        and name not in IN_SQL
        and "database" not in inspect.signature(test).parameters
    }


for _module in SUITE:
    globals().update(of_the_store(_module))


def test_the_twin_is_held_to_most_of_the_suite() -> None:
    held = sum(len(of_the_store(module)) for module in SUITE)
    whole = sum(name.startswith("test_") for module in SUITE for name in vars(module))
    assert held > whole / 2


async def test_a_transaction_that_commits_late_is_not_skipped(open_store: OpenStore, faults: Told) -> None:
    slow, quick = await open_store(writers=1), await open_store(writers=1)
    late = first_event(new_run_id())
    faults.next_disk_seconds = 0.2
    writing = asyncio.ensure_future(slow.append(*late))
    await eventually(lambda: not faults.next_disk_seconds)
    await quick.append(*first_event(new_run_id()))
    assert await read_log(quick, LOG_BEGIN) == ([], LOG_BEGIN)
    assert (await lag(quick)).events == 1
    await writing
    found, _ = await read_log(quick, LOG_BEGIN)
    assert found[0].event.run_id == late[1].run_id
    assert len(found) == 2


@pytest.mark.parametrize("fate", [Fate.ANSWER_LOST, Fate.ROLLED_BACK, Fate.NEVER_ARRIVES])
async def test_an_append_whose_connection_is_lost_is_stored_once(
    store: EventStore, faults: Told, fate: Fate
) -> None:
    before, after, events = first_event(new_run_id())
    faults.next_fate = fate
    commit = await store.append(before, after, events)
    assert commit.events == await store.read(after.run_id) == events


async def test_a_server_that_is_down_takes_no_connection_and_forgets_nothing(
    open_store: OpenStore, server: Server
) -> None:
    store = await open_store(patience_seconds=0.05)
    before, after, events = first_event(new_run_id())
    await store.append(before, after, events)
    server.go_down()
    with pytest.raises(StoreUnavailable):
        await store.read(after.run_id)
    server.come_up()
    assert await store.read(after.run_id) == events


async def test_a_statement_that_the_twin_does_not_know_is_refused_by_name(
    server: Server, database_url: str
) -> None:
    async with await connect(database_url, "test") as connection:
        with pytest.raises(psycopg.NotSupportedError, match="the twin does not know this statement"):
            await connection.execute(b"select 'strange'")
