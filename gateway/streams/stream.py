"""One open stream: a run's events on their way to one reader."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import web
from aiohttp.http import StreamWriter

from eventstore.errors import StoreUnavailable
from eventstore.tail import RunSubscription, TailClosed
from gateway.deps import GATEWAY, Gateway
from gateway.middleware import CLIENT_GONE, bind_log_fields
from gateway.protocol import Protocol
from gateway.scopes import CALLER, may
from gateway.streams.partial_feed import PartialReader
from gateway.streams.sink import ReaderStalled, Sink, tune_connection
from gateway.streams.sse import MEDIA_TYPE, Frame, one_line, retry_hint
from gateway.streams.wait_detector import WaitDetector
from runs.event import JsonObject
from schemas.withheld import NEEDED, frame_without_payload
from telemetry.catalogue import STREAMS_DROPPED

STALLED = "reader stalled"
"""What the log says of a reader that took nothing for `stall_seconds`, whether we or the kernel noticed first."""


@dataclass(slots=True, kw_only=True)
class StreamRange:
    """What a reader asked for: the events after `after`, up to `until`; with `waits`, up to a wait for a person too.

    `preamble` goes out before them: a frame that is no part of the log's order. `deltas`: what attempts have made so
    far goes out between them. Without `shows_payload` the frames are those for readers who may not see payload, and
    there are no deltas.
    """

    run_id: str
    after: int
    until: int | None = None
    waits: WaitDetector | None = None
    preamble: JsonObject | None = None
    deltas: PartialReader | None = None
    shows_payload: bool = False

    async def take(self, frames: Sequence[Frame]) -> tuple[list[bytes], bool]:
        """The bytes to send of the next frames in order, and whether the stream ends with them."""
        taken: list[bytes] = []
        for each in frames:
            taken.append(each.data if self.shows_payload else each.without_payload)
            self.after = each.event.seq
            if self.deltas is not None:
                self.deltas.observe([each.event])
            waits = self.waits is not None and await self.waits.waits_after(each.event)
            if each.last or waits or (self.until is not None and self.after >= self.until):
                return taken, True
        return taken, False


class EventStream(web.StreamResponse):
    """The head of a stream. It is never compressed: a compressor holds events back."""

    # aiohttp keeps this for its own responses: the headers wait for the first frame and leave with it in one segment.
    _send_headers_immediately = False

    def __init__(self, run_id: str) -> None:
        super().__init__(
            headers={
                "Content-Type": MEDIA_TYPE,
                "Cache-Control": "no-cache, no-transform",
                "X-Accel-Buffering": "no",
                "X-Run-Id": run_id,
            }
        )


def no_content(run_id: str) -> web.Response:
    """204: everything was read and nothing will follow. It is the one answer that tells an EventSource to stop."""
    return web.Response(status=204, headers={"X-Run-Id": run_id})


async def serve_head(request: web.Request, run_id: str) -> web.StreamResponse:
    """The answer to HEAD: how a stream begins, without one."""
    response = EventStream(run_id)
    await response.prepare(request)
    await response.write_eof()
    return response


async def serve_stream(
    request: web.Request, stream_range: StreamRange, first: Sequence[Frame] = ()
) -> web.StreamResponse:
    """Answer with a stream; `first` are frames at hand already, so that they leave together with the headers.

    A shutdown or an unavailable database ends a stream early and cleanly: the reader comes back with
    Last-Event-ID, here or at another gateway. A reader that leaves cancels this handler and nothing else.
    """
    gateway = request.app[GATEWAY]
    stream_range.shows_payload = may(request[CALLER], NEEDED)
    if not stream_range.shows_payload:
        stream_range.deltas = None
    gateway.limiter.open_stream(request)
    response = EventStream(stream_range.run_id)
    writer = cast(StreamWriter, await response.prepare(request))
    tune_connection(request, gateway.config.stall_seconds)
    sink = Sink(request, writer, gateway.config.stall_seconds)
    try:
        with gateway.streams.opened(request[CALLER]):
            await _pump(gateway, sink, stream_range, first)
            await sink.flush()
    except ReaderStalled:
        STREAMS_DROPPED.add()
        bind_log_fields(request, ended=STALLED)
        sink.abort()
    except (ConnectionError, asyncio.CancelledError) as error:
        _note_lost(request)
        if isinstance(error, asyncio.CancelledError):
            raise
    except (StoreUnavailable, TailClosed) as error:
        bind_log_fields(request, ended=type(error).__name__)
    if sink.stalled:
        sink.abort()
    bind_log_fields(request, last_seq=stream_range.after)
    return response


def _note_lost(request: web.Request) -> None:
    """The connection is gone: the reader closed it, or the kernel did, where the reader took nothing for too long."""
    if isinstance(request.protocol, Protocol) and request.protocol.timed_out:
        STREAMS_DROPPED.add()
        bind_log_fields(request, ended=STALLED, status=200)
    else:
        bind_log_fields(request, ended="reader gone", status=CLIENT_GONE)


async def _pump(gateway: Gateway, sink: Sink, stream_range: StreamRange, first: Sequence[Frame]) -> None:
    taken, done = await stream_range.take(first)
    await sink.write_all([retry_hint(gateway.config.retry_ms) + _preamble(stream_range), *taken])
    if done or gateway.streams.closing:
        return
    with gateway.deps.tail.subscribe(stream_range.run_id, stream_range.after) as subscription:
        if stream_range.deltas is None:
            await _follow(gateway, subscription, sink, stream_range)
            return
        with stream_range.deltas as deltas:
            await _follow_both(gateway, subscription, sink, stream_range, deltas)


def _preamble(stream_range: StreamRange) -> bytes:
    shown = stream_range.preamble
    if shown is None:
        return b""
    if not stream_range.shows_payload:
        shown = frame_without_payload(shown)
    return b"event: %b\ndata: %b\n\n" % (shown["type"].encode(), one_line(shown))


async def _follow(
    gateway: Gateway, subscription: RunSubscription[Frame], sink: Sink, stream_range: StreamRange
) -> None:
    done = False
    while not done:
        batch = await subscription.next_batch(gateway.config.ping_seconds)
        taken, done = await stream_range.take([each for _, each in batch])
        await sink.write_all(taken or [gateway.ping()])


async def _follow_both(
    gateway: Gateway,
    subscription: RunSubscription[Frame],
    sink: Sink,
    stream_range: StreamRange,
    deltas: PartialReader,
) -> None:
    """As `_follow`, with what attempts have made so far in between."""
    waiting: set[asyncio.Task[Any]] = set()
    done = False
    try:
        batch = asyncio.create_task(subscription.next_batch(gateway.config.ping_seconds))
        while not done:
            changed = asyncio.create_task(deltas.changed.wait())
            waiting = {batch, changed}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()
            if batch.done():
                taken, done = await stream_range.take([each for _, each in batch.result()])
                await sink.write_all(taken or [gateway.ping()])
                batch = asyncio.create_task(subscription.next_batch(gateway.config.ping_seconds))
            if not done:
                await sink.write_all(deltas.take())
    finally:
        for task in waiting:
            task.cancel()
