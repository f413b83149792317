"""The dispatcher: hints are sent after the commit, in batches, and never delay it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import pytest

from broker.dispatch import Dispatcher
from broker.interface import BrokerUnavailable, WorkHint
from broker.postgres import PostgresBroker
from eventstore.batch import Lease
from runs.commands import AcceptPlan, FailNode, RequestPlan, StartNode
from tests.support.carriage import House, Site, now
from tests.support.given import node, plan
from tests.support.waiting import eventually


class Noting(PostgresBroker):
    """A broker that records its hints, and fails when a test says so."""

    def __init__(self, house: House) -> None:
        super().__init__(house.store, None)
        self.batches: list[list[WorkHint]] = []
        self.gate: asyncio.Event | None = None
        self.broken = False

    async def publish(self, hints: Sequence[WorkHint]) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.broken:
            raise BrokerUnavailable("the test says so")
        self.batches.append(list(hints))

    @property
    def hints(self) -> list[WorkHint]:
        return [hint for batch in self.batches for hint in batch]


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[House]:
    """A house whose dispatcher is the test's own."""
    async with House(Site(database_url, "postgres", ""), dispatches=False) as opened:
        yield opened


@pytest.fixture
async def broker(house: House) -> AsyncIterator[Noting]:
    """The broker behind a running dispatcher."""
    noting = Noting(house)
    dispatcher = Dispatcher(house.store, noting)
    await dispatcher.start()
    yield noting
    await dispatcher.close()


async def planned(house: House, *nodes: dict[str, object]) -> str:
    run_id = await house.start_run()
    await house.handler.execute(
        run_id,
        RequestPlan(now=now(), attempt=1, planner="p", capability_count=1),
        AcceptPlan(now=now(), attempt=1, plan=plan(*nodes)),
    )
    return run_id


async def test_each_piece_of_new_work_is_published_once(house: House, broker: Noting) -> None:
    run_id = await planned(house, node("a"), node("b"), node("c", "a", "b"))
    await eventually(lambda: len(broker.hints) == 3)
    assert broker.hints == [
        WorkHint(run_id, "plan", "", 1, "plan"),
        WorkHint(run_id, "node", "a", 1, "node.default"),
        WorkHint(run_id, "node", "b", 1, "node.default"),
    ]


async def test_work_that_the_committing_worker_took_itself_is_not_published(
    house: House, broker: Noting
) -> None:
    run_id = await house.start_run()
    await house.handler.execute(
        run_id,
        RequestPlan(now=now(), attempt=1, planner="p", capability_count=1),
        AcceptPlan(now=now(), attempt=1, plan=plan(node("a"), node("b"))),
        StartNode(now=now(), node_id="a", attempt=1),
        lease=Lease("w", 30),
    )
    await eventually(lambda: len(broker.hints) == 2)
    assert [hint.ref for hint in broker.hints] == ["", "b"]


async def test_commits_of_one_moment_travel_together(house: House, broker: Noting) -> None:
    runs = await house.start_runs(50)
    await eventually(lambda: len(broker.hints) == 50)
    assert sorted(hint.run_id for hint in broker.hints) == sorted(runs)
    assert len(broker.batches) < 25


async def test_a_retry_is_published_when_it_is_due_and_not_before(house: House, broker: Noting) -> None:
    run_id = await planned(house, node("a", contract={"maxAttempts": 3, "fallback": "retry"}))
    await house.handler.execute(
        run_id,
        StartNode(now=now(), node_id="a", attempt=1),
        FailNode(now=now(), node_id="a", attempt=1, error_code="x", message="x", jitter=0.0),
    )
    due_at = (await house.store.load(run_id)).nodes["a"].due_at
    assert due_at is not None
    assert due_at > now()
    assert len(broker.hints) <= 2
    hint = WorkHint(run_id, "node", "a", 2, "node.default")
    await eventually(lambda: hint in broker.hints)
    assert now() >= due_at - timedelta(milliseconds=5)


async def test_a_broker_that_fails_or_hangs_holds_up_no_commit(house: House, broker: Noting) -> None:
    broker.broken = True
    first = await house.start_run()
    broker.broken, broker.gate = False, asyncio.Event()
    second = await asyncio.wait_for(house.start_run(), 5)
    assert await house.types(first) == await house.types(second) == ["start"]
    broker.gate.set()
    await eventually(lambda: second in [hint.run_id for hint in broker.hints])


async def test_nothing_is_published_after_the_end(house: House) -> None:
    noting = Noting(house)
    dispatcher = Dispatcher(house.store, noting)
    await dispatcher.start()
    await house.start_run()
    await eventually(lambda: len(noting.hints) == 1)
    await dispatcher.close()
    await house.start_run()
    assert len(noting.hints) == 1
