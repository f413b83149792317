"""Expressions: the language in which a plan says how an output is made from the outputs of its nodes.

An expression is JSON. A reference is the composition's own (`{"$node": "total", "$pointer": "/amount"}`). Beyond that
there are `{"$value": any}` for a value that is taken as it is, `{"$object": {name: expression}}` for an object whose
names may look like operators, `{"$join": [expression], "$with": text}` for one text out of several, and
`{"$count": "words" | "characters", "$of": expression}`. Everything else stands for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from runs.composition import NODE_KEY, POINTER_KEY, compose
from runs.event import Json, JsonObject

Expression = Any


class ExpressionError(Exception):
    """An expression makes no sense: an operator has an operand that it does not take."""


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
    """Whether a name among `members` could be taken for an operator."""
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


def word_count(text: str) -> int:
    """How many words a text has, as `$count` counts them."""
    return len(text.split())


def evaluate(expression: Expression, outputs: Mapping[str, Json]) -> Json:
    """The value of an expression over `outputs` by node id.

    Raises ExpressionError for an expression that makes no sense, CompositionError for a reference that leads nowhere.
    """
    if isinstance(expression, list):
        return [evaluate(item, outputs) for item in cast("list[Any]", expression)]
    if not isinstance(expression, dict):
        return expression
    members = cast(JsonObject, expression)
    if NODE_KEY in members:
        return _refer(members, outputs)
    for operator, apply in _OPERATORS.items():
        if operator in members:
            return apply(members, outputs)
    return {name: evaluate(value, outputs) for name, value in members.items()}


def _refer(members: JsonObject, outputs: Mapping[str, Json]) -> Json:
    if not isinstance(members[NODE_KEY], str) or not isinstance(members.get(POINTER_KEY, ""), str):
        raise ExpressionError("a reference names a node and a pointer")
    return compose(members, outputs)


def _value(members: JsonObject, outputs: Mapping[str, Json]) -> Json:
    return members["$value"]


def _object(members: JsonObject, outputs: Mapping[str, Json]) -> Json:
    quoted = members["$object"]
    named = cast(JsonObject, quoted) if isinstance(quoted, dict) else {}
    return {name: evaluate(value, outputs) for name, value in named.items()}


def _join(members: JsonObject, outputs: Mapping[str, Json]) -> Json:
    parts = evaluate(members["$join"], outputs)
    if not isinstance(parts, list):
        raise ExpressionError("$join needs a list")
    texts = [_text(part) for part in cast("list[Any]", parts)]
    return str(members.get("$with", " ")).join(text for text in texts if text)


def _count(members: JsonObject, outputs: Mapping[str, Json]) -> Json:
    text = _text(evaluate(members.get("$of"), outputs))
    if members["$count"] == "words":
        return word_count(text)
    if members["$count"] == "characters":
        return len(text)
    raise ExpressionError(f"there is no count of {members['$count']!r}")


def _text(value: Json) -> str:
    """A text as it is, a list of texts with blanks between them."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return " ".join(_text(each) for each in cast("list[Any]", value))
    raise ExpressionError("only texts can be joined and counted")


_OPERATORS: dict[str, Callable[[JsonObject, Mapping[str, Json]], Json]] = {
    "$value": _value,
    "$object": _object,
    "$join": _join,
    "$count": _count,
}
