"""Work that kills its workers: it is claimed before it starts, charged, and ended; lost nodes go first."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import psycopg
import pytest
import uuid_utils

from broker.interface import WorkHint
from eventstore import leases
from eventstore.batch import Lease
from eventstore.rows import Result
from runs.commands import AcceptPlan, FailNode, FailRun, Loss, RequestPlan, StartNode, StartRun
from tests.support.carriage import ENVELOPE, BrokerTimes, House, Site, now, open_planner, plan_hint
from tests.support.given import node, plan
from tests.support.ports import free_port
from tests.support.waiting import eventually

WORK_SECONDS = 0.05
UNPOLLED = BrokerTimes(poll_seconds=60)


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


async def test_a_plan_is_claimed_before_it_begins_and_not_twice(site: Site) -> None:
    async with House(site, dispatches=False) as house:
        run_id = await house.start_run()
        begun: list[WorkHint] = []
        gate = asyncio.Event()

        async def hang(hint: WorkHint) -> None:
            begun.append(hint)
            await gate.wait()

        await house.broker.consume(["plan"], hang, slots=4)
        if site.kind != "postgres":
            await house.broker.publish([plan_hint(run_id), plan_hint(run_id)])
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
        lost = 0

        async def all_lost() -> bool:
            nonlocal lost
            lost += (await house.keeper.run_once()).lost
            return lost == len(run_ids)

        await eventually(all_lost)
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
            await house.broker.publish([plan_hint(run_id) for run_id in run_ids])
        await eventually(lambda: len(done) == 3)
        assert at_work == done
        assert sorted(done) == sorted(run_ids)
        assert claimed == [[run_id] for run_id in done], "only the one at work is claimed"


async def test_without_rabbitmq_a_suspect_is_begun_when_the_one_before_it_has_ended(
    database_url: str,
) -> None:
    nowhere = Site(database_url, f"amqp://guest:guest@127.0.0.1:{free_port()}/", "nobody")
    tempo = BrokerTimes(fallback_after_seconds=0.1, fallback_poll_seconds=0.05)
    async with House(nowhere, tempo) as house:
        suspects = [await house.start_run() for _ in range(2)]
        for run_id in suspects:
            assert await leases.take(house.store, (run_id, "plan", "", 1), "w1", 0.01)
            await eventually(lambda: _loses_one(house))
        begun: list[str] = []
        gate = asyncio.Event()

        async def serve(hint: WorkHint) -> None:
            begun.append(hint.run_id)
            if hint.run_id in suspects:
                await gate.wait()
            failure = FailRun(now=now(), error_code="served", message="served", details={})
            await house.handler.execute(hint.run_id, failure)

        await house.broker.consume(["plan"], serve, slots=4)
        await eventually(lambda: begun == suspects[:1])
        # Later queries of the table take work that is no suspect, and leave the other suspect.
        good = [await house.start_run()]
        await eventually(lambda: good[0] in begun)
        good.append(await house.start_run())
        await house.all_complete(good)
        assert begun == [suspects[0], *good]
        assert await _claims(house, *suspects) == suspects[:1]
        gate.set()
        await house.all_complete(suspects)


async def test_a_plan_of_this_process_is_counted_once_by_a_note_or_a_claim(site: Site) -> None:
    async with House(site, UNPOLLED) as house:
        waiter = await Waiter.ready(house)
        run_id = await house.start_run()
        await eventually(lambda: waiter.begun == [run_id])
        noted, claimed = _noted(house), await _claims(house, run_id)
        assert (noted, claimed) == (([run_id], []) if site.kind == "postgres" else ([], [run_id]))
        waiter.gate.set()
        await house.all_complete([run_id])
        await eventually(lambda: _noted(house) == [])


async def test_plans_for_which_there_is_no_room_in_the_notes_are_claimed_in_the_table(
    database_url: str,
) -> None:
    async with House(Site(database_url, "postgres", ""), UNPOLLED, journal_bytes=64) as house:
        waiter = await Waiter.ready(house)
        run_ids = [await house.start_run() for _ in range(2)]
        await eventually(lambda: waiter.begun == run_ids)
        assert (_noted(house), await _claims(house, *run_ids)) == (run_ids[:1], run_ids[1:])
        waiter.gate.set()
        await house.all_complete(run_ids)


async def test_a_noted_plan_that_takes_long_is_claimed_by_the_next_poll_and_not_begun_again(
    database_url: str,
) -> None:
    async with House(Site(database_url, "postgres", ""), BrokerTimes(poll_seconds=0.05)) as house:
        waiter = await Waiter.ready(house)
        run_id, _ = await house.start_run(), await eventually(lambda: waiter.begun)
        await eventually(lambda: _is_claimed(house, run_id))
        second = await house.start_run()
        await eventually(lambda: second in waiter.begun)
        assert waiter.begun == [run_id, second]
        waiter.gate.set()
        await house.all_complete([run_id, second])
        assert waiter.begun == [run_id, second]


async def _is_claimed(house: House, run_id: str) -> bool:
    return await _claims(house, run_id) == [run_id]


async def test_a_hint_that_was_handed_on_is_claimed_where_it_is_served(
    database_url: str, amqp_url: str, broker_namespace: str
) -> None:
    site, tempo = Site(database_url, amqp_url, broker_namespace), BrokerTimes(hand_on_seconds=0.2)
    async with House(site, tempo) as house, House(site, tempo, dispatches=False) as helper:
        busy = await Waiter.ready(house, slots=1)
        first = await house.start_run()
        await eventually(lambda: busy.begun == [first])
        second = await house.start_run()
        await eventually(lambda: _depth_is_one(house), describe="the second was handed on")
        free = await Waiter.ready(helper, slots=1, first=False)
        await eventually(lambda: free.begun == [second])
        assert await _claims(house, second) == [second]
        busy.gate.set()
        free.gate.set()
        await house.all_complete([first, second])


async def _depth_is_one(house: House) -> bool:
    return await house.broker.depth("plan") == 1


async def test_a_claim_costs_no_statement_beside_the_one_that_reads_the_run(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with House(site) as gateway, House(site, dispatches=False) as house:
        asked: list[str] = []
        query = house.store.query

        async def counted(name: str, parameters: Mapping[str, object]) -> Result:
            asked.append(name)
            return await query(name, parameters)

        monkeypatch.setattr(house.store, "query", counted)
        await Waiter.ready(house, first=False, waits=False)
        run_id = await gateway.start_run()
        await gateway.all_complete([run_id])
        reading = "log/read" if site.kind == "postgres" else "work/take"
        about_the_run = [name for name in asked if name in ("work/take", "log/read", "work/release")]
        assert about_the_run == [reading], "nor is the claim given back: it went with the work"


@dataclass
class Waiter:
    """Ends runs in one append once `gate` is open, like an instant planner."""

    house: House
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    begun: list[str] = field(default_factory=list[str])

    @staticmethod
    async def ready(house: House, *, slots: int = 4, first: bool = True, waits: bool = True) -> "Waiter":
        """It consumes; with `first` it has served a run, so that the table is known to be empty."""
        waiter = Waiter(house)
        waiter.gate.set()
        await house.broker.consume(["plan"], waiter.handle, slots=slots)
        if first:
            await eventually(waiter.served_without_a_query)
        waiter.begun.clear()
        if waits:
            waiter.gate.clear()
        return waiter

    async def served_without_a_query(self) -> bool:
        """Serve a run; whether it came straight from its commit, so that no query of the table is in flight."""
        self.gate.clear()
        run_id = await self.house.start_run()
        await eventually(lambda: run_id in self.begun)
        direct = self.house.site.kind != "postgres" or run_id in _noted(self.house)
        self.gate.set()
        await self.house.all_complete([run_id])
        if self.house.journal is not None:
            await eventually(lambda: not _noted(self.house))
        return direct

    async def handle(self, hint: WorkHint) -> None:
        """The handler for the broker."""
        self.begun.append(hint.run_id)
        await self.gate.wait()
        failure = FailRun(now=now(), error_code="served", message="served", details={})
        await self.house.handler.execute(hint.run_id, failure)


def _noted(house: House) -> list[str]:
    assert house.journal is not None
    return [run_id for run_id, *_ in house.journal.left_behind()]


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
            await house.broker.publish([plan_hint(run_id)])
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
        await eventually(lambda: lost in served)
        # Some are served while the hint is sent; at the end of the queue it would be the last of all.
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
