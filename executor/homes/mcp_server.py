"""An MCP server as an executor keeps it: one session for all attempts, started anew when it is wanted after its end."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, cast

import structlog

from eventstore.background import start_background
from eventstore.pause import DoublingPause
from executor.capability import CapabilityError
from executor.safe_text import describe_error
from executor.threads import run_in_thread
from outbound.env_secrets import SecretMissing
from schemas.homes import McpHome
from schemas.redaction import redact

if TYPE_CHECKING:
    from executor.homes.mcp_connection import Connection

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 30.0
_LASTING_SECONDS = 10.0
"""A session that lasted so long was a good one: the next start after it needs no long pause."""

_CLOSE_SECONDS = 6.0
"""A server gets 2 s to end by itself and 2 s after a signal before it is killed."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class McpServer:
    """Starts when it is first asked for a connection. `name` is what logs call it: its first word, or its URL."""

    def __init__(self, home: McpHome) -> None:
        self._home = home
        self.name = home.url or (home.command or [""])[0]
        self._wanted = asyncio.Event()
        self._opened: asyncio.Future[Connection] | None = None
        self._current: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    async def connection(self) -> Connection:
        """A connection that works as far as is known; waits for the next start where there is none.

        Raises CapabilityError `mcp_server_unavailable` where that start fails.
        """
        if self._closing:
            raise CapabilityError("mcp_server_unavailable", "the executor is stopping")
        if self._current is not None and not self._current.ended.is_set():
            return self._current
        if self._opened is None or self._opened.done():
            self._opened = asyncio.get_running_loop().create_future()
            self._opened.add_done_callback(lambda opened: opened.cancelled() or opened.exception())
        if self._task is None:
            self._task = start_background(
                f"mcp {self.name[:50]}", self._keep(), closing=lambda: self._closing
            )
        self._wanted.set()
        return await asyncio.shield(self._opened)

    async def close(self) -> None:
        """End the session and the server's process. Closing twice does nothing."""
        self._closing = True
        self._wanted.set()
        if self._current is not None:
            self._current.ended.set()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=_CLOSE_SECONDS)
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=_CLOSE_SECONDS)
        if self._opened is not None:
            self._opened.cancel()

    async def _keep(self) -> None:
        """One session after the other, each when somebody wants it; all in this task, as the SDK needs it."""
        structlog.contextvars.clear_contextvars()  # those of the attempt that was the first to want a session
        pause = DoublingPause(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        while not self._closing:
            await self._wanted.wait()
            self._wanted.clear()
            if self._closing:
                return
            began = time.monotonic()
            opened, tail = self._opened, list[str]()
            try:
                await self._session(tail)
                reason = "it has closed the connection"
            except SecretMissing as missing:
                _fail(opened, CapabilityError("secret_missing", str(missing), retryable=False))
                continue
            except Exception as error:  # noqa: BLE001 - a foreign program and a library that wraps its faults
                reason = describe_error(first_fault(error))
            self._ended(opened, reason, tail)
            if time.monotonic() - began >= _LASTING_SECONDS:
                pause.reset()
            if not self._closing:
                await pause.wait()

    async def _session(self, tail: list[str]) -> None:
        connection = await run_in_thread(_load)
        async with connection(self._home, tail) as current:
            if self._closing:
                return
            self._current = current
            _log.info("mcp_server_connected", server=self.name, tools=len(current.tools))
            if self._opened is not None and not self._opened.done():
                self._opened.set_result(current)
            await current.ended.wait()

    def _ended(self, opened: asyncio.Future[Connection] | None, reason: str, tail: list[str]) -> None:
        """Log the end; those who waited for this session hear that it has not begun, others wait for the next one."""
        self._current = None
        if self._closing:
            return
        said = redact("".join(tail)).strip()[-1_000:]
        _log.warning("mcp_server_ended", server=self.name, reason=reason, last_words=said)
        text = f"the MCP server {self.name} cannot be reached: {reason}"
        _fail(opened, CapabilityError("mcp_server_unavailable", text, endpoint_failed=True))


def _fail(opened: asyncio.Future[Connection] | None, failure: CapabilityError) -> None:
    if opened is not None and not opened.done():
        opened.set_exception(failure)


def _load():
    from executor.homes.mcp_connection import connection  # noqa: PLC0415 - the SDK takes seconds to import

    return connection


def first_fault(error: BaseException) -> BaseException:
    """The fault itself, out of the groups in which the SDK's tasks wrap it."""
    for _ in range(20):
        if not isinstance(error, BaseExceptionGroup):
            break
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error
