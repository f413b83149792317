"""Capabilities that compute: they run in a child of the sandbox, with a CPU deadline and a memory limit."""

from __future__ import annotations

from collections.abc import Iterable
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

    It is a class that a child can import and make without arguments. What it raises is as for `run`, without
    ClarificationNeeded.
    """

    def compute(self, bundle: JsonObject) -> Json:
        """The node's output. It neither waits nor writes log lines."""
        ...


class InSandbox:
    """A computing capability, with `compute` called in a child."""

    def __init__(self, capability: Computing, sandbox: Sandbox) -> None:
        kind = type(capability)
        self._name = f"{kind.__module__}:{kind.__qualname__}"
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
                {"capability": self._name, "bundle": context.bundle},
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
