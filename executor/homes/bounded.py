"""A transport for HTTP clients of libraries, which bounds what goes out and what comes in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import httpx2

_STREAM = "text/event-stream"


class BoundedTransport(httpx2.AsyncBaseTransport):
    """Sends the headers in `sent` only, where they are given, and ends an answer beyond `max_bytes` with an error.

    A stream of events has no end that could be too far; each of its events is limited by who reads them.
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
        if response.headers.get("content-type", "").lower().startswith(_STREAM):
            return response
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_BoundedStream(cast("httpx2.AsyncByteStream", response.stream), self._max_bytes),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, max_bytes: int) -> None:
        self._stream = stream
        self._max_bytes = max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > self._max_bytes:
                raise httpx2.ReadError(f"the answer has more than {self._max_bytes:,} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
