"""What was asked for arrives: the frame of the log, signed, from the moment on at which it was asked for."""

from __future__ import annotations

import asyncio

from aiohttp import web

from eventstore.store import EventStore
from eventstore.webhooks import DeliveryRow
from runs.event import frame
from tests.support.receivers import Call, Receiver, failing, never
from tests.support.waiting import eventually
from tests.webhooks.conftest import AddHook, StartRun, StartWebhooks, deliveries, statuses


async def test_an_event_arrives_as_its_frame_with_a_signature_that_is_right(
    store: EventStore,
    receiver: Receiver,
    add_hook: AddHook,
    start_run: StartRun,
    start_webhooks: StartWebhooks,
) -> None:
    hook = await add_hook("a", "start", "complete")
    await start_webhooks()
    run = await start_run()
    await run.to_the_end()
    await eventually(lambda: len(receiver.calls) == 2)
    log = [frame(event) for event in await store.read(run.run_id)]
    assert [call.frame for call in receiver.calls] == [log[0], log[-1]]
    assert [call.message_id for call in receiver.calls] == [f"{hook}_{run.run_id}_{seq}" for seq in (1, 6)]
    assert receiver.refused == []
    await eventually(lambda: _all(store, hook, "delivered", 2))


async def test_events_from_before_the_webhook_are_not_sent(
    store: EventStore,
    receiver: Receiver,
    add_hook: AddHook,
    start_run: StartRun,
    start_webhooks: StartWebhooks,
) -> None:
    await start_webhooks()
    run = await start_run()
    await run.planned()
    await add_hook("a", "start", "plan_generated", "node_start", "node_complete", "complete")
    await run.work()
    await run.deliver()
    await eventually(lambda: len(receiver.calls) == 3)
    assert [call.frame["type"] for call in receiver.calls] == ["node_start", "node_complete", "complete"]


async def test_a_failure_is_tried_again_under_the_same_id(
    store: EventStore,
    receiver: Receiver,
    add_hook: AddHook,
    start_run: StartRun,
    start_webhooks: StartWebhooks,
) -> None:
    receiver.behave = failing(4)
    hook = await add_hook("a", "start")
    await start_webhooks()
    await start_run()
    await eventually(lambda: _all(store, hook, "delivered", 1))
    assert len(receiver.calls) == 5
    assert len({call.message_id for call in receiver.calls}) == 1
    [row] = await deliveries(store, hook)
    assert (row.attempts, row.response_status, row.error) == (5, 204, None)


async def test_each_attempt_is_signed_with_its_own_time(
    store: EventStore,
    receiver: Receiver,
    add_hook: AddHook,
    start_run: StartRun,
    start_webhooks: StartWebhooks,
) -> None:
    clock = iter(range(1_800_000_000, 1_900_000_000, 60))
    receiver.behave = failing(2)
    hook = await add_hook("a", "start")
    await start_webhooks(clock=lambda: next(clock))
    await start_run()
    await eventually(lambda: _all(store, hook, "delivered", 1))
    assert [call.timestamp for call in receiver.calls] == [1_800_000_000, 1_800_000_060, 1_800_000_120]
    assert receiver.refused == []


async def test_after_the_last_attempt_it_is_given_up_with_its_reason_and_the_next_one_goes_out(
    store: EventStore,
    receiver: Receiver,
    add_hook: AddHook,
    start_run: StartRun,
    start_webhooks: StartWebhooks,
) -> None:
    async def refuse_the_start(call: Call) -> int:
        return 503 if call.seq == 1 else 204

    receiver.behave = refuse_the_start
    hook = await add_hook("a", "start", "log")
    await start_webhooks(backoff_seconds=(0.01, 0.01))
    run = await start_run()
    await run.log("second")
    await eventually(lambda: _statuses_are(store, hook, ["given_up", "delivered"]))
    first, second = await deliveries(store, hook)
    assert (first.attempts, first.response_status, first.error) == (3, 503, "answered 503")
    assert first.finished_at is not None
    assert second.attempts == 1
    assert [call.seq for call in receiver.calls] == [1, 1, 1, 2]


async def test_what_has_waited_too_long_is_not_put_off_again(
    store: EventStore,
    receiver: Receiver,
    add_hook: AddHook,
    start_run: StartRun,
    start_webhooks: StartWebhooks,
) -> None:
    receiver.behave = failing(1000)
    hook = await add_hook("a", "start", "log")
    run = await start_run()
    for number in range(5):
        await run.log(str(number))
    await start_webhooks(backoff_seconds=(60.0,) * 10, give_up_seconds=30.0)
    await eventually(lambda: _all(store, hook, "given_up", 6))
    assert [call.seq for call in receiver.calls] == [1, 2, 3, 4, 5, 6]


async def test_a_receiver_that_is_gone_is_asked_no_more(
    store: EventStore,
    receiver: Receiver,
    add_hook: AddHook,
    start_run: StartRun,
    start_webhooks: StartWebhooks,
) -> None:
    async def gone_for_one(call: Call) -> int:
        return 410 if call.hook == "gone" else 204

    receiver.behave = gone_for_one
    gone = await add_hook("gone", "start", "log")
    await add_hook("other", "log")
    run = await start_run()
    await run.log("second")
    await start_webhooks()
    await eventually(lambda: _all(store, gone, "given_up", 2))
    await run.log("third")
    await eventually(lambda: _has(receiver, "other", run.run_id, 3))
    first, second = await deliveries(store, gone)
    assert first.error is not None
    assert second.error == "the webhook was disabled: the receiver answered 410 Gone"
    assert [call.seq for call in receiver.of("gone")] == [1]


async def test_a_receiver_is_left_alone_for_as_long_as_it_asks(
    store: EventStore,
    receiver: Receiver,
    add_hook: AddHook,
    start_run: StartRun,
    start_webhooks: StartWebhooks,
) -> None:
    async def later(_call: Call) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "600"})

    receiver.behave = later
    hook = await add_hook("a", "start")
    await start_webhooks()
    await start_run()
    row = await eventually(lambda: _first_failed(store, hook))
    assert row.attempted_at is not None
    assert row.next_attempt_at is not None
    assert 590 < (row.next_attempt_at - row.attempted_at).total_seconds() < 610


async def test_redirects_are_failures_and_are_not_followed(
    store: EventStore,
    receiver: Receiver,
    add_hook: AddHook,
    start_run: StartRun,
    start_webhooks: StartWebhooks,
) -> None:
    async def elsewhere(_call: Call) -> web.Response:
        return web.Response(status=307, headers={"Location": "/elsewhere"})

    receiver.behave = elsewhere
    hook = await add_hook("a", "start")
    receiver.secrets["elsewhere"] = receiver.secrets["a"]
    await start_webhooks(backoff_seconds=())
    await start_run()
    await eventually(lambda: _all(store, hook, "given_up", 1))
    [row] = await deliveries(store, hook)
    assert row.error == "answered 307; redirects are not followed"
    assert [call.hook for call in receiver.calls] == ["a"]


async def test_a_body_without_end_changes_nothing(
    store: EventStore,
    receiver: Receiver,
    add_hook: AddHook,
    start_run: StartRun,
    start_webhooks: StartWebhooks,
) -> None:
    cut = asyncio.Event()

    async def endless(call: Call) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(call.request)
        try:
            while True:
                await response.write(b"x" * 65_536)
        except (ConnectionError, asyncio.CancelledError):
            cut.set()
            raise

    receiver.behave = endless
    hook = await add_hook("a", "start")
    await start_webhooks()
    await start_run()
    await eventually(lambda: _all(store, hook, "delivered", 1))
    async with asyncio.timeout(5):
        await cut.wait()
    assert len(receiver.calls) == 1


async def test_a_receiver_that_says_nothing_is_tried_again(
    store: EventStore,
    receiver: Receiver,
    add_hook: AddHook,
    start_run: StartRun,
    start_webhooks: StartWebhooks,
) -> None:
    receiver.behave = never
    hook = await add_hook("a", "start")
    await start_webhooks(request_seconds=0.1)
    await start_run()
    row = await eventually(lambda: _first_failed(store, hook))
    assert row.error == "no answer within 0.1 s"
    receiver.behave = failing(0)
    await eventually(lambda: _all(store, hook, "delivered", 1))


async def test_a_receiver_that_breaks_off_is_tried_again(
    store: EventStore,
    receiver: Receiver,
    add_hook: AddHook,
    start_run: StartRun,
    start_webhooks: StartWebhooks,
) -> None:
    broken_off = 0

    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal broken_off
        broken_off += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"" if broken_off % 2 else b"HTTP/1.1 2\x00\xffnot http\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(break_off, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        hook = await add_hook("a", "start", url=f"http://127.0.0.1:{port}/")
        await start_webhooks(backoff_seconds=(0.01,) * 3)
        await start_run()
        await eventually(lambda: _all(store, hook, "given_up", 1))
    [row] = await deliveries(store, hook)
    assert (row.attempts, row.response_status) == (4, None)
    assert row.error is not None
    assert row.error.startswith("the connection broke off or did not speak HTTP")


async def test_a_receiver_that_is_not_there_is_tried_again(
    store: EventStore,
    receiver: Receiver,
    add_hook: AddHook,
    start_run: StartRun,
    start_webhooks: StartWebhooks,
) -> None:
    hook = await add_hook("a", "start", url="http://127.0.0.1:1/")
    nowhere = await add_hook("b", "start", url="http://nobody.invalid/")
    await start_webhooks(backoff_seconds=(0.01,))
    await start_run()
    await eventually(lambda: _all(store, hook, "given_up", 1))
    await eventually(lambda: _all(store, nowhere, "given_up", 1))
    assert (await deliveries(store, hook))[0].error == "cannot connect: Connection refused"
    assert (await deliveries(store, nowhere))[0].error == "the host name cannot be resolved"


async def _all(store: EventStore, hook: str, status: str, count: int) -> bool:
    return await statuses(store, hook) == [status] * count


async def _statuses_are(store: EventStore, hook: str, expected: list[str]) -> bool:
    return await statuses(store, hook) == expected


async def _first_failed(store: EventStore, hook: str) -> DeliveryRow:
    rows = await deliveries(store, hook)
    assert rows
    assert rows[0].error is not None
    assert rows[0].status == "pending"
    return rows[0]


def _has(receiver: Receiver, hook: str, run_id: str, seq: int) -> bool:
    return any((call.run_id, call.seq) == (run_id, seq) for call in receiver.of(hook))
