"""One attempt: one POST, of which nothing but the status counts."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass

import aiohttp

from outbound.guard import ReceiverRefused, ThreadResolver, guarded_connector
from webhooks.config import WebhooksConfig

_DNS_THREADS = 16
_MAX_BODY_BYTES = 64 * 1024
_BODY_SECONDS = 1.0
"""How long an answer's body is read, so that the connection can be reused; after that it is closed."""

GONE = 410


@dataclass(frozen=True, slots=True)
class ReceiverAnswer:
    """What a receiver answered, or why there is no answer. `error` is None for an accepted delivery."""

    status: int | None
    error: str | None
    retry_after_seconds: float | None = None


class Sender:
    """The HTTP client. Nothing that a receiver sends is kept, followed or unpacked."""

    def __init__(self, config: WebhooksConfig) -> None:
        self._config = config
        self._resolver = ThreadResolver(_DNS_THREADS)
        self._session = aiohttp.ClientSession(
            connector=guarded_connector(self._resolver, allow_private=config.allow_private),
            timeout=aiohttp.ClientTimeout(total=config.request_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"Content-Type": "application/json", "User-Agent": "flexrun-webhooks"},
            skip_auto_headers=["Accept-Encoding"],
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()
        await self._resolver.close()

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> ReceiverAnswer:
        """Try once. Every failure is a ReceiverAnswer; nothing is raised but cancellation."""
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                answer = _judge(response)
                await _skip_body(response)
                return answer
        except TimeoutError:
            return ReceiverAnswer(None, f"no answer within {self._config.request_seconds:g} s")
        except aiohttp.ClientConnectorError as error:
            return ReceiverAnswer(None, _connect_error(error))
        except aiohttp.InvalidURL:
            return ReceiverAnswer(None, "the URL cannot be called")
        # Not a list of what aiohttp may raise: an error that is missing there would leave the delivery to its lease.
        except Exception as error:  # noqa: BLE001 - see above
            # Its text may quote what the receiver sent, which must not be shown.
            return ReceiverAnswer(
                None, f"the connection broke off or did not speak HTTP ({type(error).__name__})"
            )


def _connect_error(error: aiohttp.ClientConnectorError) -> str:
    if isinstance(error, aiohttp.ClientSSLError):
        return f"no trusted TLS connection ({type(error).__name__})"
    cause = error.os_error
    if isinstance(cause, ReceiverRefused):
        return f"refused: {cause}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the host name cannot be resolved"
    return f"cannot connect: {os.strerror(cause.errno) if cause.errno else type(cause).__name__}"


def _judge(response: aiohttp.ClientResponse) -> ReceiverAnswer:
    status = response.status
    if 200 <= status < 300:
        return ReceiverAnswer(status, None)
    if 300 <= status < 400:
        return ReceiverAnswer(status, f"answered {status}; redirects are not followed")
    return ReceiverAnswer(status, f"answered {status}", _retry_after(response.headers.get("Retry-After", "")))


def _retry_after(text: str) -> float | None:
    """Its form in seconds; a date is ignored, since it depends on the receiver's clock."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


async def _skip_body(response: aiohttp.ClientResponse) -> None:
    left = _MAX_BODY_BYTES
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_BODY_SECONDS):
            while left > 0 and (chunk := await response.content.read(left)):
                left -= len(chunk)
    if not response.content.at_eof():
        response.close()
