"""The language in which a mapping is written down: JSON that a transformation node carries in its bundle.

A reference is the composition's own (`{"$node": "draft-a", "$pointer": "/headline"}`). Beyond that there are
`{"$value": any}` for a value that is never looked into, `{"$object": {name: expression}}` for an object whose names may
look like operators, `{"$join": [expression], "$with": text}` for one text out of several, and
`{"$count": "words" | "characters", "$of": expression}`. Everything else stands for itself.
"""

from __future__ import annotations

from typing import Any, cast

from runs.composition import NODE_KEY, POINTER_KEY

Expression = Any


def reference(node_id: str, field: str | None = None) -> Expression:
    """A node's output, or one field of it."""
    return {NODE_KEY: node_id} if field is None else {NODE_KEY: node_id, POINTER_KEY: f"/{field}"}


def is_reference(expression: Expression) -> bool:
    """Whether the composition itself understands this expression."""
    return isinstance(expression, dict) and NODE_KEY in expression


def literal(value: Any) -> Expression:
    """A value that is known already; objects and arrays are quoted, since a caller made them."""
    return {"$value": value} if type(value) in (dict, list) else value


def join(parts: list[Expression], separator: str) -> Expression:
    """One text; a list among the parts is joined by blanks."""
    return {"$join": parts, "$with": separator}


def count(what: str, of: Expression) -> Expression:
    """The number of `words` or `characters` of a text."""
    return {"$count": what, "$of": of}


def object_of(members: dict[str, Expression]) -> Expression:
    """An object; quoted where a name could be taken for an operator."""
    return {"$object": members} if looks_like_operator(members) else members


def looks_like_operator(members: dict[str, Any]) -> bool:
    return any(name.startswith("$") for name in members)


def nodes_in(expression: Expression) -> list[str]:
    """The nodes that an expression draws on, each once; values are not looked into."""
    found: list[str] = []
    _collect(expression, found)
    return list(dict.fromkeys(found))


def _collect(expression: Expression, found: list[str]) -> None:
    if isinstance(expression, list):
        for item in cast("list[Any]", expression):
            _collect(item, found)
    elif isinstance(expression, dict):
        members = cast("dict[str, Any]", expression)
        if NODE_KEY in members:
            found.append(members[NODE_KEY])
        elif "$object" in members:
            _collect(list(members["$object"].values()), found)
        elif "$value" not in members:
            _collect(list(members.values()), found)
