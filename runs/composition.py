"""Composition: from the nodes' outputs to the caller's shape, by a template that the plan carries.

A template is JSON in which an object with the key `$node` stands for a node's output:
`{"$node": "draft-a"}` the whole of it, `{"$node": "draft-a", "$pointer": "/headline"}` a part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from runs.event import Json, JsonObject
from runs.state import RunState
from schemas.pointer import split

NODE_KEY = "$node"
POINTER_KEY = "$pointer"


class CompositionError(Exception):
    """The template points at something that the outputs do not have."""


def compose(template: Json, outputs: Mapping[str, Json]) -> Json:
    """Fill the template. Raises CompositionError for a reference that leads nowhere."""
    if isinstance(template, list):
        return [compose(item, outputs) for item in cast(list[Json], template)]
    if not isinstance(template, dict):
        return template
    branch = cast(JsonObject, template)
    if NODE_KEY not in branch:
        return {key: compose(value, outputs) for key, value in branch.items()}
    if branch[NODE_KEY] not in outputs:
        raise CompositionError(f"there is no output of node {branch[NODE_KEY]}")
    return _resolve(outputs[branch[NODE_KEY]], branch.get(POINTER_KEY, ""), branch[NODE_KEY])


def _resolve(value: Json, pointer: str, node_id: str) -> Json:
    try:
        for key in split(pointer):
            value = cast(Json, value[int(key)] if isinstance(value, list) else value[key])
    except (KeyError, IndexError, ValueError, TypeError):
        raise CompositionError(f"the output of node {node_id} has nothing at {pointer}") from None
    return value


def sources(template: Json) -> list[str]:
    """The ids of the nodes that a template (or a part of one) draws on, in order, each once."""
    if isinstance(template, list):
        found = [node_id for item in cast(list[Json], template) for node_id in sources(item)]
    elif isinstance(template, dict):
        branch = cast(JsonObject, template)
        if NODE_KEY in branch:
            return [branch[NODE_KEY]]
        found = [node_id for item in branch.values() for node_id in sources(item)]
    else:
        found = []
    return list(dict.fromkeys(found))


def sources_at(template: Json, instance_path: str) -> list[str]:
    """The nodes that made what stands at `instance_path` (a JSON pointer into the composed output)."""
    part = template
    for key in split(instance_path):
        if isinstance(part, list) and key.isdigit() and int(key) < len(cast(list[Json], part)):
            part = cast(list[Json], part)[int(key)]
        elif isinstance(part, dict) and NODE_KEY not in part and key in part:
            part = cast(JsonObject, part)[key]
        else:
            break
    return sources(part)


def composed_output(state: RunState) -> Json:
    """The run's output from its plan's `metadata.composition`; without one, the output of the plan's last node."""
    outputs = {node.id: node.output for node in state.nodes.values()}
    template = state.plan_metadata.get("composition")
    return compose(template, outputs) if template is not None else list(outputs.values())[-1]
