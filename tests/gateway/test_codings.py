"""Compressed bodies are refused before they are read; an answer before the end of the body closes the connection."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable

import orjson
import pytest

from tests.support.gateways import API, ENVELOPE, RunningGateway
from tests.support.loop_time import MOST_SECONDS, loop_time

Start = Callable[..., Awaitable[RunningGateway]]

BODY = orjson.dumps(ENVELOPE)
MB = 1024 * 1024
PACKED = ("gzip", "x-gzip", "deflate", "br", "zstd", "gzip, gzip", "identity, gzip", "nonsense")
POSTS = (
    f"{API}/runs",
    f"{API}/run.stream",
    f"{API}/run.resume",
    f"{API}/webhooks",
    "/api/hitl/resume",
    "/nothing",
)


async def exchange(gateway: RunningGateway, request: bytes, *, within: float = 10) -> tuple[bytes, bytes]:
    """Head and body of the answer, read until the gateway closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    try:
        writer.write(request)
        async with asyncio.timeout(within):
            answer = await reader.read()
    finally:
        writer.transport.abort()
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body


def post(path: str, *headers: str, body: bytes = b"", length: int | None = None) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", *headers]
    if length is None and not any("Transfer-Encoding" in header for header in headers):
        length = len(body)
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.fixture
async def gateway(start_gateway: Start) -> RunningGateway:
    """It does not wait for bodies that never come."""
    return await start_gateway(linger_seconds=0.02)


@pytest.mark.parametrize("path", POSTS)
async def test_a_packed_body_is_415_at_every_path(gateway: RunningGateway, path: str) -> None:
    for coding in PACKED:
        head, body = await exchange(gateway, post(path, f"Content-Encoding: {coding}", length=MB))
        assert head.startswith(b"HTTP/1.1 415 "), (coding, head)
        assert b"Connection: close" in head
        assert b"Accept-Encoding: identity" in head
        assert orjson.loads(body)["code"] == "coding_unsupported"


async def test_a_packed_transfer_is_415(gateway: RunningGateway) -> None:
    for coding in ("gzip, chunked", "GZIP,chunked", "deflate, chunked"):
        head, body = await exchange(
            gateway, post(f"{API}/runs", f"Transfer-Encoding: {coding}", body=b"5\r\n")
        )
        assert head.startswith(b"HTTP/1.1 415 "), (coding, head)
        assert orjson.loads(body)["code"] == "coding_unsupported"


async def test_identity_is_no_packing(gateway: RunningGateway) -> None:
    answer, _ = await gateway.post(f"{API}/runs", BODY, Content_Encoding="identity")
    assert answer.status == 202


async def test_without_a_token_a_packed_body_is_415_and_any_other_401_and_both_end_the_connection(
    start_gateway: Start,
) -> None:
    gateway = await start_gateway(tokens="secret-token-of-ann=ann", linger_seconds=0.02)
    for headers, status in ((["Content-Encoding: gzip"], b"415"), ([], b"401")):
        head, _ = await exchange(gateway, post(f"{API}/runs", *headers, body=b"x" * 10, length=MB))
        assert head.startswith(b"HTTP/1.1 " + status), head
        assert b"Connection: close" in head


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/nothing", [], b"404"),
        (f"{API}/capabilities", [], b"405"),
        (f"{API}/runs/nobody/abort", [], b"404"),
        (f"{API}/runs", ["Content-Encoding: gzip"], b"415"),
        (f"{API}/runs/nobody/fork", [], b"404"),
        (f"{API}/tasks/nothing/submit", [], b"404"),
    ],
)
async def test_an_answer_that_came_before_the_body_ends_the_connection(
    gateway: RunningGateway, path: str, headers: list[str], status: bytes
) -> None:
    """The rest of the body never comes; the connection is closed soon nevertheless."""
    request = post(path, *headers, body=b'{"a": ', length=MB)
    head, _ = await exchange(gateway, request)
    assert head.startswith(b"HTTP/1.1 " + status), head
    assert b"Connection: close" in head


async def test_after_a_body_that_was_read_the_connection_stays(gateway: RunningGateway) -> None:
    request = post(f"{API}/runs", body=b"[]")
    last = post(f"{API}/runs", "Connection: close", body=b"[]")
    _, body = await exchange(gateway, request + last)
    assert body.count(b"HTTP/1.1 400 ") == 1, body


async def test_a_packed_body_is_not_asked_for(gateway: RunningGateway) -> None:
    expect = ("Content-Encoding: gzip", "Expect: 100-continue")
    head, _ = await exchange(gateway, post(f"{API}/runs", *expect, length=MB))
    assert head.startswith(b"HTTP/1.1 415 ")


async def test_a_body_is_not_asked_for_without_a_token(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens="secret-token-of-ann=ann", linger_seconds=0.02)
    head, _ = await exchange(gateway, post(f"{API}/runs", "Expect: 100-continue", length=10))
    assert head.startswith(b"HTTP/1.1 401 ")


async def test_a_packed_body_costs_next_to_nothing(gateway: RunningGateway) -> None:
    bomb = gzip.compress(b"\0" * (100 * MB), compresslevel=9)
    request = post(f"{API}/runs", "Content-Encoding: gzip", body=bomb)
    with loop_time() as blocked:
        await asyncio.gather(*(exchange(gateway, request) for _ in range(10)))
    assert blocked.longest_seconds < MOST_SECONDS, blocked.longest
