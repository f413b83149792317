"""A client of the gateway that misses no frame: it reconnects with `Last-Event-ID` until the run is complete."""

from __future__ import annotations

import asyncio
import os
import random
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, cast
from uuid import uuid4

import aiohttp
import orjson
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_delay

from flexrun.api import API, Frame, GatewayProblemError, GatewayUnreachableError
from flexrun.sse import SseParser

READ_LIMIT = 64 * 1024
SILENCE_SECONDS = 60.0
"""Four missed keep-alive comments: the client drops the connection and reconnects."""

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0

_AWAY = (502, 503, 504)
"""Statuses from a gateway that stops, or from a proxy whose gateway is unavailable."""

_RESTARTING = ("engine_restarting", "stopping")
"""Codes of problems that end by themselves within seconds, before anything was done with the request."""


def pause_seconds(attempt: int, chance: float) -> float:
    """The pause after the attempt of this number, from 1. `chance` in [0, 1) spreads the retries of many clients."""
    doubled = FIRST_PAUSE_SECONDS * 2.0 ** min(attempt - 1, 10)
    return chance * min(doubled, LONGEST_PAUSE_SECONDS)


async def _pause(attempt: int) -> None:
    await asyncio.sleep(pause_seconds(attempt, random.random()))  # noqa: S311 - spreads attempts


class GatewayClient:
    """One HTTP session to one gateway. Use as an async context manager.

    A gateway that has answered before is waited for `patience_seconds`, for it may be restarting; one that never has,
    `first_seconds`, for the address may be wrong. `on_outage` is called with True when an attempt to reach the gateway
    has failed and another one follows, and with False when it answers again. `ca_file` has the authorities that are
    trusted in place of the system's; OSError is raised where it cannot be read.
    """

    on_outage: Callable[[bool], None] | None = None

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        patience_seconds: float = 60.0,
        first_seconds: float = 3.0,
        ca_file: Path | None = None,
        tenant: str | None = None,
        pause: Callable[[int], Awaitable[None]] = _pause,
    ) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        if tenant is not None:
            self._headers["X-Flexrun-Tenant"] = tenant
        self._patience_seconds = patience_seconds
        self._first_seconds = first_seconds
        self._tls = ssl.create_default_context(cafile=ca_file) if ca_file is not None else True
        self._pause = pause
        self._has_answered = False
        self._is_away = False
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        if self._session is not None:
            raise RuntimeError("GatewayClient is started already")
        connector = aiohttp.TCPConnector(ssl=self._tls)
        self._session = aiohttp.ClientSession(
            headers=self._headers, json_serialize=_dumps, connector=connector
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Any:
        """One request, one JSON answer. Raises GatewayProblemError or GatewayUnreachableError."""
        data = body if isinstance(body, bytes) or body is None else orjson.dumps(body)
        sent = {"Content-Type": "application/json", **(headers or {})} if data is not None else headers
        try:
            async with self._http.request(method, self.url + path, data=data, headers=sent) as response:
                self._note_status(response.status)
                raw = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise GatewayUnreachableError(f"{self.url} does not answer: {_reason(error)}") from error
        if response.status >= 400:
            raise GatewayProblemError(response.status, _problem(raw))
        return _parse(raw)

    async def download(self, path: str) -> AsyncGenerator[bytes]:
        """The body of one answer, as it comes. Raises GatewayProblemError or GatewayUnreachableError."""
        timeout = aiohttp.ClientTimeout(total=None, sock_read=SILENCE_SECONDS)
        try:
            async with self._http.get(self.url + path, timeout=timeout) as response:
                self._note_status(response.status)
                if response.status >= 400:
                    raise GatewayProblemError(response.status, _problem(await response.read()))
                async for chunk in response.content.iter_chunked(READ_LIMIT):
                    yield chunk
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise GatewayUnreachableError(f"{self.url} does not answer: {_reason(error)}") from error

    async def upload(self, path: str, file: BinaryIO) -> Any:
        """POST a file, one JSON answer, for which there is as much time as it takes. Raises as `call` does.

        A gateway that refuses it from its head, without a token or by its length, is sent nothing of it.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=SILENCE_SECONDS)
        headers = {"Content-Type": "application/gzip"}
        url = self.url + path
        try:
            async with self._http.post(
                url, data=file, headers=headers, timeout=timeout, expect100=True
            ) as response:
                self._note_status(response.status)
                raw = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise GatewayUnreachableError(f"{self.url} does not answer: {_reason(error)}") from error
        if response.status >= 400:
            raise GatewayProblemError(response.status, _problem(raw))
        return _parse(raw)

    async def start_run(self, envelope: bytes) -> str:
        """Post an envelope; the id of its run. Sent again on a broken connection: the key makes it one run."""
        headers = {"Idempotency-Key": str(uuid4())}
        answer: Frame = await self._retrying()(self._post_run, envelope, headers)
        return answer["runId"]

    async def _post_run(self, envelope: bytes, headers: dict[str, str]) -> Frame:
        try:
            return await self.call("POST", f"{API}/runs", envelope, headers)
        except GatewayProblemError as error:
            if error.problem.get("code") in _RESTARTING:
                raise GatewayUnreachableError(f"{self.url} is not ready: {error}") from error
            raise

    async def frames(self, run_id: str, after: int = 0) -> AsyncIterator[Frame]:
        """The frames after `after`, each once and in order, up to `complete`. Reconnects as often as it takes.

        A stream that brought no frame is requested again after a growing pause: the next one may end so, too.
        """
        cursor, fruitless = after, 0
        while True:
            response: aiohttp.ClientResponse = await self._retrying()(self._open_stream, run_id, cursor)
            if response.status == 204:
                return
            try:
                async for frame in _read(response):
                    cursor, fruitless = int(frame["id"]), 0
                    yield frame
                    if frame["type"] == "complete":
                        return
            except (aiohttp.ClientError, OSError, TimeoutError):
                pass  # the next stream continues after the last frame
            finally:
                response.close()
            fruitless += 1
            await self._pause(fruitless)

    async def _open_stream(self, run_id: str, after: int) -> aiohttp.ClientResponse:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        timeout = aiohttp.ClientTimeout(total=None, sock_read=SILENCE_SECONDS)
        try:
            response = await self._http.get(
                f"{self.url}{API}/runs/{run_id}/events", headers=headers, timeout=timeout
            )
            self._note_status(response.status)
            if response.status < 400:
                return response
            problem = _problem(await response.read())
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise GatewayUnreachableError(f"{self.url} does not answer: {_reason(error)}") from error
        if response.status in _AWAY:
            raise GatewayUnreachableError(f"{self.url} is not ready ({response.status})")
        raise GatewayProblemError(response.status, problem)

    def _retrying(self) -> AsyncRetrying:
        return AsyncRetrying(
            retry=retry_if_exception_type(GatewayUnreachableError),
            wait=lambda state: pause_seconds(state.attempt_number, random.random()),  # noqa: S311 - as in _pause
            stop=self._out_of_patience,
            before_sleep=lambda _: self._note_outage(),
            reraise=True,
        )

    def _note_outage(self) -> None:
        if not self._is_away and self.on_outage is not None:
            self.on_outage(True)
        self._is_away = True

    def _note_status(self, status: int) -> None:
        self._has_answered = True
        if status not in _AWAY:
            if self._is_away and self.on_outage is not None:
                self.on_outage(False)
            self._is_away = False

    def _out_of_patience(self, state: RetryCallState) -> bool:
        seconds = self._patience_seconds if self._has_answered else self._first_seconds
        return stop_after_delay(seconds)(state)

    @property
    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("use GatewayClient as an async context manager")
        return self._session


def _reason(error: Exception) -> str:
    """Why there is no answer, without the client library's own terms; never empty."""
    if isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, aiohttp.ClientSSLError):
        number, text = error.os_error.errno, error.os_error.strerror
        return os.strerror(number) if number and number > 0 else text or str(error.os_error)
    if isinstance(error, TimeoutError):
        return "timed out"
    return str(error) or type(error).__name__


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


def _parse(raw: bytes) -> Any:
    try:
        return orjson.loads(raw) if raw else None
    except orjson.JSONDecodeError:
        return {"detail": raw[:500].decode(errors="replace")}


def _problem(raw: bytes) -> Frame:
    answer = _parse(raw)
    return cast(Frame, answer) if isinstance(answer, dict) else {}


async def _read(response: aiohttp.ClientResponse) -> AsyncIterator[Frame]:
    parser = SseParser()
    while chunk := await response.content.read(READ_LIMIT):
        for data in parser.feed(chunk):
            yield orjson.loads(data)
