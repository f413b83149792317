"""A slow reader costs its own lag and bounded memory; one that takes nothing is dropped and may reconnect."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable

import pytest

from tests.support.by_hand import ByHand
from tests.support.gateways import API, RunningGateway, stream_of
from tests.support.waiting import eventually

Start = Callable[..., Awaitable[RunningGateway]]
LINE = "x" * 60_000


def _raw_reader(gateway: RunningGateway, run_id: str, window_bytes: int = 1) -> socket.socket:
    """A client that asks for the stream, with a small window, and has not read yet."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window_bytes)
    client.connect(("127.0.0.1", gateway.port))
    request = (
        f"GET {API}/runs/{run_id}/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
    )
    client.sendall(request.encode())
    return client


async def _fill(gateway: RunningGateway, run_id: str, lines: int) -> None:
    hand = ByHand(gateway.handler, run_id)
    for _ in range(lines):
        await hand.log(LINE)


async def test_a_reader_that_takes_nothing_is_dropped_and_delays_nobody(start_gateway: Start) -> None:
    gateway = await start_gateway(stall_seconds=0.3)
    run_id = await gateway.start_run()
    client = _raw_reader(gateway, run_id)
    async with stream_of(gateway, run_id) as healthy:
        await eventually(lambda: len(gateway.gateway.streams) == 2)
        writing = asyncio.create_task(_fill(gateway, run_id, 120))
        await healthy.until(121)
        await writing
        await eventually(lambda: len(gateway.gateway.streams) == 1, describe="the stalled one was dropped")
        assert healthy.ids == list(range(1, 122))
    client.close()
    async with stream_of(gateway, run_id, **{"Last-Event-ID": "1"}) as back_again:
        await back_again.until(120)
        assert back_again.ids == list(range(2, 122))


async def test_a_reader_that_is_slow_but_reads_is_kept(start_gateway: Start) -> None:
    gateway = await start_gateway(stall_seconds=0.3)
    run_id = await gateway.start_run()
    await _fill(gateway, run_id, 100)
    client = _raw_reader(gateway, run_id, window_bytes=64_000)
    client.setblocking(False)
    loop, started = asyncio.get_running_loop(), time.monotonic()
    received = 0
    while received < 100 * len(LINE):
        chunk = await loop.sock_recv(client, 20_000)
        assert chunk, f"dropped after {received} bytes in {time.monotonic() - started:.1f} s"
        received += len(chunk)
        if time.monotonic() - started < 1:
            await asyncio.sleep(0.05)  # the pace of the reader, and not a wait for anything
    client.close()


async def test_what_a_stalled_reader_may_hold_in_memory_is_bounded(start_gateway: Start) -> None:
    gateway = await start_gateway(stall_seconds=30)
    run_id = await gateway.start_run()
    await _fill(gateway, run_id, 200)
    client = _raw_reader(gateway, run_id)
    await eventually(lambda: len(gateway.gateway.streams) == 1)
    buffered = await eventually(lambda: _buffered_bytes(gateway))
    assert buffered < 1_000_000, "200 lines are 12 MB"
    client.close()


def _buffered_bytes(gateway: RunningGateway) -> int:
    connections = gateway.server.runner.server.connections  # type: ignore[union-attr] - it is serving
    return max((each.transport.get_write_buffer_size() for each in connections if each.transport), default=0)


@pytest.mark.parametrize("ended", ["reset", "closed"])
async def test_a_reader_that_goes_away_is_noticed_before_the_next_frame(
    gateway: RunningGateway, ended: str
) -> None:
    run_id = await gateway.start_run()
    client = _raw_reader(gateway, run_id)
    await eventually(lambda: len(gateway.gateway.streams) == 1)
    if ended == "reset":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    await eventually(lambda: len(gateway.gateway.streams) == 0, timeout_seconds=2)
