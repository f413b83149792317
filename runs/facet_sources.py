"""Where a node's facets come from: `bundle.facets` maps each to a source, or to a list of sources for one taken many.

A source is a place in the envelope's inputs, `{"$input": "/facets/ticket"}`, or the output of a node that this one
depends on, `{"$node": "summary"}`, or a part of that, `{"$node": "triage", "$pointer": "/mood"}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from runs.composition import NODE_KEY, POINTER_KEY
from runs.event import Json, JsonObject
from schemas.pointer import split

INPUT_KEY = "$input"
FACETS_KEY = "facets"


def from_input(place: str) -> JsonObject:
    """The source at a JSON pointer into the inputs."""
    return {INPUT_KEY: place}


def from_node(node_id: str, place: str = "") -> JsonObject:
    """The source that is a node's output, or what a JSON pointer into that leads to."""
    return {NODE_KEY: node_id, POINTER_KEY: place} if place else {NODE_KEY: node_id}


def facets_of(sources: Json, inputs: JsonObject, outputs: Mapping[str, Json]) -> JsonObject:
    """The facets by name. One whose source leads nowhere is left out."""
    named = cast(JsonObject, sources) if isinstance(sources, dict) else {}
    facets: JsonObject = {}
    for name, source in named.items():
        if isinstance(source, list):
            found = [_resolved(each, inputs, outputs) for each in cast("list[Json]", source)]
            facets[name] = [value for values in found for each in values for value in _several(each)]
        else:
            found = _resolved(source, inputs, outputs)
            if found:
                facets[name] = found[0]
    return facets


def _several(value: Json) -> list[Json]:
    """A facet that is taken many may be given as a list already."""
    return cast("list[Json]", value) if isinstance(value, list) else [value]


def _resolved(source: Json, inputs: JsonObject, outputs: Mapping[str, Json]) -> tuple[Json, ...]:
    """The value, alone; () where there is none."""
    described = cast(JsonObject, source) if isinstance(source, dict) else {}
    place = described.get(INPUT_KEY)
    if isinstance(place, str):
        return value_at(inputs, place)
    node_id, place = described.get(NODE_KEY), described.get(POINTER_KEY, "")
    if not isinstance(node_id, str) or node_id not in outputs or not isinstance(place, str):
        return ()
    return value_at(outputs[node_id], place)


def value_at(value: Json, place: str) -> tuple[Json, ...]:
    """What a JSON pointer leads to, alone; () where it leads nowhere."""
    try:
        for key in split(place):
            value = cast(Json, value[int(key)] if isinstance(value, list) else value[key])
    except (KeyError, IndexError, ValueError, TypeError):
        return ()
    return (value,)
