"""Heartbeats that come together cost few statements, and each says of its own attempt whether it is still held."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from eventstore.leases import Beat, extend_each
from runs.commands import AbortRun, Actor
from tests.support.remote import ByHand, remote_node
from tests.support.waiting import eventually
from tests.support.wiring import StoreWiring, now

COUNT = 50
_BACK = "update flex_work set lease_until = lease_until - make_interval(secs => 3) where started"
_ROWS = "select ref, xmin::text, lease_until from flex_work where started order by ref"
_WAITING = (
    "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
)


@pytest.fixture
async def connection(wiring: StoreWiring) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """A connection of the test's own."""
    async with await psycopg.AsyncConnection.connect(wiring.database_url, autocommit=True) as opened:
        yield opened


async def rows(connection: psycopg.AsyncConnection[Any], statement: str = _ROWS) -> list[tuple[Any, ...]]:
    return await (await connection.execute(statement.encode())).fetchall()


async def claimed(worker: ByHand, count: int) -> list[dict[str, Any]]:
    """So many attempts, of as many claims as it takes."""
    tasks: list[dict[str, Any]] = []
    while len(tasks) < count:
        tasks += await worker.claim(slots=count - len(tasks))
    return tasks


async def test_heartbeats_that_come_together_are_few_statements(
    wiring: StoreWiring, worker: ByHand, connection: psycopg.AsyncConnection[Any]
) -> None:
    await wiring.submit(*[remote_node(f"n{index}") for index in range(COUNT)])
    tasks = await claimed(worker, COUNT)
    await connection.execute(_BACK)
    before = await rows(connection)
    async with asyncio.timeout(30):
        answers = await asyncio.gather(*(worker.report(task, "heartbeat") for task in tasks))
    assert answers == [(200, {"leaseSeconds": 10.0, "cancelled": False})] * COUNT
    after = await rows(connection)
    assert all(new > old for (_, _, old), (_, _, new) in zip(before, after, strict=True))
    assert len({transaction for _, transaction, _ in after}) <= COUNT // 5


async def test_completions_that_come_together_are_few_appends(wiring: StoreWiring, worker: ByHand) -> None:
    run_id = await wiring.submit(*[remote_node(f"n{index}") for index in range(COUNT)])
    tasks = await claimed(worker, COUNT)
    before = len(await wiring.commits_of(run_id))
    answers = await asyncio.gather(*(worker.report(task, "complete", {"output": 1}) for task in tasks))
    assert answers == [(200, {"status": "completed"})] * COUNT
    assert len(await wiring.commits_of(run_id)) - before <= COUNT // 3


async def test_a_lease_that_is_fresh_is_not_written_and_an_abort_is_heard_all_the_same(
    wiring: StoreWiring, worker: ByHand, connection: psycopg.AsyncConnection[Any]
) -> None:
    run_id = await wiring.submit(remote_node("a"))
    (task,) = await worker.claim()
    await connection.execute("update flex_work set lease_until = now() + interval '1 hour' where started")
    before = await rows(connection)
    assert (await worker.report(task, "heartbeat"))[1]["cancelled"] is False
    assert await rows(connection) == before
    await wiring.execute(run_id, AbortRun(now=now(), actor=Actor("ann")))
    assert (await worker.report(task, "heartbeat"))[1]["cancelled"] is True


async def test_a_heartbeat_extends_the_lease_of_its_own_attempt_only(
    wiring: StoreWiring, worker: ByHand, connection: psycopg.AsyncConnection[Any]
) -> None:
    run_id = await wiring.submit(remote_node("a"), remote_node("b"))
    await worker.claim(slots=2)
    await connection.execute(_BACK)
    mine = Beat(run_id, "a", 1, "remote/w1", 10)
    others = [
        Beat(run_id, "b", 1, "remote/w2", 10),  # it has another worker by now
        Beat(run_id, "b", 2, "remote/w1", 10),  # another attempt
        Beat(run_id, "c", 1, "remote/w1", 10),  # no such node
    ]
    before = {ref: until for ref, _, until in await rows(connection)}
    assert await extend_each(wiring.store, [*others, mine]) == {mine: True}
    after = {ref: until for ref, _, until in await rows(connection)}
    assert (after["b"], after["a"] > before["a"]) == (before["b"], True)


async def test_a_row_that_a_commit_has_locked_holds_up_its_own_heartbeat_only(
    wiring: StoreWiring, worker: ByHand, connection: psycopg.AsyncConnection[Any]
) -> None:
    await wiring.submit(remote_node("a"), remote_node("b"))
    tasks = {task["nodeId"]: task for task in await worker.claim(slots=2)}
    await connection.execute(_BACK)
    before = {ref: until for ref, _, until in await rows(connection)}
    async with await psycopg.AsyncConnection.connect(wiring.database_url) as commit:
        await commit.execute("select 1 from flex_work where ref = 'a' for update")
        held_up = asyncio.create_task(worker.report(tasks["a"], "heartbeat"))
        assert (await worker.report(tasks["b"], "heartbeat"))[1]["cancelled"] is False

        async def waits() -> bool:
            return (await rows(connection, _WAITING))[0][0] > 0

        await eventually(waits)
        assert not held_up.done()
        await commit.commit()
    assert (await held_up)[1]["cancelled"] is False
    after = {ref: until for ref, _, until in await rows(connection)}
    assert all(after[ref] > before[ref] for ref in ("a", "b"))
