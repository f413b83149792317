"""Calls into killable child processes.

    async with Sandbox(SandboxConfig()) as sandbox:
        result = await sandbox.call("package.module:function", {"any": "JSON"}, b"bytes, as they are")

The function is `function(argument, blob)`: it gets what JSON made of the argument, and the blob; it returns anything
that JSON can hold, or bytes, which arrive as bytes. It raises InputRefused where its input is at fault. What it keeps
between calls is a cache: a child may end at any time, and there are several.
"""

import time
from types import TracebackType
from typing import Any, Self

import orjson

from sandbox.config import SandboxConfig
from sandbox.errors import FunctionFailed, InputRefused, SandboxCrashed
from sandbox.frames import Kind, Reply, encode_call
from sandbox.pool import ChildPool
from telemetry.catalogue import SANDBOX_SECONDS


class Sandbox:
    """Safe for concurrent use within one event loop. One for each process of flexrun is enough."""

    def __init__(self, config: SandboxConfig | None = None) -> None:
        self._config = config or SandboxConfig()
        self._pool = ChildPool(self._config)

    @property
    def pids(self) -> list[int]:
        """The child processes: those that take calls first, then the spares."""
        return self._pool.pids

    async def start(self) -> None:
        """Start the children and return when one is ready. Raises SandboxUnavailable."""
        await self._pool.start()

    async def close(self) -> None:
        """End the children; calls in flight raise SandboxUnavailable."""
        await self._pool.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def call(
        self,
        function: str,
        argument: object = None,
        blob: bytes = b"",
        *,
        deadline_seconds: float | None = None,
    ) -> Any:
        """What `function` (`package.module:name`) returns for `argument` (JSON) and `blob`.

        `deadline_seconds` is CPU time; the config's by default. Raises InputRefused where the function does,
        SandboxTimedOut, SandboxCrashed, SandboxUnavailable, and FunctionFailed where the function has a bug.
        """
        seconds = self._config.deadline_seconds if deadline_seconds is None else deadline_seconds
        began = time.perf_counter()
        try:
            return _result(
                await self._pool.ask(function, encode_call(function, seconds, argument, blob), seconds)
            )
        finally:
            SANDBOX_SECONDS.observe(function, number=time.perf_counter() - began)


def _result(reply: Reply) -> Any:
    if reply.kind is Kind.RAW_RESULT:
        return reply.body
    if reply.kind is Kind.TOO_DEEP:
        raise SandboxCrashed("This needed more stack than there is for it.")
    value: Any = orjson.loads(reply.body)
    if reply.kind is Kind.REFUSAL:
        raise InputRefused(value)
    if reply.kind is Kind.FAILED:
        raise FunctionFailed(value)
    return value
