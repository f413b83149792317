"""What stands in for the child processes: the function is called here, takes simulated time, and may be cut off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import import_module
from random import Random
from typing import Any

import orjson

from sandbox.errors import SandboxCrashed, SandboxTimedOut, SandboxUnavailable
from sandbox.sandbox import Sandbox

_LONGEST_SECONDS = 0.2


class SimulatedSandbox(Sandbox):
    """Calls what a child would call. `trouble` is the chance of each call to end without a
    result; `called` is told of each call and of its deadline."""

    def __init__(
        self, random: Random, trouble: Callable[[], float], called: Callable[[str, float | None], None]
    ) -> None:
        super().__init__()
        self._random = random
        self._trouble = trouble
        self._called = called

    async def start(self) -> None:
        """There is nothing to start."""

    async def close(self) -> None:
        """There is nothing to end."""

    async def call(
        self,
        function: str,
        argument: object = None,
        blob: bytes = b"",
        *,
        deadline_seconds: float | None = None,
    ) -> Any:
        """See `Sandbox.call`."""
        self._called(function, deadline_seconds)
        await asyncio.sleep(self._random.random() * _LONGEST_SECONDS)
        if self._random.random() < self._trouble():
            raise self._random.choice(
                (SandboxUnavailable, SandboxUnavailable, SandboxCrashed, SandboxTimedOut)
            )("drawn")
        module, _, name = function.partition(":")
        result = getattr(import_module(module), name)(orjson.loads(orjson.dumps(argument)), blob)
        return result if isinstance(result, bytes) else orjson.loads(orjson.dumps(result, default=float))
