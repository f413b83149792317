"""The load client reads bytes, not HTTP: whatever way they are cut, the figures must be of the right frames."""

from __future__ import annotations

import asyncio

import pytest

from bench.client.report import percentiles_ms
from bench.client.wire import CallFailed, RunCall, Subscriber

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def frame(seq: int, kind: str, payload: bytes = b"{}") -> bytes:
    name = kind.encode()
    return b'event: %b\ndata: {"type":"%b","payload":%b}\nid: %d\n\n' % (name, name, payload, seq)


def run_bytes(status: bytes = b"completed") -> bytes:
    first = chunk(b"retry: 1000\n" + frame(1, "start", b'{"note":"event: complete"}'))
    return HEAD + first + chunk(frame(2, "log") + frame(3, "complete", b'{"status":"%b"}' % status))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 10_000])
async def test_a_run_is_timed_to_its_first_and_last_frame_however_the_bytes_are_cut(size: int) -> None:
    call, whole = RunCall(b""), run_bytes()
    last_of_first, end_of_last = whole.index(b"event: log"), len(whole) - len(b"\r\n")
    for at in range(0, len(whole), size):
        assert call.done.done() == (at >= end_of_last)
        call.data_received(whole[at : at + size])
        if at + size < len(HEAD) + 20:
            assert call.first_seconds == 0
        if last_of_first <= at + size < len(whole) - 10:
            assert call.first_seconds > 0
            assert call.complete_seconds == 0
    await call.done
    assert 0 < call.first_seconds <= call.complete_seconds


async def test_a_run_that_fails_is_no_figure() -> None:
    call = RunCall(b"")
    call.data_received(run_bytes(status=b"failed"))
    with pytest.raises(CallFailed, match="did not complete"):
        await call.done


async def test_a_stream_that_ends_early_is_no_figure() -> None:
    call = RunCall(b"")
    call.data_received(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
    call.connection_lost(None)
    with pytest.raises(CallFailed, match="503"):
        await call.done


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 10_000])
async def test_a_subscriber_knows_the_newest_frame_however_the_bytes_are_cut(size: int) -> None:
    subscriber = Subscriber(b"")
    whole = HEAD + b"".join(chunk(frame(seq, "log")) for seq in range(8, 12))
    whole = whole.replace(chunk(frame(8, "log")), chunk(b"retry: 1000\n" + frame(8, "log")))
    reached = subscriber.expect(11)
    for at in range(0, len(whole), size):
        assert reached.done() == (at >= whole.index(b"id: 11") + 7)
        subscriber.data_received(whole[at : at + size])
    assert subscriber.opened.done()
    await asyncio.wait_for(reached, 1)


async def test_a_subscriber_that_is_cut_off_fails_the_measure() -> None:
    subscriber = Subscriber(b"")
    reached = subscriber.expect(5)
    subscriber.connection_lost(ConnectionResetError("reset"))
    with pytest.raises(CallFailed, match="lost its stream"):
        await reached
    with pytest.raises(CallFailed):
        await subscriber.opened


def test_percentiles_are_nearest_ranks_in_milliseconds() -> None:
    assert percentiles_ms([]) == {}
    assert percentiles_ms([0.002]) == {"p50": 2.0, "p95": 2.0, "max": 2.0}
    assert percentiles_ms([number / 1000 for number in range(100)]) == {"p50": 50.0, "p95": 95.0, "max": 99.0}
