"""`stub.transform.reshape`: carries out the mapping that the planner has written into the node's bundle.

The language (see `planner.mapping.expression`) is data: a reference to a node's output, a quoted value, a quoted
object, a join of texts, a count of words or characters. Anything else stands for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from executor.capability import CapabilityContext, CapabilityError
from executor.stubs.limits import word_count
from executor.stubs.reading import object_at
from runs.composition import NODE_KEY, POINTER_KEY, CompositionError, compose
from runs.event import Json, JsonObject
from schemas.capability import CapabilityDescriptor


class ReshapeStub:
    """Puts what the other nodes have made into the caller's shape."""

    descriptor = CapabilityDescriptor(
        id="stub.transform.reshape",
        version="1",
        label="Reshape (stub)",
        kind="transformation",
        timeout_seconds=10,
        description="Fills the mapping in its bundle with the outputs of the nodes before it.",
    )

    def compute(self, bundle: JsonObject) -> Json:
        """The mapped output. Raises CapabilityError `mapping_missing`, `mapping_invalid` or `mapping_unresolved`."""
        told = object_at(bundle, "bundle")
        if "mapping" not in told:
            raise CapabilityError("mapping_missing", "the bundle has no mapping", retryable=False)
        return evaluate(told["mapping"], object_at(bundle, "dependencies"))

    async def run(self, context: CapabilityContext) -> Json:
        """The same, on the event loop."""
        return self.compute(context.bundle)


def evaluate(expression: Any, outputs: Mapping[str, Json]) -> Json:
    """The value of a mapping. Raises CapabilityError for one that makes no sense or leads nowhere."""
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
        raise _invalid("a reference names a node and a pointer")
    try:
        return compose(members, outputs)
    except CompositionError as error:
        raise CapabilityError("mapping_unresolved", str(error), retryable=False) from error


def _value(members: JsonObject, outputs: Mapping[str, Json]) -> Json:
    return members["$value"]


def _object(members: JsonObject, outputs: Mapping[str, Json]) -> Json:
    return {name: evaluate(value, outputs) for name, value in object_at(members, "$object").items()}


def _join(members: JsonObject, outputs: Mapping[str, Json]) -> Json:
    parts = evaluate(members["$join"], outputs)
    if not isinstance(parts, list):
        raise _invalid("$join needs a list")
    texts = [_text(part) for part in cast("list[Any]", parts)]
    return str(members.get("$with", " ")).join(text for text in texts if text)


def _count(members: JsonObject, outputs: Mapping[str, Json]) -> Json:
    text = _text(evaluate(members.get("$of"), outputs))
    if members["$count"] == "words":
        return word_count(text)
    if members["$count"] == "characters":
        return len(text)
    raise _invalid(f"there is no count of {members['$count']!r}")


def _text(value: Json) -> str:
    """A text as it is, a list of texts with blanks between them."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return " ".join(_text(each) for each in cast("list[Any]", value))
    raise _invalid("only texts can be joined and counted")


def _invalid(message: str) -> CapabilityError:
    return CapabilityError("mapping_invalid", message, retryable=False)


_OPERATORS: dict[str, Callable[[JsonObject, Mapping[str, Json]], Json]] = {
    "$value": _value,
    "$object": _object,
    "$join": _join,
    "$count": _count,
}
