"""Small capabilities for tests: each is an async function of the context with a descriptor around it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from executor.capability import CapabilityContext
from schemas.capability import CapabilityDescriptor

Work = Callable[[CapabilityContext], Awaitable[Any]]


class FunctionCapability:
    """A capability that is one function."""

    def __init__(self, capability_id: str, work: Work, **descriptor: Any) -> None:
        self._descriptor = CapabilityDescriptor(
            id=capability_id, version="1", label=capability_id, kind="execution", **descriptor
        )
        self._work = work

    @property
    def descriptor(self) -> CapabilityDescriptor:
        return self._descriptor

    async def run(self, context: CapabilityContext) -> Any:
        return await self._work(context)


def returns(capability_id: str, output: Any, **descriptor: Any) -> FunctionCapability:
    """Returns the same output for every bundle."""

    async def work(context: CapabilityContext) -> Any:
        return output

    return FunctionCapability(capability_id, work, **descriptor)


def raises(capability_id: str, error: BaseException, **descriptor: Any) -> FunctionCapability:
    """Fails in the same way each time."""

    async def work(context: CapabilityContext) -> Any:
        raise error

    return FunctionCapability(capability_id, work, **descriptor)


def echo(capability_id: str = "test.echo") -> FunctionCapability:
    """Returns its bundle."""

    async def work(context: CapabilityContext) -> Any:
        return context.bundle

    return FunctionCapability(capability_id, work)


class Scripted(FunctionCapability):
    """Takes its results in order: raises an exception, returns anything else. Keeps its bundles."""

    def __init__(self, capability_id: str, *acts: Any, **descriptor: Any) -> None:
        self.bundles: list[dict[str, Any]] = []
        self._acts = list(acts)
        super().__init__(capability_id, self._next, **descriptor)

    async def _next(self, context: CapabilityContext) -> Any:
        self.bundles.append(context.bundle)
        act = self._acts.pop(0)
        if isinstance(act, BaseException):
            raise act
        return act


class Gate(FunctionCapability):
    """Waits until the test opens it; counts the calls inside, and lists the cancelled ones."""

    def __init__(self, capability_id: str, output: Any = "through", **descriptor: Any) -> None:
        self.inside: list[str] = []
        self.cancelled: list[str] = []
        self.open = asyncio.Event()
        self._output = output
        super().__init__(capability_id, self._wait, **descriptor)

    async def _wait(self, context: CapabilityContext) -> Any:
        node_id = context.bundle["nodeId"]
        self.inside.append(node_id)
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled.append(node_id)
            raise
        return self._output


class Stubborn(FunctionCapability):
    """Swallows every cancellation until it is released, and then returns an output."""

    def __init__(self, capability_id: str, **descriptor: Any) -> None:
        self.inside = 0
        self.refusals = 0
        self.let_go = asyncio.Event()
        super().__init__(capability_id, self._hold, **descriptor)

    async def _hold(self, context: CapabilityContext) -> Any:
        self.inside += 1
        while not self.let_go.is_set():
            try:
                await self.let_go.wait()
            except asyncio.CancelledError:
                self.refusals += 1
        return "too late"
