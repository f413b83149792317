"""`@capability`: a typed function, and the descriptor that it registers with."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, TypeAdapter

from flexrun_sdk.errors import CapabilityMistake
from flexrun_sdk.json_schemas import Mode, facet_schema, schema_of
from flexrun_sdk.signature import FacetsIn, Signature, adapter_of, read_signature

Function = TypeVar("Function", bound=Callable[..., Any])
Kind = Literal["structuring", "execution", "transformation", "validation", "routing"]
_MARK = "__flexrun_capability__"


@dataclass(frozen=True)
class CapabilityFunction:
    """A decorated function: how it is called, its descriptor and the facets that its types describe, in wire form.

    The descriptor names no home: who runs the function adds it.
    """

    function: Callable[..., Any]
    signature: Signature
    descriptor: dict[str, Any]
    facets_out: tuple[str, ...] = ()
    facets: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def id(self) -> str:
        return self.descriptor["id"]

    @property
    def version(self) -> str:
        return self.descriptor["version"]

    @property
    def is_async(self) -> bool:
        """Whether it is to be awaited; any other function is to be called in a thread."""
        return inspect.iscoroutinefunction(self.function)

    def described(self, home: Mapping[str, Any]) -> dict[str, Any]:
        """The descriptor with a home, as `POST /api/v1/flex/capabilities/register` takes it."""
        return {**self.descriptor, "home": dict(home)}


def capability(  # noqa: PLR0913 - the words of a descriptor, each once
    *,
    id: str,  # noqa: A002 - the descriptor's word
    version: str = "1.0.0",
    label: str | None = None,
    description: str | None = None,
    kind: Kind = "execution",
    agent_type: Literal["ai", "service"] = "service",
    facets_in: FacetsIn | None = None,
    facets_out: str | Sequence[str] | None = None,
    cost: Mapping[str, Any] | None = None,
    limits: Mapping[str, Any] | None = None,
    timeout_seconds: float | None = None,
    heartbeat_seconds: float | None = None,
    idempotent: bool = True,
    tags: Sequence[str] = (),
    metadata: Mapping[str, Any] | None = None,
) -> Callable[[Function], Function]:
    """Make a function, sync or async, a capability. The function itself stays as it is.

    Each parameter is a facet, named after it or as `facets_in` says; one with a default is optional; a list of models
    takes many. A parameter annotated `Context` gets the context. A single model, where neither `facets_in` nor
    `facets_out` is given, gets the run's inputs. With one facet out the function returns that facet, with several an
    object keyed by facet. `cost` is `{"micros", "currency", "tokens", "seconds"}`, `limits` is
    `{"max_concurrent", "per_minute"}`. An attempt of one that is not `idempotent` is never run again when its outcome
    is unknown. Raises CapabilityMistake for a function that cannot be a capability.
    """
    given = (facets_out,) if isinstance(facets_out, str) else tuple(facets_out or ())
    own = {
        "cost": _wire(cost),
        "limits": _wire(limits),
        "timeoutSeconds": timeout_seconds,
        "heartbeatSeconds": heartbeat_seconds,
        "idempotent": idempotent,
        "tags": list(tags) or None,
        "metadata": dict(metadata) if metadata else None,
    }

    def decorate(function: Function) -> Function:
        try:
            signature = read_signature(function, facets_in, bool(given))
            descriptor = {
                "id": id,
                "version": version,
                "label": label or function.__name__.replace("_", " ").capitalize(),
                "description": description or inspect.getdoc(function) or "",
                "kind": kind,
                "agentType": agent_type,
                **_takes(signature),
                **_gives(signature, given),
                **{key: value for key, value in own.items() if value is not None},
            }
            facets = _facets(signature, given, version)
        except CapabilityMistake as mistake:
            raise CapabilityMistake(f"{_place(function)}: {id} cannot be a capability: {mistake}") from None
        marked = CapabilityFunction(function, signature, descriptor, given, facets)
        setattr(function, _MARK, marked)
        return function

    return decorate


def capability_of(function: Any) -> CapabilityFunction | None:
    """What `@capability` made of a function; None for anything else."""
    marked = getattr(function, _MARK, None)
    return marked if isinstance(marked, CapabilityFunction) else None


def capabilities_in(module: ModuleType) -> list[CapabilityFunction]:
    """The capabilities among a module's names, in the order of their definition, each once."""
    found: dict[int, CapabilityFunction] = {}
    for value in vars(module).values():
        marked = capability_of(value)
        if marked is not None:
            found[id(marked)] = marked
    return list(found.values())


def _takes(signature: Signature) -> dict[str, Any]:
    if signature.whole is not None:
        return {"inputSchema": schema_of(signature.whole.adapter, "validation")}
    return {
        "facetsIn": [
            {"name": each.facet, "required": each.required, "many": each.many}
            for each in signature.parameters
        ]
    }


def _gives(signature: Signature, facets_out: Sequence[str]) -> dict[str, Any]:
    if facets_out:
        return {"facetsOut": list(facets_out)}
    result = signature.result
    return {} if result is None else {"outputSchema": schema_of(result, "serialization")}


def _facets(signature: Signature, facets_out: Sequence[str], version: str) -> list[dict[str, Any]]:
    """The facets that the types of the signature describe, each once: what it gives before what it takes."""
    described: dict[str, tuple[TypeAdapter[Any], Mode]] = {}
    returned = signature.returns
    if len(facets_out) == 1 and signature.result is not None:
        described[facets_out[0]] = (signature.result, "serialization")
    elif isinstance(returned, type) and issubclass(returned, BaseModel):
        for name, member in returned.model_fields.items():
            wire = member.serialization_alias or member.alias or name
            if wire in facets_out:
                described[wire] = (adapter_of(member.annotation, f"the facet {wire!r}"), "serialization")
    for each in signature.parameters:
        described.setdefault(each.facet, (each.one, "validation"))
    return [
        {"name": name, "version": version, "description": schema["description"], "schema": schema}
        for name, (adapter, mode) in described.items()
        if (schema := facet_schema(name, adapter, mode)) is not None
    ]


def _wire(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """`maxConcurrent` for `max_concurrent`."""
    if given is None:
        return None
    return {_camel(key): value for key, value in given.items()}


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(each.capitalize() for each in rest)


def _place(function: Callable[..., Any]) -> str:
    code = getattr(function, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else repr(function)
