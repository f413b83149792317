"""Receivers that are gone, slow, endless, redirecting or broken: retried, given up, or disabled."""

from __future__ import annotations

import asyncio

from aiohttp import web

from eventstore.store import EventStore
from tests.support.receivers import Call, Receiver, failing, never
from tests.support.waiting import eventually
from tests.webhooks.conftest import (
    AddHook,
    StartRun,
    StartWebhooks,
    all_are,
    deliveries,
    feed_all,
    first_failed,
)


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
    # Both before the first attempt: a disabled webhook gets no new deliveries.
    assert await feed_all(store) == 3
    await start_webhooks()
    await eventually(lambda: all_are(store, gone, "given_up", 2))
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
    row = await eventually(lambda: first_failed(store, hook))
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
    await eventually(lambda: all_are(store, hook, "given_up", 1))
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
    await eventually(lambda: all_are(store, hook, "delivered", 1))
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
    row = await eventually(lambda: first_failed(store, hook))
    assert row.error == "no answer within 0.1 s"
    receiver.behave = failing(0)
    await eventually(lambda: all_are(store, hook, "delivered", 1))


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
        await eventually(lambda: all_are(store, hook, "given_up", 1))
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
    await eventually(lambda: all_are(store, hook, "given_up", 1))
    await eventually(lambda: all_are(store, nowhere, "given_up", 1))
    assert (await deliveries(store, hook))[0].error == "cannot connect: Connection refused"
    assert (await deliveries(store, nowhere))[0].error == "the host name cannot be resolved"


def _has(receiver: Receiver, hook: str, run_id: str, seq: int) -> bool:
    return any((call.run_id, call.seq) == (run_id, seq) for call in receiver.of(hook))
