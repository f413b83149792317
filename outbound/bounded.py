"""A transport for HTTP clients of libraries, which bounds what goes out and what comes in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import httpx2

_STREAM = "text/event-stream"


class BoundedTransport(httpx2.AsyncBaseTransport):
    """Sends the headers in `sent` only, where they are given, and ends an answer beyond `max_bytes` with an error.

    Of a stream of events each line has this limit, since the stream itself may last.
    """

    def __init__(self, max_bytes: int, sent: frozenset[str] | None = None) -> None:
        self._max_bytes = max_bytes
        self._sent = sent
        self._transport = httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The response. Raises httpx2.ReadError for a compressed one; its body ends with one where it is too large."""
        if self._sent is not None:
            for name in [each for each in request.headers if each.lower() not in self._sent]:
                del request.headers[name]
        request.headers["accept-encoding"] = "identity"
        response = await self._transport.handle_async_request(request)
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            await response.aclose()
            raise httpx2.ReadError("the answer is compressed, which was not asked for")
        lines = response.headers.get("content-type", "").lower().startswith(_STREAM)
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_BoundedStream(
                cast("httpx2.AsyncByteStream", response.stream), self._max_bytes, lines=lines
            ),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, max_bytes: int, *, lines: bool) -> None:
        self._stream = stream
        self._max_bytes = max_bytes
        self._lines = lines

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            end_of_line = chunk.rfind(b"\n") if self._lines else -1
            size = len(chunk) - end_of_line - 1 if end_of_line >= 0 else size + len(chunk)
            if size > self._max_bytes:
                raise httpx2.ReadError(f"the answer has more than {self._max_bytes:,} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
