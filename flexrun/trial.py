"""Running a capability once, outside any run, as an executor would: for `flexrun capabilities try`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

from contracts.checker import ContractChecker
from executor.attempt import Failed, Produced
from executor.capability import (
    AnswersLater,
    Capability,
    CapabilityContext,
    CapabilityError,
    ClarificationNeeded,
)
from executor.checks import OutputChecker
from executor.computing import in_sandbox
from executor.config import ExecutorConfig
from executor.homes import HOMES, open_homes
from executor.homes.mcp_allowed import AllowedCommands
from executor.homes.parts import HomeParts
from executor.loading import load
from executor.outputs import OutputRefused, keep
from executor.safe_text import describe_error
from executor.stubs.shipped import stub_capabilities
from flexrun.settings import Settings
from runs.event import Json, JsonObject
from sandbox.config import SandboxConfig
from sandbox.sandbox import Sandbox
from schemas.capability import CapabilityDescriptor
from schemas.facets import FACETS, Facet
from schemas.parsing import validate_document

DEFAULT_SECONDS = 120.0
"""How long a trial may take where the descriptor names no `timeoutSeconds`."""

_CHECK_SECONDS = 10.0
_NOT_HERE = {
    "python": "its code is not loaded here: name its module with --load",
    "worker": "its worker asks a gateway for work; give it a node in a run",
    "human": "a person does it; give it a node in a run",
}


class NotPossible(Exception):
    """This capability cannot be called from here; the text says why."""


class Loaded:
    """The functions of the modules that were named. Raises LoadFailed."""

    def __init__(self, modules: Sequence[str]) -> None:
        functions = load(modules) if modules else []
        self.facets = {
            wire["name"]: Facet(wire["name"], wire["description"], wire["schema"], version=wire["version"])
            for function in functions
            for wire in function.facets
        }
        self._functions = {function.id: function for function in functions}

    def find(self, capability_id: str) -> Capability | None:
        """The capability, if a module has it."""
        function = self._functions.get(capability_id)
        if function is None:
            return None
        from executor.homes.python import PythonCapability  # noqa: PLC0415 - only with loaded code

        return PythonCapability(function)


async def try_once(
    settings: Settings,
    capability: Capability | JsonObject,
    bundle: JsonObject,
    facets: Mapping[str, Facet],
) -> JsonObject:
    """Call a capability with this bundle: output, seconds, usage and the verdict of its contract.

    `capability` is one that is loaded, or the descriptor of one that is called elsewhere. Raises NotPossible.
    """
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(Sandbox(SandboxConfig()))
        contracts = await stack.enter_async_context(ContractChecker(sandbox=sandbox))
        if isinstance(capability, dict):
            private = settings.capability_allow_private is not False
            parts = HomeParts(sandbox, AllowedCommands.of(settings.mcp_commands), allow_private=private)
            stack.push_async_callback(parts.stack.aclose)
            capability = _connected(capability, parts)
        contract = _contract(capability.descriptor, bundle, facets)
        whole = _whole(bundle, contract)
        seconds = capability.descriptor.timeout_seconds or DEFAULT_SECONDS
        context = CapabilityContext(whole, deadline=time.monotonic() + seconds)
        began = time.perf_counter()
        outcome = await _call(capability, context, seconds)
        made: JsonObject = {
            "capabilityId": capability.descriptor.id,
            "version": capability.descriptor.version,
            "seconds": round(time.perf_counter() - began, 3),
            **({"usage": context.usage} if context.usage else {}),
            **outcome,
        }
        return made if "verdict" in made else {**made, **await _verdict(contracts, contract, made["output"])}


def _connected(wire: JsonObject, parts: HomeParts) -> Capability:
    descriptor = validate_document(CapabilityDescriptor, wire)
    home = descriptor.home.type
    if home == "python":
        stubs = {each.descriptor.id: each for each in in_sandbox(stub_capabilities(), parts.sandbox)}
        if descriptor.id in stubs:
            return stubs[descriptor.id]
    if home not in HOMES:
        why = _NOT_HERE.get(home, f"this release cannot call the home {home!r}")
        raise NotPossible(f"{descriptor.id} has the home {home!r}: {why}.")
    return open_homes(parts)[home](descriptor)


def _contract(
    descriptor: CapabilityDescriptor, bundle: JsonObject, facets: Mapping[str, Facet]
) -> JsonObject | bool | None:
    """What the output has to be: what the bundle says, else the descriptor, else its facets."""
    contract: JsonObject = bundle.get("contract") or {}
    if contract.get("output") is not None:
        return contract["output"]
    if descriptor.output_schema is not None:
        return descriptor.output_schema
    known = {**FACETS, **facets}
    names = descriptor.facets_out
    if len(names) == 1:
        return known[names[0]].delivered() if names[0] in known else None
    return {"type": "object", "required": names} if names else None


def _whole(bundle: JsonObject, contract: JsonObject | bool | None) -> JsonObject:
    """The bundle with what a run would have put into it."""
    return {
        "runId": "00000000-0000-0000-0000-000000000000",
        "nodeId": "try",
        "attempt": 1,
        "objective": "",
        "policies": {},
        "specialInstructions": [],
        "metadata": {},
        "contract": {"output": contract} if contract is not None else {},
        "dependsOn": [],
        "bundle": {},
        "inputs": {},
        "dependencies": {},
        **bundle,
    }


async def _call(capability: Capability, context: CapabilityContext, seconds: float) -> JsonObject:
    try:
        async with asyncio.timeout(seconds):
            returned = await capability.run(context)
        return {"output": await keep(returned, ExecutorConfig().output_bytes)}
    except TimeoutError:
        return _failed("timeout", f"no output within {seconds:g} s")
    except (CapabilityError, OutputRefused) as error:
        return _failed(error.code, error.message)
    except ClarificationNeeded as asked:
        return {"verdict": "asked", "question": asked.question, "options": list(asked.options)}
    except AnswersLater as later:
        return _failed("answers_later", f"it took the work over; {later}, which only a run can wait for")
    except Exception as error:  # noqa: BLE001 - a capability may raise anything
        return _failed("capability_error", describe_error(error))


def _failed(code: str, message: str) -> JsonObject:
    return {"verdict": "failed", "error": {"code": code, "message": message}}


async def _verdict(contracts: ContractChecker, contract: Any, output: Json) -> JsonObject:
    if contract is None:
        return {"verdict": "no_contract"}
    judged = await OutputChecker(contracts, _CHECK_SECONDS).judge(contract, Produced(output, 0))
    if isinstance(judged, Failed):
        return _failed(judged.code, judged.message)
    return {"verdict": "invalid", "errors": list(judged.errors)} if judged.errors else {"verdict": "valid"}
