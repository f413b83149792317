"""Minimal HTTP: bytes written, bytes searched. The client's own time must not count in the figures."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import cast
from urllib.parse import urlsplit

START = b"\nevent: start\n"
COMPLETE = b"\nevent: complete\n"
COMPLETED = b'"status":"completed"'
END_OF_FRAME = b"\n\n"

_TAIL_BYTES = 64


class CallFailed(Exception):
    """The gateway's answer was not the one that is measured."""


def address(url: str) -> tuple[str, int]:
    """Host and port of `http://host:port`."""
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or 80


def post(url: str, path: str, body: bytes) -> bytes:
    """A whole request that asks for the connection to be closed after the answer."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nAccept: text/event-stream\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def get_stream(url: str, path: str, after: int = 0) -> bytes:
    """A request for an event stream after a seq."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nAccept: text/event-stream\r\n"
        f"Last-Event-ID: {after}\r\n\r\n"
    ).encode()


class RunCall(asyncio.Protocol):
    """One run on a connection of its own, from the connect to the end of its `complete` frame.

    `first_seconds` and `complete_seconds` count from the moment this was made. `done` fails with CallFailed when the
    stream ends without a completed run.
    """

    def __init__(self, request: bytes) -> None:
        self.began = perf_counter()
        self.first_seconds = 0.0
        self.complete_seconds = 0.0
        self.received = bytearray()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request = request
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request at once."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Look for the two frames that are timed."""
        self.received += data
        if not self.first_seconds and self._has_frame(START):
            self.first_seconds = perf_counter() - self.began
        if self._has_frame(COMPLETE) and not self.done.done():
            self.complete_seconds = perf_counter() - self.began
            if COMPLETED in self.received[self.received.rfind(COMPLETE) :]:
                self.done.set_result(None)
            else:
                self._fail("the run did not complete")
            if self._transport is not None:
                self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Without `complete` before it, this is a failure."""
        if not self.done.done():
            self._fail(f"the stream ended early ({exc or 'closed by the gateway'})")

    def _has_frame(self, mark: bytes) -> bool:
        at = self.received.find(mark)
        return at >= 0 and self.received.find(END_OF_FRAME, at) >= 0

    def _fail(self, reason: str) -> None:
        self.done.set_exception(
            CallFailed(f"{reason}:\n{bytes(self.received[-1500:]).decode(errors='replace')}")
        )


class Subscriber(asyncio.Protocol):
    """One open stream, of which only the newest seq is known; `reached` is called when `target` is in."""

    def __init__(self, request: bytes) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.target = 0
        self.reached: asyncio.Future[None] | None = None
        self.kept: bytearray | None = None
        self._request = request
        self._tail = b""
        self._newest = 0
        self.lost = False

    def expect(self, target: int) -> asyncio.Future[None]:
        """A future that is done when the frame with this seq has arrived."""
        self.target = target
        self.reached = asyncio.get_running_loop().create_future()
        self._check()
        return self.reached

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request at once."""
        cast(asyncio.Transport, transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        """Note the newest seq; a mark that two reads share is found through the kept tail."""
        if self.kept is not None:
            self.kept += data
        seen = self._tail + data
        self._tail = seen[-_TAIL_BYTES:]
        if not self.opened.done():
            self._open(seen)
        at = seen.rfind(b"\nid: ")
        line_end = seen.find(b"\n", at + 5)
        if at < 0:
            return
        if line_end < 0:  # the newest mark is cut off; the one before it is whole
            at, line_end = seen.rfind(b"\nid: ", 0, at), at
            line_end = seen.find(b"\n", at + 5)
        if at >= 0:
            self._newest = max(self._newest, int(seen[at + 5 : line_end]))
            self._check()

    def connection_lost(self, exc: Exception | None) -> None:
        """Unexpected while measuring."""
        self.lost = True
        for waiting in (self.opened, self.reached):
            if waiting is not None and not waiting.done():
                waiting.set_exception(
                    CallFailed(f"a subscriber lost its stream ({exc or 'closed by the gateway'})")
                )

    def _open(self, seen: bytes) -> None:
        if b"retry: " in seen:
            self.opened.set_result(None)
        elif seen.startswith(b"HTTP/1.1") and not seen.startswith(b"HTTP/1.1 200"):
            self.opened.set_exception(CallFailed(seen[:500].decode(errors="replace")))

    def _check(self) -> None:
        if self.reached is not None and not self.reached.done() and self._newest >= self.target:
            self.reached.set_result(None)
