"""The way out to one reader: bounded in memory, and given up when the reader takes nothing for too long."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable

from aiohttp import web
from aiohttp.http import StreamWriter

MAX_WRITE_BYTES = 128 * 1024
"""Frames are joined up to this size; a longer single frame is written as it is."""

UNSENT_BYTES = 64 * 1024
"""What the kernel may hold of one stream beyond what is on its way to the reader."""


class ReaderStalled(Exception):
    """The reader took not one byte for `stall_seconds`."""


class Sink:
    """Writes to a prepared response. Where the transport's buffer is full, it waits for as long as bytes still leave.

    aiohttp's own `write` waits without a limit, and so does the end of a response: hence `flush` before returning.
    """

    def __init__(self, request: web.Request, writer: StreamWriter, stall_seconds: float) -> None:
        self._protocol = request.protocol
        self._writer = writer
        self._stall_seconds = stall_seconds

    async def write(self, chunk: bytes) -> None:
        """Send one chunk. Raises ReaderStalled, or ConnectionError when the reader is gone."""
        await self._writer.write(chunk, drain=False)
        await self.flush()

    async def write_all(self, frames: Iterable[bytes]) -> None:
        """Send many frames in as few writes as `MAX_WRITE_BYTES` allows."""
        waiting: list[bytes] = []
        size = 0
        for data in frames:
            if waiting and size + len(data) > MAX_WRITE_BYTES:
                await self.write(b"".join(waiting))
                waiting, size = [], 0
            waiting.append(data)
            size += len(data)
        if waiting:
            await self.write(waiting[0] if len(waiting) == 1 else b"".join(waiting))

    async def flush(self) -> None:
        """Wait until the transport takes more. Raises ReaderStalled when nothing at all leaves for `stall_seconds`."""
        if not self._protocol.writing_paused:
            return
        # One task for the whole wait: aiohttp shares a single waiter, which a cancelled wait would leave unusable.
        drained = asyncio.ensure_future(self._writer.drain())
        drained.add_done_callback(_retrieve_exception)
        try:
            left = self._left()
            while not (await asyncio.wait({drained}, timeout=self._stall_seconds))[0]:
                before, left = left, self._left()
                if left >= before:
                    raise ReaderStalled
            await drained
        finally:
            drained.cancel()

    def _left(self) -> int:
        transport = self._protocol.transport
        return transport.get_write_buffer_size() if transport is not None else 0

    @property
    def stalled(self) -> bool:
        """Whether bytes are still waiting that a polite end of the response would have to wait for."""
        return self._protocol.writing_paused

    def abort(self) -> None:
        """Drop the connection and what was not sent."""
        if self._protocol.transport is not None:
            self._protocol.transport.abort()


def _retrieve_exception(drained: asyncio.Future[None]) -> None:
    """Where the reader left, this wait was cancelled before it saw that; asyncio would report it with a traceback."""
    if not drained.cancelled():
        drained.exception()


def tune_connection(request: web.Request, stall_seconds: float) -> None:
    """Keep the kernel's part of the buffer small, and have it end a connection whose peer acknowledges nothing.

    The kernel would take megabytes from us before it says that the reader is slow, and then tells of progress only in
    steps of a third of that.
    """
    connection = request.get_extra_info("socket")
    if connection is None or connection.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(stall_seconds * 1000))
