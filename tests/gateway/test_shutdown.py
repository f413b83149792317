"""A stopping gateway ends its streams at once, so that clients reconnect elsewhere, and finishes its writes."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp
import orjson
import pytest

from tests.support.by_hand import ByHand
from tests.support.gateways import API, ENVELOPE, RunningGateway, stream_of
from tests.support.waiting import eventually

Start = Callable[..., Awaitable[RunningGateway]]


async def test_fifty_open_streams_end_within_a_second_and_go_on_elsewhere(start_gateway: Start) -> None:
    ending, other = await start_gateway(notified=True), await start_gateway(notified=True)
    run_id = await ending.start_run()
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(stream_of(ending, run_id)) for _ in range(50)]
        for stream in streams:
            await stream.until(1)
        started = time.monotonic()
        await ending.server.close()
        assert time.monotonic() - started < 1
        for stream in streams:
            await stream.to_end()
            assert stream.ids == [1]
    async with stream_of(other, run_id, **{"Last-Event-ID": "1"}) as resumed:
        await ByHand(other.handler, run_id).to_the_end()
        assert (await resumed.to_end()).ids == [2, 3, 4, 5, 6]


async def test_a_stalled_reader_does_not_hold_the_shutdown(start_gateway: Start) -> None:
    gateway = await start_gateway(stall_seconds=30)
    run_id = await gateway.start_run()
    hand = ByHand(gateway.handler, run_id)
    for _ in range(200):
        await hand.log("x" * 60_000)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    client.connect(("127.0.0.1", gateway.port))
    path = f"{API}/runs/{run_id}/events"
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n".encode())
    await eventually(lambda: len(gateway.gateway.streams) == 1)
    started = time.monotonic()
    await gateway.server.close()
    assert time.monotonic() - started < 2
    client.close()


async def test_what_was_begun_before_the_shutdown_is_written_and_answered(gateway: RunningGateway) -> None:
    async def start(number: int) -> str | None:
        body = orjson.dumps({**ENVELOPE, "objective": f"task {number}"})
        try:
            async with gateway.http.post(f"{gateway.url}{API}/runs", data=body) as answer:
                return (await answer.json())["runId"] if answer.status == 202 else None
        except aiohttp.ClientError:
            return None

    starting = [asyncio.create_task(start(number)) for number in range(200)]
    await eventually(lambda: any(each.done() for each in starting))
    await gateway.server.close()
    accepted = [run_id for run_id in await asyncio.gather(*starting) if run_id is not None]
    assert accepted
    for run_id in accepted:
        assert (await gateway.store.load(run_id, fresh=True)).seq == 1


async def test_a_gateway_that_shuts_down_is_not_ready_and_opens_no_stream(gateway: RunningGateway) -> None:
    run_id = await gateway.start_run()
    gateway.gateway.streams.close()
    answer, problem = await gateway.get("/readyz")
    assert (answer.status, problem["code"]) == (503, "not_ready")
    async with stream_of(gateway, run_id) as stream:
        await stream.to_end()
    assert stream.retries == [1000]


async def test_callers_are_told_to_go_elsewhere_before_the_socket_is_closed(gateway: RunningGateway) -> None:
    run_id = await gateway.start_run()
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(stream_of(gateway, run_id)) for _ in range(5)]
        for stream in streams:
            await stream.until(1)
        stopping = asyncio.create_task(gateway.server.close(notice_seconds=1.5))
        started = time.monotonic()
        for stream in streams:
            await stream.to_end()
        assert time.monotonic() - started < 1, "streams end at once"
    answers = [await gateway.post(f"{API}/runs", ENVELOPE) for _ in range(25)]
    assert {(answer.status, problem["code"]) for answer, problem in answers} == {(503, "stopping")}
    assert {answer.headers["Connection"] for answer, _ in answers} == {"close"}
    assert all(answer.headers["Retry-After"] for answer, _ in answers)
    answer, problem = await gateway.get("/readyz")
    assert (answer.status, problem["code"]) == (503, "not_ready")
    assert "stopping" in problem["detail"]
    assert (await gateway.get("/healthz"))[0].status == 200
    async with stream_of(gateway, run_id) as again:
        assert (await again.to_end()).retries == [1000], (
            "an EventSource gives up after any answer but a stream"
        )
    assert not stopping.done()
    await stopping
    with pytest.raises(aiohttp.ClientConnectorError):
        await gateway.get("/healthz")


async def test_what_is_answered_when_the_stop_begins_is_answered_to_the_end(gateway: RunningGateway) -> None:
    starting = [asyncio.create_task(gateway.post(f"{API}/runs", ENVELOPE)) for _ in range(25)]
    await eventually(lambda: any(each.done() for each in starting))
    stopping = asyncio.create_task(gateway.server.close(notice_seconds=1))
    answers = await asyncio.gather(*starting)
    assert {answer.status for answer, _ in answers} <= {202, 503}
    for answer, body in answers:
        if answer.status == 202:
            assert (await gateway.store.load(body["runId"], fresh=True)).seq == 1
    await stopping
