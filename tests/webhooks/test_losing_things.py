"""Processes, databases and webhooks that are lost while deliveries are in flight."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from eventstore.handler import RunHandler
from eventstore.migrate import migrate
from eventstore.store import EventStore
from eventstore.webhooks import get_webhook, list_webhooks, remove_webhook
from tests.support.postgres_server import PostgresServer
from tests.support.receivers import Call, Receiver, failing, never, take
from tests.support.started_runs import started_run
from tests.support.waiting import eventually
from tests.webhooks.conftest import AddHook, StartRun, StartWebhooks, deliveries, hook_on, statuses, tables


@contextmanager
def deliverer_process(database_url: str, lease_seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    """A deliverer in a process of its own, once it works."""
    command = [
        sys.executable,
        "-m",
        "tests.support.webhook_process",
        database_url,
        "doomed",
        str(lease_seconds),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.kill()


async def test_what_a_killed_process_had_under_way_is_taken_over_under_the_same_id(
    database_url: str,
    store: EventStore,
    receiver: Receiver,
    add_hook: AddHook,
    start_run: StartRun,
    start_webhooks: StartWebhooks,
) -> None:
    receiver.behave = never
    hook = await add_hook("a", "start", "log")
    with deliverer_process(database_url, lease_seconds=1.0) as process:
        runs = [await start_run() for _ in range(4)]
        for run in runs:
            await run.log("second")
        await eventually(lambda: receiver.under_way("a") == 4)
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait)
    await eventually(lambda: receiver.under_way("a") == 0)
    doomed = [call.message_id for call in receiver.calls]
    receiver.behave = take
    await start_webhooks("heir")
    await eventually(lambda: _delivered(store, hook, 8))
    assert sorted(doomed) == sorted(f"{hook}_{run.run_id}_1" for run in runs)
    again = [call.message_id for call in receiver.calls[4:]]
    assert sorted(again) == sorted(f"{hook}_{run.run_id}_{seq}" for run in runs for seq in (1, 2))
    assert receiver.most_of_run == 1
    assert [row.attempts for row in await deliveries(store, hook) if row.seq == 1] == [2] * 4


async def test_a_process_that_stops_gives_back_what_it_cannot_finish(
    store: EventStore,
    receiver: Receiver,
    add_hook: AddHook,
    start_run: StartRun,
    start_webhooks: StartWebhooks,
) -> None:
    receiver.behave = never
    hook = await add_hook("a", "start")
    first = await start_webhooks("first", lease_seconds=3_600.0, drain_seconds=0.01)
    await start_run()
    await eventually(lambda: receiver.under_way("a") == 1)
    await first.close()
    await eventually(lambda: receiver.under_way("a") == 0)
    receiver.behave = take
    await start_webhooks("second")
    await eventually(lambda: _delivered(store, hook, 1))
    assert receiver.most_of_run == 1


async def test_a_process_that_stops_finishes_what_it_can(
    store: EventStore,
    receiver: Receiver,
    add_hook: AddHook,
    start_run: StartRun,
    start_webhooks: StartWebhooks,
) -> None:
    answer = asyncio.Event()

    async def slow(_call: Call) -> int:
        await answer.wait()
        return 204

    receiver.behave = slow
    hook = await add_hook("a", "start")
    webhooks = await start_webhooks(drain_seconds=30.0)
    await start_run()
    await eventually(lambda: receiver.under_way("a") == 1)
    closing = asyncio.create_task(webhooks.close())
    answer.set()
    await closing
    assert await statuses(store, hook) == ["delivered"]
    assert len(receiver.calls) == 1


async def test_a_webhook_that_is_removed_while_it_is_retried_gets_nothing_more(
    database_url: str,
    store: EventStore,
    receiver: Receiver,
    add_hook: AddHook,
    start_run: StartRun,
    start_webhooks: StartWebhooks,
) -> None:
    receiver.behave = failing(1_000_000)
    removed, kept = await add_hook("removed", "start", "log"), await add_hook("kept", "log")
    await start_webhooks(backoff_seconds=(0.01,) * 1_000)
    run = await start_run()
    await eventually(lambda: len(receiver.of("removed")) >= 3)
    assert await remove_webhook(store, removed)
    assert not await remove_webhook(store, removed)
    await eventually(lambda: _rows_are_gone(database_url, removed))
    calls = len(receiver.of("removed"))
    receiver.behave = take
    await run.log("for the other one")
    await eventually(lambda: _delivered(store, kept, 1))
    assert len(receiver.of("removed")) == calls
    assert await get_webhook(store, removed) is None
    assert [row.hook_id for row in await list_webhooks(store)] == [kept]


async def test_a_restart_of_the_database_loses_nothing(
    receiver: Receiver, start_webhooks: StartWebhooks
) -> None:
    async with PostgresServer() as server:
        await migrate(server.url)
        store = await EventStore.open(server.url)
        hook = await hook_on(store, receiver, "a", "start", "log")
        webhooks = await start_webhooks(url=server.url, request_seconds=0.5, lease_seconds=1.0, slots=2)
        receiver.behave = failing(1)
        handler = RunHandler(store)
        runs = [await started_run(handler) for _ in range(10)]
        await eventually(lambda: len(receiver.calls) >= 3)
        await server.kill()
        await server.start()
        for run in runs:
            await run.log("afterwards")
        await eventually(lambda: _delivered(store, hook, 20))
        assert {(call.run_id, call.seq) for call in receiver.calls} == {
            (run.run_id, seq) for run in runs for seq in (1, 2)
        }
        assert receiver.most_of_run == 1
        await webhooks.close()
        await store.close()


async def _delivered(store: EventStore, hook: str, count: int) -> bool:
    return await statuses(store, hook) == ["delivered"] * count


async def _rows_are_gone(database_url: str, hook: str) -> bool:
    return await tables(database_url, hook) == {
        "flex_webhooks": 0,
        "flex_webhook_lanes": 0,
        "flex_webhook_deliveries": 0,
    }
