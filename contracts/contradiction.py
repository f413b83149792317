"""Whether two schemas contradict each other: no value satisfies both, and that can be seen without trying values.

It finds types, listed values and bounds that have nothing in common, and properties that the one needs and the other
does not allow or wants otherwise. What it does not find may still be a contradiction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

from contracts.grammar.references import LocalReferences, RemoteReference
from contracts.problems import SchemaProblem
from schemas import pointer
from schemas.json_text import Path

MAX_STEPS = 2_000
"""How many pairs of schemas are compared, which takes milliseconds; what is left is taken for no contradiction."""
MAX_DEPTH = 100

_BOUNDS = (
    ("minimum", "maximum", ("number",)),
    ("minLength", "maxLength", ("string",)),
    ("minItems", "maxItems", ("array",)),
    ("minProperties", "maxProperties", ("object",)),
)
_TYPES = frozenset({"null", "boolean", "object", "array", "number", "integer", "string"})


def contradictions(schema: Any, other: Any) -> list[SchemaProblem]:
    """Where `schema` asks for what `other` rules out, as places in `schema`; empty where nothing is found."""
    return _Comparison(schema, other).found(schema, other, ())


class _Comparison:
    def __init__(self, schema: Any, other: Any) -> None:
        self._references = [_references(each) for each in (schema, other)]
        self._steps = 0

    def found(self, one: Any, two: Any, path: Path, depth: int = 0) -> list[SchemaProblem]:
        self._steps += 1
        if self._steps > MAX_STEPS or depth > MAX_DEPTH:
            return []
        one, two = self._followed(one, 0), self._followed(two, 1)
        if one is False or two is False:
            return [_problem(path, "Nothing is accepted here.")]
        if not isinstance(one, dict) or not isinstance(two, dict):
            return []
        return self._objects(cast("dict[str, Any]", one), cast("dict[str, Any]", two), path, depth + 1)

    def _objects(
        self, one: dict[str, Any], two: dict[str, Any], path: Path, depth: int
    ) -> list[SchemaProblem]:
        for _, branches in _choices(two):
            refused = [self.found(one, each, path, depth) for each in branches]
            if refused and all(refused):
                return refused[0]
        for keyword, branches in _choices(one):
            refused = [self.found(each, two, (*path, keyword, at), depth) for at, each in enumerate(branches)]
            if refused and all(refused):
                return refused[0]
        own = list(_value_problems(one, two, path))
        if own or types_of(one) & types_of(two) != {"object"}:
            return own
        return self._properties(one, two, path, depth)

    def _properties(
        self, one: dict[str, Any], two: dict[str, Any], path: Path, depth: int
    ) -> list[SchemaProblem]:
        problems: list[SchemaProblem] = []
        for name in sorted({*_required(one), *_required(two)}):
            mine, theirs = _property(one, name), _property(two, name)
            place = (*path, "properties", name) if name in one.get("properties", {}) else path
            if mine is False:
                problems.append(
                    _problem(place, f"The property {name!r} is required, and is not allowed here.")
                )
            elif theirs is False:
                problems.append(
                    _problem(place, f"The property {name!r} is asked for here, and is not allowed.")
                )
            else:
                problems += self.found(mine, theirs, place, depth)
        return problems

    def _followed(self, schema: Any, side: int) -> Any:
        """What a schema that is a reference alone leads to; everything is accepted behind one that leads nowhere."""
        references = self._references[side]
        for _ in range(20):
            if not isinstance(schema, dict) or references is None:
                return cast("Any", schema)
            named = cast("dict[str, Any]", schema).get("$ref")
            if not isinstance(named, str):
                return cast("Any", schema)
            try:
                schema = references.resolve(named)[1]
            except (LookupError, RemoteReference):
                return True
        return True


def _references(root: Any) -> LocalReferences | None:
    return LocalReferences(cast("dict[str, Any]", root)) if isinstance(root, dict) else None


def types_of(schema: dict[str, Any]) -> set[str]:
    """The types that the schema's own keywords leave; a whole number is a `number`."""
    named = schema.get("type")
    if isinstance(named, str):
        left = {named}
    elif isinstance(named, list):
        left = {each for each in cast("list[Any]", named) if isinstance(each, str)}
    else:
        left = set(_TYPES)
    if "number" in left:
        left.add("integer")
    values = listed_values(schema)
    return left if values is None else left & {each for value in values for each in json_types(value)}


def listed_values(schema: dict[str, Any]) -> list[Any] | None:
    """The only values that the schema accepts, by `const` or `enum`; None where it lists none."""
    if "const" in schema:
        return [schema["const"]]
    values = schema.get("enum")
    return cast("list[Any]", values) if isinstance(values, list) else None


def json_types(value: Any) -> set[str]:
    """The types of JSON Schema that a value has."""
    if value is None:
        return {"null"}
    if isinstance(value, bool):
        return {"boolean"}
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return {"integer", "number"}
    if isinstance(value, float):
        return {"number"}
    return {"string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"}


def _choices(schema: dict[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    for keyword in ("anyOf", "oneOf"):
        members = schema.get(keyword)
        if isinstance(members, list):
            yield keyword, cast("list[Any]", members)


def _value_problems(one: dict[str, Any], two: dict[str, Any], path: Path) -> Iterator[SchemaProblem]:
    mine, theirs = types_of(one), types_of(two)
    if not mine & theirs:
        yield _problem((*path, "type") if "type" in one else path, f"This must be {_words(theirs)}.")
        return
    values, others = listed_values(one), listed_values(two)
    if values is not None and others is not None and not any(value in others for value in values):
        yield _problem(path, f"None of these values is among {_shown(others)}.")
    for low, high, types in _BOUNDS:
        if not (mine & theirs) <= {*types, *(("integer",) if "number" in types else ())}:
            continue
        if (
            (least := _number(one, low)) is not None
            and (most := _number(two, high)) is not None
            and least > most
        ):
            yield _problem((*path, low), f"At most {most:g} are allowed.")
        if (
            (most := _number(one, high)) is not None
            and (least := _number(two, low)) is not None
            and most < least
        ):
            yield _problem((*path, high), f"At least {least:g} are needed.")


def _required(schema: dict[str, Any]) -> Iterable[str]:
    names = schema.get("required")
    return (
        [each for each in cast("list[Any]", names) if isinstance(each, str)]
        if isinstance(names, list)
        else []
    )


def _property(schema: dict[str, Any], name: str) -> Any:
    properties = schema.get("properties")
    if isinstance(properties, dict) and name in properties:
        return cast("dict[str, Any]", properties)[name]
    return True if "patternProperties" in schema else schema.get("additionalProperties", True)


def _number(schema: dict[str, Any], keyword: str) -> float | None:
    value = schema.get(keyword)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _words(types: set[str]) -> str:
    return " or ".join(sorted(types - ({"integer"} if "number" in types else set()))) or "nothing at all"


def _shown(values: list[Any]) -> str:
    texts = [repr(value)[:40] for value in values[:5]]
    return ", ".join(texts) + (", …" if len(values) > len(texts) else "")


def _problem(path: Path, message: str) -> SchemaProblem:
    return SchemaProblem("contradiction", pointer.build_bounded(path), message)
