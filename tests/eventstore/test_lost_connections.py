"""A connection that ends at the worst moment: nothing is lost, nothing is stored twice, every caller is answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import AsyncConnection

from eventstore.batch import Commit
from eventstore.connection import connect, hang_up_after
from eventstore.errors import StoreUnavailable, VersionConflict
from eventstore.handler import RunHandler
from eventstore.migrate import migrate
from eventstore.rebuild import compare
from eventstore.store import EventStore
from tests.eventstore.appends import first_event, next_log
from tests.eventstore.conftest import OpenStore, appends_waiting_for_a_lock
from tests.support.postgres_server import PostgresServer
from tests.support.started_runs import new_run_id, started_run
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually


@pytest.fixture
async def proxy(database_url: str) -> AsyncIterator[TcpProxy]:
    parts = urlsplit(database_url)
    async with TcpProxy(parts.hostname or "127.0.0.1", parts.port or 5432) as proxy:
        yield proxy


@pytest.fixture
async def far_store(open_store: OpenStore, proxy: TcpProxy, database_url: str) -> EventStore:
    """A store whose connections go through the proxy."""
    return await open_store(proxy.url(database_url), writers=1)


async def test_an_append_whose_answer_was_lost_is_found_and_not_stored_twice(
    far_store: EventStore, store: EventStore, proxy: TcpProxy, database: AsyncConnection[Any]
):
    commits: list[Commit] = []
    far_store.on_commit(commits.append)
    before, after, events = first_event(new_run_id())
    async with database.transaction():
        await database.execute("lock table flex_runs in exclusive mode")
        append = asyncio.ensure_future(far_store.append(before, after, events))
        await eventually(lambda: appends_waiting_for_a_lock(database))
        proxy.stalled = True
    await eventually(lambda: store.heads([after.run_id]))
    proxy.cut()
    proxy.stalled = False
    assert (await append).events == events
    assert await store.read(after.run_id) == events
    assert len(commits) == 1


async def test_an_append_that_is_still_under_way_in_a_deaf_server_is_stored_once(
    far_store: EventStore, store: EventStore, proxy: TcpProxy, database: AsyncConnection[Any]
):
    before, after, events = first_event(new_run_id())
    async with database.transaction():
        await database.execute("lock table flex_runs in exclusive mode")
        append = asyncio.ensure_future(far_store.append(before, after, events))
        await eventually(lambda: appends_waiting_for_a_lock(database))
        proxy.cut()
        await eventually(lambda: proxy.open_connections)
    assert (await append).events == events
    assert await store.read(after.run_id) == events


async def test_after_a_lost_answer_the_event_of_another_writer_is_still_a_conflict(
    far_store: EventStore, store: EventStore, proxy: TcpProxy, database: AsyncConnection[Any]
):
    before, after, events = first_event(new_run_id())
    await far_store.append(before, after, events)
    async with database.transaction():
        await database.execute("lock table flex_runs in exclusive mode")
        append = asyncio.ensure_future(far_store.append(*next_log(after, "ours")))
        await eventually(lambda: appends_waiting_for_a_lock(database))
        proxy.refusing = True
        await database.execute(
            "select pg_terminate_backend(pid) from pg_locks where not granted and relation = 'flex_runs'::regclass"
        )
        await eventually(lambda: no_append_waits(database))
    await store.append(*next_log(after, "theirs"))
    proxy.refusing = False
    with pytest.raises(VersionConflict):
        await append
    assert [event.message for event in await store.read(after.run_id, after=1)] == ["theirs"]


async def no_append_waits(database: AsyncConnection[Any]) -> bool:
    return await appends_waiting_for_a_lock(database) == 0


async def test_appends_and_reads_go_on_over_every_cut(far_store: EventStore, proxy: TcpProxy):
    handler = RunHandler(far_store)
    commits = count(1)

    def cut_now_and_then(_: Commit) -> None:
        if next(commits) % 5 == 0:
            proxy.cut()

    far_store.on_commit(cut_now_and_then)
    runs = await asyncio.gather(*(started_run(handler) for _ in range(20)))
    for run in runs:
        await run.log("on it goes")
        proxy.cut()
        assert [event.seq for event in await far_store.read(run.run_id)] == [1, 2]


async def test_a_database_that_stays_away_is_reported_in_time(
    open_store: OpenStore, proxy: TcpProxy, database_url: str, database: AsyncConnection[Any]
):
    store = await open_store(proxy.url(database_url), patience_seconds=0.4)
    _, started, _ = first_event(new_run_id())
    proxy.refusing = True
    proxy.cut()
    with pytest.raises(StoreUnavailable):
        await store.append(*first_event(started.run_id))
    with pytest.raises(StoreUnavailable):
        await store.read(started.run_id)
    proxy.refusing = False
    assert (await store.append(*first_event(new_run_id()))).after.seq == 1


async def test_a_store_is_not_opened_on_a_database_that_is_not_there(proxy: TcpProxy, database_url: str):
    proxy.refusing = True
    with pytest.raises(StoreUnavailable):
        await EventStore.open(proxy.url(database_url), patience_seconds=0.2)


async def test_a_postgres_that_is_killed_under_load_loses_no_answered_append():
    async with PostgresServer() as server:
        await migrate(server.url)
        store = await EventStore.open(server.url)
        try:
            answered = await append_during(store, server)
            assert await store.heads([run_id for run_id, _ in answered]) == dict(answered)
        finally:
            await store.close()
        assert await compare(server.url) == []


async def append_during(store: EventStore, server: PostgresServer) -> list[tuple[str, int]]:
    """Append from twenty places, kill the server in the middle; (run id, last answered seq)."""
    stop = asyncio.Event()
    answers = 0

    async def work() -> tuple[str, int]:
        nonlocal answers
        run = await started_run(RunHandler(store))
        seq = 1
        while not stop.is_set():
            await run.log("working")
            seq += 1
            answers += 1
        return run.run_id, seq

    workers = [asyncio.create_task(work()) for _ in range(20)]
    for target in (100, 200):
        await eventually(lambda: answers > target)  # noqa: B023 - awaited before the next round
        await server.kill()
        await server.start()
    await eventually(lambda: answers > 300)
    stop.set()
    return list(await asyncio.gather(*workers))


async def test_a_writer_that_the_server_ends_connects_again(
    store: EventStore, database: AsyncConnection[Any]
):
    await store.append(*first_event(new_run_id()))
    await database.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    _, started, _ = await gather_three(store)
    assert (await store.load(started.after.run_id, fresh=True)).seq == 1


async def gather_three(store: EventStore) -> list[Commit]:
    return list(await asyncio.gather(*(store.append(*first_event(new_run_id())) for _ in range(3))))


async def test_a_server_that_has_gone_silent_is_hung_up_on(proxy: TcpProxy, database_url: str):
    connection = await connect(proxy.url(database_url), "test")
    proxy.stalled = True
    with pytest.raises(psycopg.OperationalError), hang_up_after(connection, 0.1):
        await connection.execute("select 1")
    proxy.stalled = False
    await connection.close()
