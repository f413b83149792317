"""Killed workers, lost hints, handlers that raise, cut connections."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from broker.interface import WorkHint
from eventstore.errors import StoreUnavailable
from tests.support.carriage import House, Planner, Site, open_planner, plan_hint
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import DEADLINE_SECONDS, eventually

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def doomed_worker(site: Site, mode: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A consumer in a process of its own that has stopped where `mode` says."""
    arguments = [
        "-m",
        "tests.support.carriage_worker",
        site.database_url,
        site.broker_url,
        site.namespace,
        mode,
    ]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(DEADLINE_SECONDS):
            while (await process.stdout.readline()).decode().strip() != mode:
                assert not process.stdout.at_eof(), "the worker ended by itself"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("mode", ["claimed", "holding"])
async def test_a_killed_workers_work_is_taken_over(site: Site, mode: str) -> None:
    async with House(site) as house:
        run_id = await house.start_run()
        async with doomed_worker(site, mode) as worker:
            planner = open_planner(house)
            await house.broker.consume(["plan"], planner.handle, slots=4)
            assert planner.claimed == []
            worker.kill()
            await worker.wait()
            await house.keeper.start()
            await house.all_complete([run_id])
        types = await house.types(run_id)
        requests = 2 if mode == "claimed" else 1
        assert types.count("plan_requested") == requests, types
        assert types.count("complete") == 1


async def test_a_killed_readers_message_is_read_by_another(site: Site) -> None:
    async with House(site) as house:
        await house.broker.publish_message("hitl", b"decision")
        async with doomed_worker(site, "reading") as worker:
            worker.kill()
            await worker.wait()
            read: list[bytes] = []

            async def note(body: bytes) -> None:
                read.append(body)

            await house.broker.consume_messages("hitl", note, prefetch=1)
            await eventually(lambda: read == [b"decision"])


async def test_hints_that_nobody_ever_sent_are_found_by_the_keeper(site: Site) -> None:
    async with House(site, dispatches=False) as house:
        planner = open_planner(house)
        await house.broker.consume(["plan"], planner.handle, slots=8)
        runs = await house.start_runs(30)
        await house.keeper.start()
        await house.all_complete(runs)
        assert sorted(planner.claimed) == sorted(runs)


async def test_a_handler_that_always_breaks_ends_the_run_with_a_reason_and_harms_no_other(
    house: House,
) -> None:
    planner = open_planner(house)
    cursed: list[str] = []
    tries = 0

    async def handle(hint: WorkHint) -> asyncio.Task[None] | None:
        nonlocal tries
        if hint.run_id in cursed:
            tries += 1
            raise ZeroDivisionError("a bug in the worker")
        return await planner.handle(hint)

    cursed.append(await house.start_run())
    await house.broker.consume(["plan"], handle, slots=2)
    await house.keeper.start()
    others = await house.start_runs(10)
    await house.all_complete([*cursed, *others])
    ending = (await house.store.read(cursed[0]))[-1]
    assert ending.payload["status"] == "failed"
    assert ending.payload["error"]["code"] == "internal_error"
    assert "5 times" in ending.payload["error"]["message"]
    assert "ZeroDivisionError: a bug in the worker" in ending.payload["error"]["message"]
    assert 5 <= tries <= 7, "doubled hints may be on their way at the same time"
    letters = await eventually(lambda: house.broker.dead_letters("plan"))
    assert cursed[0].encode() in letters[0].body
    assert "ZeroDivisionError" in letters[0].reason
    await house.broker.publish([plan_hint(cursed[0])])
    assert await house.types(cursed[0]) == ["start", "complete"]


async def test_work_whose_task_always_breaks_after_its_claim_ends_as_well(site: Site) -> None:
    async with House(site) as house:
        planner = Planner(house, lease_seconds=0.05)

        async def handle(hint: WorkHint) -> asyncio.Task[None] | None:
            task = await planner.handle(hint)
            if task is None:
                return None
            task.cancel()
            return asyncio.create_task(explode())

        async def explode() -> None:
            raise ZeroDivisionError("a bug in the task")

        consumer = await house.broker.consume(["plan"], handle, slots=2)
        await house.keeper.start()
        run_id = await house.start_run()
        await house.all_complete([run_id], 60)
        ending = (await house.store.read(run_id))[-1]
        assert ending.payload["error"]["code"] == "internal_error", ending.payload
        await eventually(lambda: consumer.busy == 0)


async def test_a_handler_that_has_lost_its_database_is_tried_again_and_not_counted(house: House) -> None:
    planner = open_planner(house)
    tries = 0

    async def handle(hint: WorkHint) -> asyncio.Task[None] | None:
        nonlocal tries
        tries += 1
        if tries <= 2:
            raise StoreUnavailable("the test says so")
        return await planner.handle(hint)

    await house.broker.consume(["plan"], handle, slots=2)
    run_id = await house.start_run()
    await house.all_complete([run_id])
    assert await house.broker.dead_letters("plan") == []


async def test_a_consumer_whose_connections_are_cut_goes_on(site: Site) -> None:
    async with cuttable(site) as (reachable, cut), House(reachable) as house:
        planner = open_planner(house)
        read: list[bytes] = []

        async def note(body: bytes) -> None:
            read.append(body)

        await house.broker.consume(["plan"], planner.handle, slots=4)
        await house.broker.consume_messages("hitl", note, prefetch=2)
        await house.keeper.start()
        for round_number in range(3):
            runs = await house.start_runs(5)
            await cut()
            runs += await house.start_runs(5)
            await house.all_complete(runs)
            await eventually(lambda: house.broker.healthy)
            body = b"%d" % round_number
            await house.broker.publish_message("hitl", body)
            await eventually(lambda body=body: body in read)


@asynccontextmanager
async def cuttable(site: Site) -> AsyncIterator[tuple[Site, Callable[[], Awaitable[None]]]]:
    """The site, and a function that ends every connection to its broker from the server's side."""
    if site.kind == "postgres":
        yield site, lambda: terminate_backends(site.database_url)
        return
    parts = urlsplit(site.broker_url)
    async with TcpProxy(parts.hostname or "", parts.port or 5672) as proxy:

        async def cut() -> None:
            assert proxy.cut() == 2, "one connection to publish and one to consume"

        yield replace(site, broker_url=proxy.url(site.broker_url)), cut


async def terminate_backends(database_url: str) -> None:
    """End every session of this database but our own."""
    statement = (
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(statement)
