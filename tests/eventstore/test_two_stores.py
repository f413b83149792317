"""Several processes on one database: no deadlock, no lost append, one order for each run."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection

from eventstore import leases
from eventstore.batch import Commit, Lease
from eventstore.errors import VersionConflict
from eventstore.handler import RunHandler
from eventstore.store import EventStore
from runs import commands as c
from tests.eventstore.appends import Append, first_event, next_log
from tests.eventstore.conftest import OpenStore, appends_waiting_for_a_lock
from tests.support.by_hand import ByHand
from tests.support.given import node
from tests.support.started_runs import new_run_id, started_run
from tests.support.waiting import eventually

Answers = list[Commit | BaseException]


async def at_once(database: AsyncConnection[Any], *batches: tuple[EventStore, list[Append]]) -> Answers:
    """Send one batch from each store and let them loose in the database at the same moment."""
    async with database.transaction():
        await database.execute("lock table flex_runs in exclusive mode")
        answers = [
            asyncio.ensure_future(store.append(*append)) for store, appends in batches for append in appends
        ]
        await eventually(lambda: all_wait(database, len(batches)))
    return await asyncio.gather(*answers, return_exceptions=True)


async def all_wait(database: AsyncConnection[Any], batches: int) -> bool:
    return await appends_waiting_for_a_lock(database) == batches


async def deadlocks(database: AsyncConnection[Any], *stores: EventStore) -> int:
    """How many there were; connections report that for certain when they end."""
    for store in stores:
        await store.close()
    await eventually(lambda: alone(database))
    cursor = await database.execute(
        "select deadlocks from pg_stat_database where datname = current_database()"
    )
    row = await cursor.fetchone()
    return row[0] if row else 0


async def alone(database: AsyncConnection[Any]) -> bool:
    cursor = await database.execute(
        "select count(*) from pg_stat_activity where datname = current_database()"
        " and pid <> pg_backend_pid() and backend_type = 'client backend'"
    )
    return await cursor.fetchone() == (0,)


async def test_batches_that_overlap_in_opposite_order_do_not_deadlock(
    open_store: OpenStore, database: AsyncConnection[Any]
):
    first, second = await open_store(writers=1), await open_store(writers=1)
    states = [(await first.append(*first_event(new_run_id()))).after for _ in range(60)]
    for _ in range(6):
        appends = [next_log(state) for state in states]
        answers = await at_once(database, (first, appends), (second, appends[::-1]))
        won = [answer for answer in answers if isinstance(answer, Commit)]
        assert sorted(commit.after.run_id for commit in won) == sorted(state.run_id for state in states)
        assert sum(isinstance(answer, VersionConflict) for answer in answers) == len(states)
        states = [commit.after for commit in won]
    assert await deadlocks(database, first, second) == 0


async def test_starts_of_the_same_runs_in_opposite_order_do_not_deadlock(
    open_store: OpenStore, database: AsyncConnection[Any]
):
    first, second = await open_store(writers=1), await open_store(writers=1)
    for _ in range(6):
        starts = [first_event(new_run_id()) for _ in range(60)]
        answers = await at_once(database, (first, starts), (second, starts[::-1]))
        assert sum(isinstance(answer, Commit) for answer in answers) == 60
        assert sum(isinstance(answer, VersionConflict) for answer in answers) == 60
    assert await deadlocks(database, first, second) == 0


async def test_heartbeats_claims_and_appends_on_the_same_work_do_not_deadlock(
    open_store: OpenStore, database: AsyncConnection[Any]
):
    stores = [await open_store() for _ in range(3)]
    nodes = [node(name) for name in "abcdefgh"]
    done = asyncio.Event()

    async def keep_house(store: EventStore) -> None:
        while not done.is_set():
            await leases.extend(store, "w", 30)
            rows = await leases.claim(store, ["node.default"], "claimer", 30, 5)
            await leases.release(store, rows, "claimer")
            await leases.expired(store)
            await leases.unclaimed(store, 0)

    async def work(store: EventStore) -> None:
        run = await started_run(RunHandler(store))
        await run.planned(*nodes)
        await asyncio.gather(*(one_node(store, run.run_id, each["id"]) for each in nodes))

    keepers = [asyncio.create_task(keep_house(store)) for store in stores]
    await asyncio.gather(*(work(store) for store in stores for _ in range(6)))
    done.set()
    await asyncio.gather(*keepers)
    assert await deadlocks(database, *stores) == 0
    cursor = await database.execute("select count(*) from flex_plan_nodes where status = 'completed'")
    assert await cursor.fetchone() == (3 * 6 * len(nodes),)


async def one_node(store: EventStore, run_id: str, node_id: str) -> None:
    handler = RunHandler(store)
    run = ByHand(handler, run_id)
    start = c.StartNode(now=datetime.now(UTC), node_id=node_id, attempt=1)
    await handler.execute(run_id, start, lease=Lease("w", 30))
    await run.complete(node_id)
