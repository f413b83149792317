"""HTTP as bytes, for requests that no client would send."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True)
class RawAnswer:
    """An answer, or nothing (`status` 0) where there was none: the connection was closed, or more is waited for."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> Any:
        return orjson.loads(self.body)


async def ask_raw(port: int, request: bytes, *, patience_seconds: float = 10.0) -> RawAnswer:
    """Send the bytes; the first answer, read to its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(patience_seconds):
            return await _read(reader, request.startswith(b"HEAD "))
    except (ConnectionError, TimeoutError):
        return RawAnswer(0, {}, b"")
    finally:
        writer.transport.abort()


async def _read(reader: asyncio.StreamReader, request_was_head: bool) -> RawAnswer:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return RawAnswer(0, {}, b"")
    lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines[1:] if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    length = 0 if request_was_head else int(headers.get("content-length", 0))
    body = await reader.readexactly(length)
    return RawAnswer(int(lines[0].split()[1]), headers, body)
