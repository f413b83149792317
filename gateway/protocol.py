"""The HTTP server below the application: what it answers and logs where a request cannot even be read.

aiohttp logs the bytes of such a request, and every client that can connect may send one, with a token in it, as
often as it likes. Here it is one line without a byte of it, and a few such lines in a minute at most.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any, cast
from uuid import uuid4

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from gateway.connections import Connections
from gateway.identity.address import address_of
from gateway.problems import ProblemError, internal_error, problem_response

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

SERVER_NAME = "flexrun"
_LINES = 10
_WINDOW_SECONDS = 60.0
_EXPECTATION = "The only expectation that is met here is `Expect: 100-continue`."
_REFUSED = "This is not HTTP as it is understood here: the head of the request cannot be read."


def fixed_headers(response: web.StreamResponse) -> None:
    """Set the headers of every response: no versions, no guessing of types, no copy in a cache."""
    response.headers["Server"] = SERVER_NAME
    if response.content_type.endswith("json"):
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Cache-Control", "no-store")


class _RateLimit:
    """Lets a few through in each window, and counts the others."""

    def __init__(self) -> None:
        self._began = float("-inf")
        self._taken = 0
        self._left_out = 0

    def take(self, now: float) -> int | None:
        """How many were left out since the last one that was let through; None for one to leave out."""
        if now - self._began >= _WINDOW_SECONDS:
            self._began, self._taken = now, 0
        if self._taken >= _LINES:
            self._left_out += 1
            return None
        self._taken += 1
        left_out, self._left_out = self._left_out, 0
        return left_out


class ServerLog:
    """What aiohttp says through its logger, without what it says it about."""

    def __init__(self) -> None:
        self._rate_limit = _RateLimit()

    def refused(self, remote: str | None, error: BaseException | None) -> None:
        """One line about a request that cannot be read."""
        left_out = self._rate_limit.take(time.monotonic())
        if left_out is not None:
            reason = type(error).__name__ if error is not None else "unknown"
            _log.warning("request_unreadable", remote=remote, reason=reason, left_out=left_out)

    def too_many(self, remote: str | None) -> None:
        """One line about a connection that is dropped at once."""
        left_out = self._rate_limit.take(time.monotonic())
        if left_out is not None:
            _log.warning("too_many_connections", remote=remote, left_out=left_out)

    def exception(self, _message: object, *_values: object, exc_info: Any = None, **_more: Any) -> None:
        """For what aiohttp did not expect: what it was and where, not the text of it, which may quote a request."""
        left_out = self._rate_limit.take(time.monotonic())
        if left_out is not None and isinstance(exc_info, BaseException):
            trace = exc_info.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            where = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace is not None else ""
            _log.error("server_failed", reason=type(exc_info).__name__, where=where, left_out=left_out)

    error = warning = exception

    def debug(self, *_values: object, **_more: Any) -> None:
        """Not shown."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What all connections of a server share."""

    connections: Connections
    head_seconds: float
    """How long the head of a request may take, from the start of its connection or from its first byte."""


class Protocol(RequestHandler):
    """One connection. Its errors are problems like all others, and its log lines are ours."""

    __slots__ = ("_counted", "_head_timer", "_limits", "_lost_by", "_server_log")

    def __init__(
        self, manager: web.Server, server_log: ServerLog, limits: ConnectionLimits, **options: Any
    ) -> None:
        self._server_log = server_log
        self._limits = limits
        self._lost_by: BaseException | None = None
        self._counted: str | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        super().__init__(manager, logger=server_log, **options)  # pyright: ignore[reportArgumentType] - what it calls is there

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the head of a request, or drop a connection that is one too many of its address."""
        peer = address_of(transport.get_extra_info("peername"))
        self._counted = self._limits.connections.enter(peer)
        if self._counted is None:
            self._server_log.too_many(peer)
            cast("asyncio.Transport", transport).abort()
            return
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Read on; the head of each request has its time from its first byte on."""
        if self._counted is None:
            return
        heads = self._request_count
        super().data_received(data)
        if self._request_count != heads:
            self._stop_waiting()
        elif self._head_timer is None and self._is_idle:
            self._wait_for_head()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Keep why, for `timed_out`."""
        self._lost_by = exc
        self._stop_waiting()
        if self._counted is not None:
            self._limits.connections.leave(self._counted)
            self._counted = None
            super().connection_lost(exc)

    @property
    def _is_idle(self) -> bool:
        """Whether no request is being answered, so that what comes is the head of the next one."""
        return self._waiter is not None and not self._waiter.done()

    def _wait_for_head(self) -> None:
        self._head_timer = self._loop.call_later(self._limits.head_seconds, self._head_is_late)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._is_idle:
            self.force_close()

    @property
    def timed_out(self) -> bool:
        """Whether the kernel gave the connection up because the other side took nothing for too long."""
        return isinstance(self._lost_by, TimeoutError)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to a request that cannot be read, or that broke below the application."""
        if status == 500:
            self._server_log.exception("", exc_info=exc)
            problem = internal_error()
        else:
            self._server_log.refused(request.remote, exc)
            problem = ProblemError(400, "request_unreadable", _REFUSED, close=True)
        if request.writer.output_size > 0:
            raise ConnectionError("the head of an answer is out already")
        response = _answer(problem)
        response.force_close()
        response.headers["Connection"] = "close"
        return response


def _answer(problem: ProblemError) -> web.Response:
    correlation_id = str(uuid4())
    response = problem_response(problem, correlation_id)
    response.headers["X-Correlation-Id"] = correlation_id
    fixed_headers(response)
    return response


class _Server(web.Server):
    """Makes a Protocol for each connection."""

    def __init__(self, made: web.Server, limits: ConnectionLimits, options: dict[str, Any]) -> None:
        super().__init__(
            self._handle, request_factory=made.request_factory, handler_cancellation=made.handler_cancellation
        )
        self._application = made.request_handler
        self._server_log = ServerLog()
        self._limits = limits
        self._options = options

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        # aiohttp answers this below the application, with the header in the text of its answer.
        if request.headers.get("Expect", "100-continue").lower() != "100-continue":
            return _answer(ProblemError(417, "expectation_failed", _EXPECTATION, close=True))
        return await self._application(request)

    def __call__(self) -> RequestHandler:
        return Protocol(self, self._server_log, self._limits, loop=self._loop, **self._options)


class Runner(web.AppRunner):
    """Runs an application on such a server. `options` are those of a connection."""

    def __init__(
        self, app: web.Application, limits: ConnectionLimits, *, shutdown_seconds: float, **options: Any
    ) -> None:
        # A reader that leaves is noticed at once, and not with the next frame; writes are shielded (Gateway.carry_out).
        super().__init__(app, handler_cancellation=True, shutdown_timeout=shutdown_seconds)
        self._limits = limits
        self._options = options

    async def _make_server(self) -> web.Server:
        return _Server(await super()._make_server(), self._limits, self._options)
