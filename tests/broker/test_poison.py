"""Work that costs its workers their lives: it is claimed before it begins, charged, and ended; lost nodes go first."""

import asyncio
from dataclasses import replace

import psycopg
import uuid_utils

from broker.interface import WorkHint
from eventstore import leases
from eventstore.batch import Lease
from runs.commands import AcceptPlan, FailNode, FailRun, Loss, RequestPlan, StartNode, StartRun
from tests.support.carriage import ENVELOPE, House, Site, now, open_planner, plan_hint
from tests.support.given import node, plan
from tests.support.waiting import eventually

WORK_SECONDS = 0.05


async def test_a_plan_that_ends_three_claimants_in_a_row_ends_as_poisoned(site: Site) -> None:
    async with House(site, dispatches=False) as house:
        run_id = await house.start_run()
        for worker in ("w1", "w2", "w3"):
            assert await leases.take(house.store, (run_id, "plan", "", 1), worker, 0.01)
            await eventually(lambda: _loses_one(house))
        last = (await house.store.read(run_id))[-1]
        assert (last.type, last.payload["status"]) == ("complete", "failed")
        error = last.payload["error"]
        assert error["code"] == "poisoned"
        assert [loss["worker"] for loss in error["details"]["losses"]] == ["w1", "w2", "w3"]
        assert error["details"]["kind"] == "plan"


async def _loses_one(house: House) -> bool:
    return (await house.keeper.run_once()).lost == 1


async def test_a_plan_that_comes_again_is_claimed_before_it_begins_and_not_twice(site: Site) -> None:
    async with House(site, dispatches=False) as house:
        run_id = await house.start_run()
        begun: list[WorkHint] = []
        gate = asyncio.Event()

        async def hang(hint: WorkHint) -> None:
            begun.append(hint)
            await gate.wait()

        await house.broker.consume(["plan"], hang, slots=4)
        again = replace(plan_hint(run_id), again=True)
        if site.kind != "postgres":
            await house.broker.publish([again, again])
        await eventually(lambda: begun)
        assert len(await _claims(house, run_id)) == 1
        assert not await leases.take(house.store, (run_id, "plan", "", 1), "another", 10)
        gate.set()
        await eventually(lambda: _is_free(house, run_id))
        assert len(begun) >= 1


async def test_plans_that_were_lost_together_are_not_begun_together_again(site: Site) -> None:
    async with House(site, dispatches=False) as house:
        run_ids = [await house.start_run() for _ in range(3)]
        for run_id in run_ids:
            assert await leases.take(house.store, (run_id, "plan", "", 1), "w1", 0.01)
        await eventually(lambda: _loses(house, 3))
        at_work: list[str] = []
        claimed: list[list[str]] = []
        done: list[str] = []

        async def serve(hint: WorkHint) -> None:
            at_work.append(hint.run_id)
            await asyncio.sleep(WORK_SECONDS)
            claimed.append(await _claims(house, *run_ids))
            failure = FailRun(now=now(), error_code="served", message="served", details={})
            await house.handler.execute(hint.run_id, failure)
            done.append(hint.run_id)

        await house.broker.consume(["plan"], serve, slots=4)
        if site.kind != "postgres":
            await house.broker.publish([replace(plan_hint(run_id), again=True) for run_id in run_ids])
        await eventually(lambda: len(done) == 3)
        assert at_work == done
        assert sorted(done) == sorted(run_ids)
        assert claimed == [[run_id] for run_id in done], "only the one at work is claimed"


async def _loses(house: House, number: int) -> bool:
    return (await house.keeper.run_once()).lost == number


async def _claims(house: House, *run_ids: str) -> list[str]:
    """The runs of these whose work is claimed."""
    async with await psycopg.AsyncConnection.connect(house.site.database_url) as connection:
        look = "select run_id::text from flex_work where run_id = any (%s::uuid[]) and worker is not null"
        return [row[0] for row in await (await connection.execute(look, [list(run_ids)])).fetchall()]


async def _is_free(house: House, run_id: str) -> bool:
    return not await _claims(house, run_id)


async def test_a_consumer_that_stops_in_good_order_leaves_no_loss_behind(site: Site) -> None:
    async with House(site, dispatches=False) as house:
        run_id = await house.start_run()
        begun: list[WorkHint] = []

        async def hang(hint: WorkHint) -> None:
            begun.append(hint)
            await asyncio.Event().wait()

        consumer = await house.broker.consume(["plan"], hang, slots=4)
        if site.kind != "postgres":
            await house.broker.publish([replace(plan_hint(run_id), again=True)])
        await eventually(lambda: begun)
        await consumer.cancel(drain_seconds=0)
        assert await _claims(house, run_id) == []
        assert (await house.keeper.run_once()).lost == 0
        planner = open_planner(house)
        await house.broker.consume(["plan"], planner.handle, slots=1)
        await house.keeper.start()
        await house.all_complete([run_id])


async def test_a_lost_node_goes_before_two_hundred_that_wait(site: Site) -> None:
    async with House(site) as house:
        lost = await _planned(house)
        await house.handler.execute(
            lost, StartNode(now=now(), node_id="draft", attempt=1), lease=Lease("w1", 30)
        )
        waiting = await asyncio.gather(*(_planned(house) for _ in range(200)))
        served: list[str] = []
        gate = asyncio.Event()

        async def serve(hint: WorkHint) -> None:
            if hint.attempt == 1 and hint.run_id == lost:
                return
            served.append(hint.run_id)
            if len(served) == 2:
                await gate.wait()
            await asyncio.sleep(WORK_SECONDS)

        await house.broker.consume(["node.default"], serve, slots=1)
        await eventually(lambda: len(served) == 2)
        failure = FailNode(
            now=now(),
            node_id="draft",
            attempt=1,
            error_code="worker_lost",
            message="gone",
            lost=True,
            loss=Loss("w1"),
        )
        await house.handler.execute(lost, failure)
        gate.set()
        await eventually(lambda: lost in served, timeout_seconds=30)
        # Some are served while the hint travels; at the end of the queue it would be the last of all.
        assert served.index(lost) <= 30, f"{served.index(lost)} of {len(waiting)} went before it"


async def _planned(house: House) -> str:
    run_id = str(uuid_utils.uuid7())
    await house.handler.execute(
        run_id,
        StartRun(now=now(), envelope=ENVELOPE, schema_hash=None),
        RequestPlan(now=now(), attempt=1, planner="p", capability_count=1),
        AcceptPlan(now=now(), attempt=1, plan=plan(node("draft"))),
    )
    return run_id
