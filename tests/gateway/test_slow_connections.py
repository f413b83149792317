"""Connections that send slowly, or nothing: they cost others nothing, and end in their time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from tests.support.gateways import API, ENVELOPE, RunningGateway, stream_of
from tests.support.waiting import DEADLINE_SECONDS, eventually

Start = Callable[..., Awaitable[RunningGateway]]
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
SLOW = 2_000
HEAD_SECONDS, BODY_SECONDS = 3.0, 4.0
TOKENS = "secret-of-ada=ada"
ADA = "Bearer secret-of-ada"
HALF_A_HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
HALF_A_BODY = HALF_A_HEAD.replace(b"GET /healthz", f"POST {API}/runs".encode()) + (
    f"1\r\nAuthorization: {ADA}\r\nContent-Length: 100\r\n\r\n{{".encode()
)
WHOLE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def connected(gateway: RunningGateway, sent: bytes = b"") -> Connection:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(sent)
    return reader, writer


async def trickles(connection: Connection) -> None:
    """Send a byte now and then until the other side has had enough."""
    _, writer = connection
    while not writer.is_closing():
        writer.write(b"a")
        await asyncio.sleep(0.5)


async def ended(connection: Connection) -> bytes:
    """What came until the other side closed."""
    reader, writer = connection
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.timeout(240)
async def test_two_thousand_slow_connections_change_nothing_for_others(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=TOKENS, head_seconds=HEAD_SECONDS, body_seconds=BODY_SECONDS)
    _, run = await gateway.post(f"{API}/runs", ENVELOPE, Authorization=ADA)
    async with stream_of(gateway, run["runId"], Authorization=ADA) as stream:
        await stream.until(1)
        slow = [
            await connected(gateway, (b"", HALF_A_HEAD, HALF_A_BODY)[number % 3]) for number in range(SLOW)
        ]
        trickling = [asyncio.create_task(trickles(each)) for each in slow[1::3]]
        ends = asyncio.gather(*map(ended, slow))
        times: list[float] = []
        while not ends.done():
            began = time.monotonic()
            answer, _ = await gateway.get(f"{API}/runs", Authorization=ADA)
            assert answer.status == 200
            times.append(time.monotonic() - began)
        answers = await ends
        await asyncio.gather(*trickling)
        assert sorted(times)[len(times) * 95 // 100] < 1
        for number, answer in enumerate(answers):
            assert answer.startswith(b"HTTP/1.1 408") if number % 3 == 2 else answer == b""
        await gateway.post(f"{API}/runs/{run['runId']}/abort", {}, Authorization=ADA)
        assert (await stream.to_end()).types[-1] == "complete"


async def test_a_head_has_its_time_also_in_a_connection_that_was_used(start_gateway: Start) -> None:
    gateway = await start_gateway(head_seconds=0.5)
    connection = await connected(gateway, WHOLE)
    reader, writer = connection
    await reader.readuntil(b'"ok"}\n')
    with pytest.raises(TimeoutError):  # a connection that rests between two requests is kept
        await asyncio.wait_for(reader.read(1), 1.5)
    writer.write(WHOLE)
    await reader.readuntil(b'"ok"}\n')
    began = time.monotonic()
    writer.write(HALF_A_HEAD)
    assert await ended(connection) == b""
    assert time.monotonic() - began > 0.4


async def test_a_head_in_many_pieces_is_read(start_gateway: Start) -> None:
    gateway = await start_gateway(head_seconds=5)
    reader, writer = await connected(gateway)
    for place in range(len(WHOLE)):
        writer.write(WHOLE[place : place + 1])
        await writer.drain()
        await asyncio.sleep(0)
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_an_address_may_have_so_many_connections_and_not_one_more(
    start_gateway: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    gateway = await start_gateway(connections_per_address=20)
    opened = [await connected(gateway, WHOLE) for _ in range(20)]
    for reader, _ in opened:
        await reader.readuntil(b'"ok"}\n')
    for _ in range(50):
        assert await ended(await connected(gateway, WHOLE)) == b""
    assert capfd.readouterr().out.count("too_many_connections") == 10
    for _, writer in opened[:5]:
        writer.close()

    async def answered() -> bool:
        reader, writer = await connected(gateway, WHOLE)
        try:
            return (await reader.read(12)) == b"HTTP/1.1 200"
        except ConnectionError:
            return False
        finally:
            writer.close()

    await eventually(answered)
    opened[5][1].write(WHOLE)
    await opened[5][0].readuntil(b'"ok"}\n')
    for _, writer in opened[5:]:
        writer.close()


async def test_a_trusted_proxy_may_have_any_number(start_gateway: Start) -> None:
    gateway = await start_gateway(connections_per_address=5, trusted_proxies=("127.0.0.1/32",))
    opened = [await connected(gateway, WHOLE) for _ in range(20)]
    for reader, writer in opened:
        await reader.readuntil(b'"ok"}\n')
        writer.close()
