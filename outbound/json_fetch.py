"""Fetching a JSON document by GET: guarded, and bounded in time, size and redirects."""

from __future__ import annotations

import asyncio
import os
from typing import Any, cast

import aiohttp
import orjson
from yarl import URL

from outbound.guard import ReceiverRefused, ThreadResolver, guarded_session
from schemas.addresses import is_loopback
from schemas.json_types import JsonObject

FETCH_SECONDS = 5.0
"""How long one document may take, all its redirects included."""

MAX_BYTES = 512 * 1024
MAX_REDIRECTS = 3
_DNS_THREADS = 2
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class FetchFailed(Exception):
    """There is no document; the text says why in words, and quotes neither the answer nor a query."""


class JsonFetcher:
    """Fetches documents over HTTPS; over plain HTTP only from this machine.

    `permission` is what an error about an address that is not public says would allow it.
    """

    def __init__(self, *, allow_private: bool, permission: str) -> None:
        self._allow_private = allow_private
        self._permission = permission
        self._resolver = ThreadResolver(_DNS_THREADS)
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
        await self._resolver.close()

    async def get(self, url: str) -> JsonObject:
        """The object at `url`. Raises FetchFailed."""
        place = URL(url)
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                for _ in range(MAX_REDIRECTS + 1):
                    found = await self._get_once(_allowed(place))
                    if isinstance(found, bytes):
                        return _parsed(found, place)
                    place = found
        except TimeoutError:
            raise FetchFailed(f"{_shown(place)} did not answer within {FETCH_SECONDS:g} s") from None
        raise FetchFailed(f"{URL(url).host} redirects more than {MAX_REDIRECTS} times")

    async def _get_once(self, url: URL) -> bytes | URL:
        """The body, or the place that it redirects to."""
        try:
            async with self._opened().get(url, allow_redirects=False) as response:
                if response.status in _REDIRECTS:
                    return _redirected(url, response.headers.get("Location", ""))
                return await _read(response, url)
        except aiohttp.ClientConnectorError as error:
            raise FetchFailed(_not_connected(url, error)) from None
        except (FetchFailed, TimeoutError):
            raise
        # Not a list of what aiohttp may raise: the text of an error that is missing there could quote the answer.
        except Exception as error:  # noqa: BLE001 - see above
            raise FetchFailed(f"{_shown(url)} cannot be fetched ({type(error).__name__})") from None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = guarded_session(
                self._resolver,
                allow_private=self._allow_private,
                permission=self._permission,
                keep_alive=False,
            )
        return self._session


def may_be_fetched(url: str) -> bool:
    """Whether an address is of a kind that `JsonFetcher` asks: https, or http of this machine, without a password."""
    try:
        _allowed(URL(url))
    except (FetchFailed, ValueError):
        return False
    return True


def _allowed(url: URL) -> URL:
    host = url.host
    if host is None or not (url.scheme == "https" or (url.scheme == "http" and is_loopback(host))):
        raise FetchFailed(f"{_shown(url)} is not fetched: it is neither https nor on this machine")
    if url.user is not None or url.password is not None:
        raise FetchFailed(f"{host} is not asked: its address has a user or a password in it")
    return url


def _redirected(url: URL, location: str) -> URL:
    target = url.join(URL(location))
    if target.scheme != url.scheme:
        raise FetchFailed(f"{_shown(url)} redirects from {url.scheme} to something else")
    return target


async def _read(response: aiohttp.ClientResponse, url: URL) -> bytes:
    if response.status != 200:
        response.close()
        raise FetchFailed(f"{_shown(url)} answered {response.status}")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        response.close()
        raise FetchFailed(f"{_shown(url)} answered with a content coding, which was not asked for")
    parts: list[bytes] = []
    left = MAX_BYTES
    while chunk := await response.content.readany():
        left -= len(chunk)
        if left < 0:
            response.close()
            raise FetchFailed(f"{_shown(url)} answered with more than {MAX_BYTES:,} bytes")
        parts.append(chunk)
    return b"".join(parts)


def _parsed(body: bytes, url: URL) -> JsonObject:
    try:
        document: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise FetchFailed(f"{_shown(url)} answered with something else than JSON") from None
    if not isinstance(document, dict):
        raise FetchFailed(f"{_shown(url)} answered with JSON that is no object")
    return cast("JsonObject", document)


def _not_connected(url: URL, error: aiohttp.ClientConnectorError) -> str:
    cause = error.os_error
    if isinstance(cause, ReceiverRefused):
        return f"{_shown(url)} is not asked: {cause}"
    if isinstance(error, aiohttp.ClientSSLError):
        return f"{_shown(url)} has no TLS certificate that is trusted here ({type(error).__name__})"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the name {url.host} cannot be resolved"
    reason = os.strerror(cause.errno) if cause.errno else type(cause).__name__
    return f"{_shown(url)} cannot be reached: {reason}"


def _shown(url: URL) -> str:
    """An address without its query, and not longer than a line."""
    return f"{url.host}{url.path}"[:300] if url.host is not None else "an address without a host"
