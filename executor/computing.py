"""Capabilities that compute: they run in a child of the sandbox, with a CPU deadline and a memory limit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, runtime_checkable

import orjson

from executor.capability import Capability, CapabilityContext, CapabilityError
from executor.outputs import KeptJson
from runs.event import Json, JsonObject
from sandbox.errors import InputRefused, SandboxCrashed, SandboxTimedOut, SandboxUnavailable
from sandbox.sandbox import Sandbox
from schemas.capability import CapabilityDescriptor

COMPUTE_SECONDS = 1.0
"""CPU time for one attempt."""

_FUNCTION = "executor.child:compute"


@runtime_checkable
class Computing(Capability, Protocol):
    """A capability whose output follows from its bundle by computing alone.

    `compute` makes the output of a bundle; it neither waits nor writes log lines. It is a function of a module, which a
    child imports without the descriptor. What it raises is as for `run`, without ClarificationNeeded.
    """

    @property
    def compute(self) -> Callable[[JsonObject], Json]:
        """The function, made an attribute with `staticmethod`."""
        ...


class InSandbox:
    """A computing capability, with `compute` called in a child."""

    def __init__(self, capability: Computing, sandbox: Sandbox) -> None:
        self._name = f"{capability.compute.__module__}:{capability.compute.__qualname__}"
        self._descriptor = capability.descriptor
        self._sandbox = sandbox

    @property
    def descriptor(self) -> CapabilityDescriptor:
        """The descriptor of the capability."""
        return self._descriptor

    async def run(self, context: CapabilityContext) -> Json:
        """The output. Raises what `compute` raises, and CapabilityError `compute_limit` where it exceeds its limits."""
        try:
            text = await self._sandbox.call(
                _FUNCTION,
                {"function": self._name, "bundle": context.bundle},
                deadline_seconds=COMPUTE_SECONDS,
            )
        except InputRefused as refusal:
            raise CapabilityError(**refusal.data) from None
        except (SandboxTimedOut, SandboxCrashed) as failure:
            raise CapabilityError("compute_limit", str(failure), retryable=False) from None
        except SandboxUnavailable as failure:
            raise CapabilityError("sandbox_unavailable", str(failure)) from None
        return KeptJson(orjson.loads(text))


def in_sandbox(capabilities: Iterable[Capability], sandbox: Sandbox) -> list[Capability]:
    """The capabilities; those that compute are wrapped, so that they run in the sandbox."""
    return [InSandbox(each, sandbox) if isinstance(each, Computing) else each for each in capabilities]
