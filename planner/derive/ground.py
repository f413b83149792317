"""The facets that an envelope brings, and where in its inputs they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.compiler import compile_schema
from contracts.problems import SchemaRefused
from planner.mapping.names import canonical
from planner.mapping.values import weight
from planner.planner import JsonObject
from planner.text import as_list, as_object
from runs.facet_sources import from_input
from schemas import pointer

_MAX_RECOGNISED = 200
"""How many inputs are compared with facets."""

_MAX_WEIGHT = 10_000
"""The largest input that is checked against a facet's schema, in values."""


def given_facets(envelope: JsonObject, schemas: Mapping[str, Any]) -> dict[str, list[JsonObject]]:
    """Facet → the sources of it: `inputs.facets.NAME`, then each entry of `inputs.contextBundles` of this type.

    An input whose name is that of a facet with a schema is this facet, where the schema accepts it.
    """
    inputs = as_object(envelope.get("inputs"))
    found: dict[str, list[JsonObject]] = {}
    for name in as_object(inputs.get("facets")):
        found.setdefault(name, []).append(from_input(pointer.build(("facets", name))))
    for index, entry in enumerate(as_list(inputs.get("contextBundles"))):
        bundle = as_object(entry)
        kind: Any = bundle.get("type")
        if isinstance(kind, str) and "payload" in bundle:
            place = pointer.build(("contextBundles", index, "payload"))
            found.setdefault(kind, []).append(from_input(place))
    for facet, place in _recognised(inputs, schemas).items():
        found.setdefault(facet, [from_input(place)])
    return found


def _recognised(inputs: JsonObject, schemas: Mapping[str, Any]) -> dict[str, str]:
    """Facet → the place of the input that has its name and that its schema accepts."""
    by_name: dict[str, str] = {}
    for facet in sorted(schemas, reverse=True):
        by_name[canonical(facet)] = facet
    found: dict[str, str] = {}
    for key, value in list(inputs.items())[:_MAX_RECOGNISED]:
        facet = by_name.get(canonical(key))
        if facet is not None and facet not in found and _accepts(schemas[facet], value):
            found[facet] = pointer.build((key,))
    return found


def _accepts(schema: Any, value: Any) -> bool:
    if not isinstance(schema, dict) or weight(value) > _MAX_WEIGHT:
        return False
    try:
        return not compile_schema(schema).errors(value, 1)
    except SchemaRefused:
        return False
