"""A TCP proxy between a client and a server, whose connections a test can cut at any time."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

_CHUNK_BYTES = 65536
_CUT_PAUSE_SECONDS = 0.05
"""Between the last bytes and the cut: a client whose line breaks may discard what it has not read yet."""


class TcpProxy:
    """`async with TcpProxy("127.0.0.1", port) as proxy`: what connects to `proxy.port` talks to the server.

    `cut` resets every open connection; with `refusing` set, new ones are reset at once; with `hanging_up` set, they are
    accepted and closed gracefully, as a balancer without a server behind it does; with `stalled` set, nothing is
    carried in either direction until it is unset, while the connections stay open. `cut_after` has a number for each of
    the connections to come: so many bytes behind the head of its first answer, it is closed; `None`, or no number left,
    for one that is not.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._links: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.port = 0
        self.refusing = False
        self.hanging_up = False
        self.accepted = 0
        self.cut_after: list[int | None] = []

    @property
    def open_connections(self) -> int:
        """How many clients are connected through the proxy now."""
        return len(self._links)

    @property
    def stalled(self) -> bool:
        return not self._flowing.is_set()

    @stalled.setter
    def stalled(self, value: bool) -> None:
        (self._flowing.clear if value else self._flowing.set)()

    def url(self, original: str) -> str:
        """`original` with host and port replaced by the proxy's."""
        parts = urlsplit(original)
        credentials = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        return urlunsplit(parts._replace(netloc=f"{credentials}127.0.0.1:{self.port}"))

    def cut(self) -> int:
        """Reset every open connection, on both sides; the number of clients cut."""
        hit = len(self._links)
        for writer in list(self._open):
            writer.transport.abort()
        return hit

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listener is not None:
            self._listener.close()
        self.cut()
        for link in list(self._links):
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self.refusing:
            writer.transport.abort()
            return
        if self.hanging_up:
            writer.write_eof()
            # Unread bytes would turn the close into a reset.
            await reader.read(_CHUNK_BYTES)
            writer.close()
            return
        link = asyncio.create_task(self._carry(reader, writer))
        self._links.add(link)
        link.add_done_callback(self._links.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pump both ways until either side ends, then end the other."""
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        limit = self.cut_after.pop(0) if self.cut_after else None
        both = {writer, server_writer}
        self._open |= both
        pumps = [
            asyncio.create_task(self._pump(reader, server_writer)),
            asyncio.create_task(self._pump(server_reader, writer, limit)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._open -= both
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for end in both:
                end.close()

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, limit: int | None = None
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if limit is not None:
                sink.write(await source.readuntil(b"\r\n\r\n"))
            while data := await source.read(_CHUNK_BYTES if limit is None else min(limit, _CHUNK_BYTES)):
                await self._flowing.wait()
                sink.write(data)
                await sink.drain()
                if limit is not None:
                    limit -= len(data)
            if limit == 0:
                await asyncio.sleep(_CUT_PAUSE_SECONDS)
