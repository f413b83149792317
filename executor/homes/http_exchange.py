"""One exchange with a service: a POST, its redirects, and an answer of bounded size. Failures become CapabilityErrors.

No text here quotes the address in full, a header or what the service sent: each of them may hold a secret.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import NoReturn

import aiohttp
from yarl import URL

from executor.capability import CapabilityError
from outbound.guard import CAPABILITIES_PERMISSION, ReceiverRefused, ThreadResolver, guarded_session

_DNS_THREADS = 8
MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 307, 308})
BUSY = frozenset({429, 503})
MAX_RETRY_AFTER_SECONDS = 3_600.0


class NotConnected(Exception):
    """No connection was made, so nothing was sent: the call may be made again."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent to a service."""

    url: URL
    headers: dict[str, str]
    body: bytes
    allow_private: bool
    fresh: bool
    """Over a connection of its own: one that was kept may break just as it is used, and nobody knows what was sent."""

    @property
    def place(self) -> str:
        """Host and port, which is all that errors say of the address."""
        return f"{self.url.host}:{self.url.port}"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, and the body where it is an answer that counts (200)."""

    status: int
    body: bytes = b""
    retry_after_seconds: float | None = None


class HttpClients:
    """The connections of one process: apart for those that may lead to private addresses, and those that are fresh."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._resolver = ThreadResolver(_DNS_THREADS)
        self._sessions: dict[tuple[bool, bool], aiohttp.ClientSession] = {}

    async def close(self) -> None:
        """Close all connections."""
        for session in self._sessions.values():
            await session.close()
        await self._resolver.close()

    async def post(self, message: Message, max_bytes: int) -> Answer:
        """The answer of the service or of where it redirects to. Raises NotConnected, CapabilityError, TimeoutError."""
        url = message.url
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._post_once(message, url, max_bytes)
            if isinstance(answer, Answer):
                return answer
            url = _same_place(message, url, answer)
        raise CapabilityError(
            "redirect_refused",
            f"{message.place} redirected more than {MAX_REDIRECTS} times",
            retryable=False,
            endpoint_failed=True,
        )

    def _session(self, message: Message) -> aiohttp.ClientSession:
        private = message.allow_private or self._allow_private
        kind = (private, message.fresh)
        if kind not in self._sessions:
            self._sessions[kind] = guarded_session(
                self._resolver,
                allow_private=private,
                permission=CAPABILITIES_PERMISSION,
                keep_alive=not message.fresh,
            )
        return self._sessions[kind]

    async def _post_once(self, message: Message, url: URL, max_bytes: int) -> Answer | str:
        """The answer, or the place that it redirects to."""
        session = self._session(message)
        try:
            async with session.post(
                url, data=message.body, headers=message.headers, allow_redirects=False
            ) as response:
                if response.status in _REDIRECTS:
                    response.close()
                    return response.headers.get("Location", "")
                return await _read(message, response, max_bytes)
        except aiohttp.ClientConnectorError as error:
            _refuse_connection(message, error)
        except (CapabilityError, TimeoutError):
            raise
        except (aiohttp.InvalidURL, ValueError):
            raise CapabilityError(
                "call_invalid",
                "the service's address or a header of its home cannot be sent",
                retryable=False,
            ) from None
        # Not a list of what aiohttp may raise: the text of an error that is missing there could quote the answer.
        except Exception as error:  # noqa: BLE001 - see above
            raise CapabilityError(
                "connection_lost",
                f"{message.place} broke the connection off or did not speak HTTP ({type(error).__name__})",
                endpoint_failed=True,
                outcome_unknown=True,
            ) from None


async def _read(message: Message, response: aiohttp.ClientResponse, max_bytes: int) -> Answer:
    status = response.status
    if status != 200:
        response.close()
        return Answer(status, retry_after_seconds=_retry_after(response.headers.get("Retry-After", "")))
    kind = response.content_type
    coded = response.headers.get("Content-Encoding", "identity").lower() != "identity"
    if coded or not (kind == "application/json" or kind.endswith("+json")):
        response.close()
        raise _bad_answer(
            message, "answer_not_json", "answered with something else than plain application/json"
        )
    parts: list[bytes] = []
    left = max_bytes
    while chunk := await response.content.readany():
        left -= len(chunk)
        if left < 0:
            response.close()
            raise _bad_answer(message, "answer_too_large", f"answered with more than {max_bytes:,} bytes")
        parts.append(chunk)
    return Answer(status, b"".join(parts))


def _bad_answer(message: Message, code: str, what: str) -> CapabilityError:
    return CapabilityError(code, f"{message.place} {what}", endpoint_failed=True, outcome_unknown=True)


def _same_place(message: Message, url: URL, location: str) -> URL:
    """Where a redirect leads. Raises CapabilityError for another scheme, host or port than the registered one."""
    try:
        target = url.join(URL(location))
        same = bool(location) and target.origin() == message.url.origin()
    except ValueError:
        same, target = False, url
    if not same:
        raise CapabilityError(
            "redirect_refused",
            f"{message.place} redirected to another place; a call goes to the registered host and port only",
            retryable=False,
            endpoint_failed=True,
        )
    return target


def _refuse_connection(message: Message, error: aiohttp.ClientConnectorError) -> NoReturn:
    """Raise what a connection that could not be made is for the attempt."""
    cause = error.os_error
    if isinstance(cause, ReceiverRefused):
        raise CapabilityError(
            "address_refused", f"{message.place} is not called: {cause}", retryable=False
        ) from None
    if isinstance(error, aiohttp.ClientSSLError):
        raise NotConnected(f"no trusted TLS connection to {message.place} ({type(error).__name__})") from None
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        raise NotConnected(f"the name {message.url.host} cannot be resolved") from None
    reason = os.strerror(cause.errno) if cause.errno else type(cause).__name__
    raise NotConnected(f"cannot connect to {message.place}: {reason}") from None


def _retry_after(text: str) -> float | None:
    """Its form in seconds; a date is ignored, since it depends on the service's clock."""
    if text.isascii() and text.isdigit() and len(text) < 10:
        return min(float(text), MAX_RETRY_AFTER_SECONDS)
    return None
