"""Who is at work on what: claims, heartbeats, takeovers and due times."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import AsyncConnection

from eventstore import leases
from eventstore.batch import DEFAULT_LEASE_SECONDS, Lease
from eventstore.leases import WorkRow
from eventstore.store import EventStore
from runs import commands as c
from tests.eventstore.conftest import OpenStore, StartRun
from tests.support.by_hand import ByHand
from tests.support.given import node
from tests.support.waiting import eventually


async def start_node(run: ByHand, node_id: str, worker: str, seconds: float = 60, attempt: int = 1) -> None:
    command = c.StartNode(now=datetime.now(UTC), node_id=node_id, attempt=attempt)
    await run.handler.execute(run.run_id, command, lease=Lease(worker, seconds))


def keys(rows: list[WorkRow]) -> list[tuple[str, str, str]]:
    return [(row.run_id, row.kind, row.ref) for row in rows]


async def test_work_is_claimed_once_oldest_first_and_by_queue(
    store: EventStore, start_run: StartRun, open_store: OpenStore
):
    runs = [await start_run() for _ in range(6)]
    await runs[5].planned(node("a", queue="slow"))
    first = await leases.claim(store, ["plan"], "w1", 30, 2)
    assert [row.run_id for row in first] == [runs[0].run_id, runs[1].run_id]
    assert {(row.kind, row.queue, row.attempt, row.started, row.worker) for row in first} == {
        ("plan", "plan", 1, False, "w1")
    }
    others = [await open_store() for _ in range(4)]
    claimed: list[tuple[str, str, str]] = []
    # A claim locks up to its limit in each queue and takes the oldest of them; the others skip what it has locked and
    # not taken, which is free again after it. So the last one may need a second round.
    for _ in range(2):
        rest = await asyncio.gather(
            *(leases.claim(other, ["plan", "node.slow"], "w2", 30, 3) for other in others)
        )
        claimed += [key for rows in rest for key in keys(rows)]
    assert sorted(claimed) == sorted(
        [(run.run_id, "plan", "") for run in runs[2:5]] + [(runs[5].run_id, "node", "a")]
    )
    assert await leases.claim(store, ["plan", "node.slow", "node.other"], "w3", 30, 10) == []


async def test_a_released_claim_is_free_again_but_only_ones_own(store: EventStore, start_run: StartRun):
    await start_run()
    rows = await leases.claim(store, ["plan"], "w1", 30, 1)
    await leases.release(store, rows, "somebody else")
    assert await leases.claim(store, ["plan"], "w2", 30, 1) == []
    await leases.release(store, rows, "w1")
    assert keys(await leases.claim(store, ["plan"], "w2", 30, 1)) == keys(rows)


async def test_starting_claimed_work_makes_it_a_lease_that_a_release_cannot_take(
    store: EventStore, start_run: StartRun
):
    run = await start_run()
    rows = await leases.claim(store, ["plan"], "w1", 30, 1)
    request = c.RequestPlan(now=datetime.now(UTC), attempt=1, planner="p", capability_count=1)
    await run.handler.execute(run.run_id, request, lease=Lease("w1", 60))
    await leases.release(store, rows, "w1")
    assert await leases.extend(store, "w1", 60) == {(run.run_id, "plan", "", 1)}


async def test_a_claim_that_was_never_started_is_freed_in_time(store: EventStore, start_run: StartRun):
    run = await start_run()
    await leases.claim(store, ["plan"], "dead", 0.02, 1)

    (late,) = await eventually(lambda: leases.expired_claims(store))
    assert (late.run_id, late.kind, late.worker) == (run.run_id, "plan", "dead")
    assert await leases.expired(store) == []
    await leases.lose_claim(store, late, [{"worker": "dead"}])
    assert keys(await leases.claim(store, ["plan"], "alive", 0, 1)) == [(run.run_id, "plan", "")]
    (again,) = await eventually(lambda: leases.expired_claims(store))
    assert again.losses == [{"worker": "dead"}], "it is charged to the work until that has an end"


async def test_a_node_that_was_claimed_and_not_started_is_freed_in_time(
    store: EventStore, start_run: StartRun
):
    run = await start_run()
    await run.planned(node("a"))
    await leases.claim(store, ["node.default"], "dead", 0.02, 1)

    async def claimed_by_another() -> list[WorkRow]:
        assert await leases.expired(store) == []
        return await leases.claim(store, ["node.default"], "alive", 30, 1)

    assert keys(await eventually(claimed_by_another)) == [(run.run_id, "node", "a")]


async def test_a_lease_that_is_not_extended_expires_and_one_that_is_does_not(
    store: EventStore, start_run: StartRun
):
    run = await start_run()
    await run.planned(node("a"), node("b"))
    await start_node(run, "a", "silent", seconds=0.05)
    await start_node(run, "b", "beating", seconds=0.05)
    assert await leases.extend(store, "beating", 60) == {(run.run_id, "node", "b", 1)}
    rows = await eventually(lambda: leases.expired(store))
    assert [(row.ref, row.worker, row.attempt, row.started) for row in rows] == [("a", "silent", 1, True)]


async def test_after_a_takeover_the_first_worker_holds_nothing(store: EventStore, start_run: StartRun):
    run = await start_run()
    await run.planned(node("a"))
    await start_node(run, "a", "first", seconds=0)
    lost = c.FailNode(
        now=datetime.now(UTC), node_id="a", attempt=1, error_code="worker_lost", message="gone", lost=True
    )
    await run.handler.execute(run.run_id, lost)
    assert await leases.extend(store, "first", 60) == set()
    await start_node(run, "a", "second", attempt=2)
    assert await leases.extend(store, "first", 60) == set()
    assert await leases.extend(store, "second", 60) == {(run.run_id, "node", "a", 2)}
    await run.complete("a", attempt=2)
    assert await leases.extend(store, "second", 60) == set()


async def test_work_started_without_a_lease_cannot_be_lost(
    store: EventStore, start_run: StartRun, database: AsyncConnection[Any]
):
    run = await start_run()
    await run.planned(node("a"))
    await run.start("a")
    cursor = await database.execute("select worker, lease_until - clock_timestamp() from flex_work")
    worker, remaining = await cursor.fetchone() or (None, timedelta())
    assert worker == ""
    assert timedelta(0) < remaining <= timedelta(seconds=DEFAULT_LEASE_SECONDS)


async def test_retries_wait_for_their_time(
    store: EventStore, start_run: StartRun, database: AsyncConnection[Any]
):
    run = await start_run()
    await run.planned(node("a"))
    await run.start("a")
    later = datetime.now(UTC) + timedelta(hours=1)
    failure = c.FailNode(now=later, node_id="a", attempt=1, error_code="x", message="x")
    due_at = (await run.handler.execute(run.run_id, failure)).state.nodes["a"].due_at
    assert await leases.next_due_at(store) == due_at
    assert await leases.claim(store, ["node.default"], "w", 30, 1) == []
    assert await leases.unclaimed(store, 0) == []
    await database.execute("update flex_work set due_at = now()")
    assert await leases.next_due_at(store) is None
    (row,) = await leases.claim(store, ["node.default"], "w", 30, 1)
    assert (row.ref, row.attempt) == ("a", 2)


async def test_timers_fall_due_and_are_no_work_for_workers(
    store: EventStore, start_run: StartRun, database: AsyncConnection[Any]
):
    run = await start_run(constraints={"deadlineSeconds": 3600})
    assert await leases.due_timers(store) == []
    due_at = await leases.next_due_at(store)
    assert due_at == (await store.load(run.run_id)).deadline_at
    await database.execute(
        "update flex_work set due_at = now() - interval '1 second' where kind = 'deadline'"
    )
    assert keys(await leases.due_timers(store)) == [(run.run_id, "deadline", "")]
    assert keys(await leases.unclaimed(store, 0)) == [(run.run_id, "plan", "")]


async def test_unclaimed_work_is_hinted_at_again_and_not_at_once_again(
    store: EventStore, start_run: StartRun, database: AsyncConnection[Any]
):
    runs = [await start_run() for _ in range(3)]
    assert await leases.unclaimed(store, 60) == []
    await leases.claim(store, ["plan"], "w", 30, 1)
    await database.execute(
        "update flex_work set hinted_at = hinted_at - interval '1 hour', due_at = due_at - interval '1 hour'"
    )
    unclaimed = await leases.unclaimed(store, 60)
    assert sorted(keys(unclaimed)) == sorted((run.run_id, "plan", "") for run in runs[1:])
    assert await leases.unclaimed(store, 60) == []


async def test_failures_of_a_work_are_counted_across_its_attempts(store: EventStore, start_run: StartRun):
    run = await start_run()
    assert await leases.record_failure(store, run.run_id, "plan", "") == 1
    assert await leases.record_failure(store, run.run_id, "plan", "") == 2
    await run.do(c.RequestPlan, attempt=1, planner="p", capability_count=1)
    await run.do(c.RejectPlan, attempt=1, diagnostics=[], retryable=True)
    assert await leases.record_failure(store, run.run_id, "plan", "") == 3
    assert await leases.record_failure(store, run.run_id, "node", "nowhere") == 0
    assert await leases.record_failure(store, "not a run", "plan", "") == 0


async def test_an_ended_run_leaves_no_work_to_anyone(store: EventStore, start_run: StartRun):
    run = await start_run(constraints={"deadlineSeconds": 3600})
    await run.to_the_end()
    assert await leases.claim(store, ["plan", "node.default"], "w", 30, 10) == []
    assert await leases.next_due_at(store) is None
