"""Composition: from the nodes' outputs to the caller's shape, by a template that the plan carries.

A template is JSON in which an object with the key `$node` stands for a node's output:
`{"$node": "draft-a"}` the whole of it, `{"$node": "draft-a", "$pointer": "/headline"}` a part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import orjson

from runs.event import Json, JsonObject
from schemas.pointer import split

if TYPE_CHECKING:
    from runs.state import RunState  # children of the sandbox compose, and do without what a state is made of

NODE_KEY = "$node"
POINTER_KEY = "$pointer"


class CompositionError(Exception):
    """The template points at something that the outputs do not have."""


MAX_COMPOSED_BYTES = 4 * 1024 * 1024
MAX_TEMPLATE_VALUES = 20_000


def compose(template: Json, outputs: Mapping[str, Json]) -> Json:
    """Fill the template.

    Raises CompositionError for a reference that leads nowhere, for a template of more than MAX_TEMPLATE_VALUES, and
    where what it refers to comes to more than MAX_COMPOSED_BYTES of JSON: one output may be referred to often.
    """
    return _Composer(outputs).fill(template)


class _Composer:
    """Fills one template, and counts what that takes."""

    def __init__(self, outputs: Mapping[str, Json]) -> None:
        self._outputs = outputs
        self._bytes_left = MAX_COMPOSED_BYTES
        self._values_left = MAX_TEMPLATE_VALUES

    def fill(self, template: Json) -> Json:
        self._values_left -= 1
        if self._values_left < 0:
            raise CompositionError(f"the template has more than {MAX_TEMPLATE_VALUES:,} values")
        if isinstance(template, list):
            return [self.fill(item) for item in cast(list[Json], template)]
        if not isinstance(template, dict):
            return template
        branch = cast(JsonObject, template)
        if NODE_KEY not in branch:
            return {key: self.fill(value) for key, value in branch.items()}
        node, pointer = branch[NODE_KEY], branch.get(POINTER_KEY, "")
        if not isinstance(node, str) or not isinstance(pointer, str) or node not in self._outputs:
            raise CompositionError(f"there is no output of node {node}")
        value = _resolve(self._outputs[node], pointer, node)
        self._bytes_left -= len(orjson.dumps(value))
        if self._bytes_left < 0:
            raise CompositionError(f"the output would take more than {MAX_COMPOSED_BYTES:,} bytes")
        return value


def _resolve(value: Json, pointer: str, node_id: str) -> Json:
    try:
        for key in split(pointer):
            value = cast(Json, value[int(key)] if isinstance(value, list) else value[key])
    except (KeyError, IndexError, ValueError, TypeError):
        raise CompositionError(f"the output of node {node_id} has nothing at {pointer}") from None
    return value


def referenced_nodes(template: Json) -> list[str]:
    """The ids of the nodes that a template (or a part of one) draws on, in order, each once.

    At most MAX_TEMPLATE_VALUES are looked at, since no more are ever filled.
    """
    found: dict[str, None] = {}
    waiting: list[Json] = [template]
    for _ in range(MAX_TEMPLATE_VALUES):
        if not waiting:
            break
        part = waiting.pop()
        if isinstance(part, list):
            waiting += reversed(cast(list[Json], part))
        elif isinstance(part, dict):
            branch = cast(JsonObject, part)
            if NODE_KEY in branch:
                node = branch[NODE_KEY]
                found.setdefault(node if isinstance(node, str) else str(node))  # which no node is called
            else:
                waiting += reversed(list(branch.values()))
    return list(found)


def part_at(template: Json, instance_path: str) -> Json:
    """The part of the template that makes what stands at `instance_path` (a JSON pointer into the composed output)."""
    part = template
    for key in split(instance_path):
        if isinstance(part, list) and key.isdigit() and int(key) < len(cast(list[Json], part)):
            part = cast(list[Json], part)[int(key)]
        elif isinstance(part, dict) and NODE_KEY not in part and key in part:
            part = cast(JsonObject, part)[key]
        else:
            break
    return cast(Json, part)


def composed_output(state: RunState) -> Json:
    """The run's output from its plan's `metadata.composition`; without one, the output of the plan's last node."""
    outputs = {node.id: node.output for node in state.nodes.values()}
    template = state.plan_metadata.get("composition")
    return compose(template, outputs) if template is not None else list(outputs.values())[-1]
