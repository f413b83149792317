"""The keeper: timers, lost workers, lost hints, one keeper at a time, and no run that blocks another."""

from collections.abc import AsyncIterator
from datetime import timedelta

import psycopg
import pytest
import uuid_utils

from broker.interface import BrokerUnavailable
from broker.keeper import Keeper, KeeperConfig, Round
from eventstore.batch import Lease
from runs.commands import AcceptPlan, RequestClarification, RequestPlan, StartNode, StartRun
from tests.support.carriage import ENVELOPE, BrokerTimes, House, Planner, Site, now, open_planner
from tests.support.given import node, plan
from tests.support.waiting import eventually


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[House]:
    """A house on Postgres alone, whose keeper a test runs by hand."""
    async with House(Site(database_url, "postgres", "")) as opened:
        yield opened


async def start(house: House, *, seconds_ago: float = 0, **envelope: object) -> str:
    run_id = str(uuid_utils.uuid7())
    moment = now() - timedelta(seconds=seconds_ago)
    await house.handler.execute(
        run_id, StartRun(now=moment, envelope={**ENVELOPE, **envelope}, schema_hash=None)
    )
    return run_id


async def plan_and_claim(house: House, run_id: str, lease_seconds: float, seconds_ago: float = 0) -> None:
    """A run with one node, which a worker has started."""
    moment = now() - timedelta(seconds=seconds_ago)
    await house.handler.execute(
        run_id,
        RequestPlan(now=moment, attempt=1, planner="p", capability_count=1),
        AcceptPlan(now=moment, attempt=1, plan=plan(node("draft"))),
        StartNode(now=moment, node_id="draft", attempt=1),
        lease=Lease("worker-1", lease_seconds),
    )


async def test_a_passed_deadline_ends_the_run(house: House) -> None:
    run_id = await start(house, seconds_ago=100, constraints={"deadlineSeconds": 60})
    in_time = await start(house, constraints={"deadlineSeconds": 60})
    assert await house.keeper.run_once() == Round(timers=1)
    ending = (await house.store.read(run_id))[-1]
    assert ending.payload["error"]["code"] == "deadline_exceeded"
    assert await house.types(in_time) == ["start"]
    assert await house.keeper.run_once() == Round(), "a timer fires once"


async def test_an_expired_request_is_resolved_as_its_rules_say(house: House) -> None:
    run_id = await start(house, seconds_ago=100, policies={"hitl": {"expiresInSeconds": 60}})
    await plan_and_claim(house, run_id, 30, seconds_ago=100)
    question = RequestClarification(
        now=now() - timedelta(seconds=90), node_id="draft", attempt=1, question="which colour?", options=()
    )
    await house.handler.execute(run_id, question)
    assert (await house.keeper.run_once()).timers == 1
    resolved = [event for event in await house.store.read(run_id) if event.type == "hitl_resolved"]
    assert [event.payload["decision"] for event in resolved] == ["expired"]


async def test_the_end_of_a_request_is_announced_once(house: House) -> None:
    run_id = await start(house, seconds_ago=100, policies={"hitl": {"expiresInSeconds": 100}})
    await plan_and_claim(house, run_id, 30, seconds_ago=100)
    question = RequestClarification(
        now=now() - timedelta(seconds=85), node_id="draft", attempt=1, question="which colour?", options=()
    )
    await house.handler.execute(run_id, question)
    assert (await house.keeper.run_once()).timers == 1
    assert (await house.types(run_id))[-1] == "hitl_expiring"
    assert (await house.keeper.run_once()).timers == 0


async def test_a_task_that_is_not_done_in_time_fails_its_node(house: House) -> None:
    run_id = await start(house, seconds_ago=100)
    human = node("look", agentType="human", contract={"timeoutSeconds": 60})
    before = now() - timedelta(seconds=90)
    await house.handler.execute(
        run_id,
        RequestPlan(now=before, attempt=1, planner="p", capability_count=1),
        AcceptPlan(now=before, attempt=1, plan=plan(human)),
        StartNode(now=before, node_id="look", attempt=1),
    )
    assert (await house.keeper.run_once()).timers == 1
    error, complete = (await house.store.read(run_id))[-2:]
    assert error.payload["error"] == {"code": "timeout", "message": "no output within 60 s"}
    assert complete.payload["status"] == "failed"


async def test_a_lost_workers_node_is_started_again_at_once(house: House) -> None:
    run_id = await start(house)
    await plan_and_claim(house, run_id, lease_seconds=0.01)
    await eventually(lambda: lost(house, 1))
    error = (await house.store.read(run_id))[-1]
    assert error.type == "node_error"
    assert error.payload["error"]["code"] == "worker_lost"
    assert "worker-1" in error.payload["error"]["message"]
    assert error.payload["willRetry"] is True
    retry = await house.handler.execute(
        run_id, StartNode(now=now(), node_id="draft", attempt=2), lease=Lease("worker-2", 30)
    )
    assert retry.events[0].type == "node_start"
    assert await house.keeper.run_once() == Round(), "a lease that holds is left alone"


async def test_a_lost_planners_run_is_planned_again(house: House) -> None:
    run_id = await start(house)
    await house.handler.execute(
        run_id,
        RequestPlan(now=now(), attempt=1, planner="p", capability_count=1),
        lease=Lease("planner-1", 0.01),
    )
    await eventually(lambda: lost(house, 1))
    rejected = (await house.store.read(run_id))[-1]
    assert rejected.type == "plan_rejected"
    assert [diagnostic["code"] for diagnostic in rejected.payload["diagnostics"]] == ["planner_lost"]
    planner = open_planner(house)
    await house.broker.consume(["plan"], planner.handle, slots=1)
    await house.all_complete([run_id])


async def lost(house: House, count: int) -> bool:
    return (await house.keeper.run_once()).lost == count


async def test_a_run_that_cannot_be_folded_holds_up_no_other(house: House) -> None:
    """Its log is invalid, so that every command on it raises."""
    cursed = [await start(house, seconds_ago=200, constraints={"deadlineSeconds": 60}) for _ in range(3)]
    async with await psycopg.AsyncConnection.connect(house.site.database_url, autocommit=True) as connection:
        for run_id in cursed:
            await connection.execute(
                "insert into flex_events (run_id, seq, type, payload, recorded_at, hash) "
                "values (%s, 2, 'no_such_type', '{}', now(), sha256(''))",
                (run_id,),
            )
    keeper = Keeper(house.store, house.handler, house.broker, KeeperConfig(batch=2))
    good = [await start(house, seconds_ago=100, constraints={"deadlineSeconds": 60}) for _ in range(4)]

    rounds = [await keeper.run_once()]

    async def fired() -> bool:
        rounds.append(await keeper.run_once())
        return [(await house.types(run_id))[-1] for run_id in good] == ["complete"] * 4

    await eventually(fired)
    assert rounds[0] == Round(left=2), "the two that are due longest are hopeless"
    assert sum(each.timers for each in rounds) == 4


async def test_one_of_two_keepers_keeps_and_the_other_takes_over_when_it_is_cut_off(
    site_pair: list[House],
) -> None:
    first, second = site_pair
    await first.keeper.start()
    await eventually(lambda: holders(first))
    await second.keeper.start()
    overdue = await start(first, seconds_ago=100, constraints={"deadlineSeconds": 60})
    await first.all_complete([overdue])
    assert len(await holders(first)) == 1
    await first.keeper.close()
    overdue = await start(second, seconds_ago=100, constraints={"deadlineSeconds": 60})
    await second.all_complete([overdue])
    (holder,) = await holders(second)
    async with await psycopg.AsyncConnection.connect(second.site.database_url, autocommit=True) as connection:
        await connection.execute("select pg_terminate_backend(%s)", (holder,))
    overdue = await start(second, seconds_ago=100, constraints={"deadlineSeconds": 60})
    await second.all_complete([overdue])
    assert await holders(second) != [holder]


@pytest.fixture
async def site_pair(database_url: str) -> AsyncIterator[list[House]]:
    """The parts of two processes on one database."""
    site = Site(database_url, "postgres", "")
    async with House(site) as first, House(site) as second:
        yield [first, second]


async def holders(house: House) -> list[int]:
    """The sessions that have the leader lock."""
    statement = (
        "select l.pid from pg_locks l join pg_stat_activity a using (pid) "
        "where locktype = 'advisory' and granted and a.datname = current_database()"
    )
    async with await psycopg.AsyncConnection.connect(house.site.database_url) as connection:
        return [pid for (pid,) in await (await connection.execute(statement)).fetchall()]


async def test_a_keeper_without_a_database_waits_and_goes_on(house: House) -> None:
    await house.keeper.start()
    await eventually(lambda: holders(house))
    async with await psycopg.AsyncConnection.connect(house.site.database_url, autocommit=True) as connection:
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )
    overdue = await start(house, seconds_ago=100, constraints={"deadlineSeconds": 60})
    await house.all_complete([overdue])


async def test_hints_that_wait_in_the_queue_of_busy_workers_are_not_sent_again(
    database_url: str, amqp_url: str, broker_namespace: str
) -> None:
    async with House(Site(database_url, amqp_url, broker_namespace)) as house:
        planner = Planner(house)
        await house.broker.consume(["plan"], planner.handle, slots=1)
        await house.start_runs(40)
        await eventually(lambda: len(planner.claimed) == 1)
        await eventually(lambda: house.broker.healthy)

        async def waits_there() -> bool:
            return await house.broker.depth("plan") >= 36

        await eventually(waits_there)
        sent = sum([(await house.keeper.run_once()).hints for _ in range(10)])
        # Work that the worker was sent but has not started (its prefetch) may count as lost, once.
        assert sent <= 3
        depth = await house.broker.depth("plan")
        assert 36 <= depth <= 40


async def test_hints_are_sent_again_when_the_broker_has_lost_them(
    database_url: str, amqp_url: str, broker_namespace: str
) -> None:
    site = Site(database_url, amqp_url, broker_namespace)
    async with House(site, dispatches=False) as house:
        await house.start_runs(5)
        await eventually(lambda: resent(house, 5))

        async def five() -> bool:
            return await house.broker.depth("plan") == 5

        await eventually(five)


async def resent(house: House, count: int) -> bool:
    return (await house.keeper.run_once()).hints == count


async def test_a_broker_that_is_away_is_not_asked_to_send_again(database_url: str) -> None:
    nowhere = Site(database_url, "amqp://guest:guest@127.0.0.1:1/", "nowhere")
    async with House(nowhere, BrokerTimes(publish_seconds=0.2)) as house:
        run_id = await house.start_run()
        assert await house.keeper.run_once() == Round()
        with pytest.raises(BrokerUnavailable):
            await house.broker.depth("plan")
        assert await house.types(run_id) == ["start"]
