"""What only the Postgres broker does: hand over without a claim, claim in order, survive database restarts."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

from broker.factory import open_broker
from broker.interface import WorkHint
from broker.postgres import PostgresBroker
from eventstore import leases
from eventstore.migrate import migrate
from tests.support.carriage import BrokerTimes, House, Planner, Site, open_planner
from tests.support.postgres_server import PostgresServer
from tests.support.waiting import eventually


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[House]:
    """A house on Postgres alone."""
    async with House(Site(database_url, "postgres", "")) as opened:
        yield opened


async def workers(house: House) -> list[str | None]:
    """The worker that has each piece of work."""
    async with await psycopg.AsyncConnection.connect(house.site.database_url) as connection:
        rows = await (await connection.execute("select worker from flex_work order by due_at")).fetchall()
    return [row[0] for row in rows]


async def test_work_of_the_same_process_is_handed_over_without_a_claim(database_url: str) -> None:
    site = Site(database_url, "postgres", "")
    async with House(site, BrokerTimes(poll_seconds=600)) as house:  # a poll would claim what it finds
        seen: list[list[str | None]] = []
        planner = open_planner(house)

        async def handle(hint: WorkHint) -> asyncio.Task[None] | None:
            seen.append(await workers(house))
            return await planner.handle(hint)

        await house.broker.consume(["plan"], handle, slots=4)
        first = await house.start_run()
        await house.all_complete([first])
        seen.clear()
        await house.all_complete([await house.start_run()])
        assert seen == [[None]]


async def test_work_that_waits_is_served_before_work_that_comes(house: House) -> None:
    planner = Planner(house)
    await house.broker.consume(["plan"], planner.handle, slots=1)
    early = [await house.start_run() for _ in range(6)]
    await eventually(lambda: len(planner.claimed) == 1)
    planner.gate.set()
    late = [await house.start_run() for _ in range(3)]
    await house.all_complete(early + late)
    assert set(planner.claimed[:6]) == set(early)


async def test_a_refused_claim_is_given_back_at_once(house: House) -> None:
    refused: list[WorkHint] = []

    async def refuse(hint: WorkHint) -> None:
        refused.append(hint)

    run_id = await house.start_run()
    consumer = await house.broker.consume(["plan"], refuse, slots=1)
    await eventually(lambda: refused)
    await consumer.cancel(drain_seconds=1)
    assert await workers(house) == [None]
    planner = open_planner(house)
    await house.broker.consume(["plan"], planner.handle, slots=1)
    await house.all_complete([run_id])


async def test_a_refused_claim_is_not_asked_for_again_and_again(house: House) -> None:
    refused: list[WorkHint] = []

    async def refuse(hint: WorkHint) -> None:
        refused.append(hint)

    await house.broker.consume(["plan"], refuse, slots=4)
    await house.start_run()
    await eventually(lambda: len(refused) >= 3)
    assert len(refused) <= 4, "once when it came, and then at each poll"


async def test_a_task_that_ends_while_the_table_is_asked_does_not_have_it_asked_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    answering = asyncio.Event()
    claim = leases.claim

    async def slow(*arguments: Any, **named: Any) -> list[leases.WorkRow]:
        asked.append(time.monotonic())
        await answering.wait()
        return await claim(*arguments, **named)

    monkeypatch.setattr(leases, "claim", slow)
    answering.set()
    tempo = BrokerTimes(poll_seconds=1.0)
    async with House(Site(database_url, "postgres", ""), tempo) as house:
        planner = Planner(house)
        await house.broker.consume(["plan"], planner.handle, slots=64)
        run_id = await house.start_run()
        await eventually(lambda: planner.at_work)
        answering.clear()
        seen = len(asked)
        await eventually(lambda: len(asked) > seen)
        planner.gate.set()
        await house.all_complete([run_id])
        await eventually(lambda: not planner.at_work)
        answered = time.monotonic()
        answering.set()
        await eventually(lambda: len(asked) > seen + 1)
        assert asked[seen + 1] - answered >= tempo.poll_seconds * 0.9


async def test_a_busy_process_with_no_backlog_claims_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    claim = leases.claim

    async def counted(*arguments: Any, **named: Any) -> list[leases.WorkRow]:
        nonlocal asked
        asked += 1
        return await claim(*arguments, **named)

    monkeypatch.setattr(leases, "claim", counted)
    planner = open_planner(house)
    await house.broker.consume(["plan"], planner.handle, slots=64)
    await house.all_complete([await house.start_run()])
    asked = 0
    started = time.monotonic()
    await house.all_complete([await house.start_run() for _ in range(30)])
    polls = (time.monotonic() - started) / house.tempo.poll_seconds
    assert asked <= polls + 1, "each of 30 tasks that ended would have asked the table"


async def test_restarts_and_kills_of_the_database_lose_nothing() -> None:
    async with PostgresServer() as server:
        await migrate(server.url)
        async with House(Site(server.url, "postgres", "")) as house:
            planner = Planner(house)
            consumer = await house.broker.consume(["plan"], planner.handle, slots=4)
            read: list[bytes] = []

            async def note(body: bytes) -> None:
                read.append(body)

            await house.broker.consume_messages("hitl", note, prefetch=2)
            await house.keeper.start()
            runs = await house.start_runs(10)
            await eventually(lambda: len(planner.claimed) == 4)
            await server.restart()
            runs += await house.start_runs(5)
            planner.gate.set()
            await server.kill()
            await server.start()
            runs += await house.start_runs(5)
            await house.all_complete(runs, 60)
            await house.broker.publish_message("hitl", b"after")
            await eventually(lambda: read == [b"after"])
            await eventually(lambda: consumer.busy == 0)
            for run_id in runs:
                assert (await house.types(run_id)).count("complete") == 1


async def test_a_consumer_without_a_listener_goes_by_its_poll(database_url: str) -> None:
    site = Site(database_url, "postgres", "")
    async with House(site) as door, House(site) as house:
        deaf = PostgresBroker(house.store, None)
        planner = open_planner(house)
        await deaf.start()
        await deaf.consume(["plan"], planner.handle, slots=2)
        await door.all_complete(await door.start_runs(5))
        await deaf.close()


async def test_a_broker_is_named_by_its_address(house: House) -> None:
    assert isinstance(open_broker("postgres", house.store, None), PostgresBroker)
    assert open_broker("amqp://guest:guest@localhost/", house.store, None).forgets_hints
    with pytest.raises(ValueError, match="amqp"):
        open_broker("kafka://secret@example", house.store, None)


async def test_no_plan_of_the_database_claims_more_messages_than_asked_for(house: House) -> None:
    # Nested loops run a subquery of IN once for each row; statistics may make a planner choose them at any time.
    database = sql.Identifier(house.site.database_url.rpartition("/")[2])
    async with await psycopg.AsyncConnection.connect(house.site.database_url, autocommit=True) as connection:
        for way in ("hashagg", "hashjoin", "mergejoin", "material", "sort"):
            setting = sql.Identifier(f"enable_{way}")
            await connection.execute(sql.SQL("alter database {} set {} = off").format(database, setting))
        for _ in range(9):
            await house.broker.publish_message("hitl", b"x")
    async with House(house.site) as fresh:
        parameters = {"queue": "hitl", "hidden_seconds": 60, "limit": 3}
        assert len(await fresh.store.fetch("messages/claim", parameters)) == 3


async def test_a_message_wakes_its_reader_before_the_next_poll(database_url: str) -> None:
    async with House(Site(database_url, "postgres", ""), BrokerTimes(poll_seconds=600)) as house:
        read: list[bytes] = []

        async def note(body: bytes) -> None:
            read.append(body)

        await house.broker.consume_messages("hitl", note, prefetch=1)
        for body in (b"1", b"2"):
            await house.broker.publish_message("hitl", body)
            await eventually(lambda body=body: read[-1:] == [body])
