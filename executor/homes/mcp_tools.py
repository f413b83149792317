"""Tools of an MCP server as capabilities: their descriptors, and their arguments out of a bundle."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from executor.capability import CapabilityError
from runs.event import Json, JsonObject
from schemas.capability import CapabilityDescriptor

TEXT_SCHEMA: JsonObject = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
}
"""The output of a tool that has no output schema: the text of its result."""

_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as its server describes it. What it says of its own harmlessness (annotations) is not read."""

    name: str
    description: str
    input_schema: JsonObject
    output_schema: JsonObject | None

    @property
    def given(self) -> JsonObject:
        """The schema of its output."""
        return self.output_schema or TEXT_SCHEMA


def tool_descriptor(tool: Tool, home: JsonObject, name: str, version: str, *, idempotent: bool) -> JsonObject:
    """The descriptor, in wire form, with which a tool is registered as `name.tool`."""
    return {
        "id": f"{name}.{_NOT_IN_AN_ID.sub('-', tool.name)}"[:200],
        "version": version,
        "label": tool.name[:200],
        "description": tool.description[:10_000],
        "agentType": "service",
        "inputSchema": tool.input_schema,
        "outputSchema": tool.given,
        "idempotent": idempotent,
        "home": {**home, "type": "mcp", "tool": tool.name},
    }


def check_unchanged(descriptor: CapabilityDescriptor, tool: Tool | None, name: str) -> None:
    """Raise CapabilityError where the server has no such tool any more, or one with other schemas than registered."""
    if tool is None:
        raise CapabilityError(
            "mcp_tool_gone",
            f"the MCP server has no tool {name} any more; import its tools again",
            retryable=False,
        )
    changed = [
        word
        for word, registered, current in (
            ("input", descriptor.input_schema, tool.input_schema),
            ("output", descriptor.output_schema, tool.given),
        )
        if registered is not None and registered != current
    ]
    if changed:
        raise CapabilityError(
            "mcp_tool_changed",
            f"the {' and '.join(changed)} schema of the tool {name} is not the registered one any more;"
            " import the server's tools again, as a new version",
            retryable=False,
        )


def arguments_for(bundle: JsonObject, schema: JsonObject) -> JsonObject:
    """The tool's arguments. Raises CapabilityError where one that it requires is nowhere in the bundle.

    They are the node's own `bundle.arguments` where it has them. Else each property of the input schema is looked for
    by its name: among the facets, the inputs, the members of facets, those of the outputs of the nodes before it, and
    these nodes' ids.
    """
    given = cast("JsonObject", bundle.get("bundle") or {}).get("arguments")
    if isinstance(given, dict):
        return cast("JsonObject", given)
    known: JsonObject = {}
    for source in _sources(bundle):
        known = {**source, **known}
    names = cast("JsonObject", schema.get("properties") or {})
    arguments = {name: known[name] for name in names if name in known}
    missing = [name for name in cast("list[str]", schema.get("required") or []) if name not in arguments]
    if missing:
        raise CapabilityError(
            "mcp_arguments_missing",
            f"the tool requires {', '.join(missing[:10])}; no facet, input or earlier output has that name,"
            " and the node's bundle has no 'arguments'",
            retryable=False,
        )
    return arguments


def _sources(bundle: JsonObject) -> Iterable[JsonObject]:
    """What may have an argument by its name, the strongest first."""
    inputs = _object(bundle.get("inputs"))
    yield _object(bundle.get("facets"))
    yield _object(inputs.get("facets"))
    yield _context_bundles(inputs.get("contextBundles"))
    yield inputs
    for facet in (*_object(inputs.get("facets")).values(), *_object(bundle.get("facets")).values()):
        yield _object(facet)
    outputs = _object(bundle.get("dependencies"))
    for output in reversed(list(outputs.values())):
        yield _object(output)
    yield outputs


def _context_bundles(value: Json) -> JsonObject:
    each = [_object(entry) for entry in cast("list[Json]", value)] if isinstance(value, list) else []
    return {
        entry["type"]: entry["payload"]
        for entry in each
        if isinstance(entry.get("type"), str) and "payload" in entry
    }


def _object(value: Any) -> JsonObject:
    return cast("JsonObject", value) if isinstance(value, dict) else {}
