"""References to what is going to be made, before it is known which node makes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from planner.derive.goal import Part
from planner.planner import JsonObject
from runs.composition import NODE_KEY, POINTER_KEY

_MARK = "\0"
"""What no node's id has."""


def mark(facet: str, copy: int | None = None) -> str:
    """What stands in the place of a node's id; `copy` is the variant, None where there is only one."""
    return f"{facet}{_MARK}{'' if copy is None else copy}"


def marked(node_id: str) -> Part:
    """The facet, and the variant of it, that a mark stands for."""
    facet, _, copy = node_id.rpartition(_MARK)
    return Part(facet, "", int(copy) if copy else None)


def resolved(expression: Any, source_of: Callable[[Part], JsonObject]) -> Any:
    """The expression with the nodes in it; values are not looked into."""
    if isinstance(expression, list):
        return [resolved(each, source_of) for each in cast("list[Any]", expression)]
    if not isinstance(expression, dict):
        return expression
    members = cast("JsonObject", expression)
    if NODE_KEY in members:
        source = source_of(marked(members[NODE_KEY]))
        place = source.get(POINTER_KEY, "") + members.get(POINTER_KEY, "")
        return {NODE_KEY: source[NODE_KEY], **({POINTER_KEY: place} if place else {})}
    if "$value" in members:
        return members
    if "$object" in members:
        named = cast("JsonObject", members["$object"])
        return {"$object": {name: resolved(each, source_of) for name, each in named.items()}}
    return {name: resolved(each, source_of) for name, each in members.items()}
