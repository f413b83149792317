"""Whether a schema accepts everything that another one accepts, shown from the schemas alone.

The proof is conservative: each keyword of the new schema has to follow from the old one. Where it cannot be shown the
answer is the place in the new schema, also where a person could see that it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, cast

import orjson

from contracts.contradiction import json_types, listed_values, types_of
from contracts.grammar.references import LocalReferences, RemoteReference
from contracts.problems import SchemaProblem
from schemas import pointer
from schemas.json_text import Path

MAX_STEPS = 2_000
"""How many pairs of schemas are compared, which takes a few milliseconds; more cannot be shown."""
MAX_DEPTH = 100

_ANNOTATIONS = frozenset(
    {"$comment", "$schema", "$id", "$defs", "$anchor", "default", "definitions", "deprecated", "description",
     "examples", "readOnly", "title", "writeOnly", "contentMediaType", "contentEncoding", "contentSchema"}
)  # fmt: skip
_AT_LEAST = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
_AT_MOST = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})
_ABOUT = {
    **dict.fromkeys(("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf"), "number"),
    **dict.fromkeys(("minLength", "maxLength", "pattern", "format"), "string"),
    **dict.fromkeys(
        ("minItems", "maxItems", "items", "prefixItems", "uniqueItems", "contains", "minContains",
         "maxContains", "unevaluatedItems", "additionalItems"),
        "array",
    ),
    **dict.fromkeys(
        ("minProperties", "maxProperties", "properties", "required", "additionalProperties",
         "patternProperties", "propertyNames", "dependentRequired", "dependentSchemas",
         "unevaluatedProperties"),
        "object",
    ),
}  # fmt: skip
"""The only type that a keyword says something about."""

_INTERWOVEN = frozenset(
    {"if", "then", "else", "contains", "minContains", "maxContains", "unevaluatedItems", "unevaluatedProperties",
     "additionalItems", "dependencies"}
)  # fmt: skip
"""What these say depends on keywords beside them, so they are compared only where all of the schema is the same."""

_STRUCTURE = _INTERWOVEN | {"properties", "patternProperties", "additionalProperties", "items", "prefixItems"}

Schema = dict[str, Any]


def not_widened(old: Any, new: Any) -> list[SchemaProblem]:
    """The places in `new` for which it cannot be shown that what `old` accepts is still accepted; empty is a proof."""
    return _Proof(old, new).gaps(old, new, (), 0)


class _Proof:
    def __init__(self, old: Any, new: Any) -> None:
        self._old = _references(old)
        self._new = _references(new)
        self._steps = 0
        self._assumed: set[tuple[int, int]] = set()
        self._kept: list[Any] = []
        """Schemas that were made on the way: as long as they live, no other one has their `id()`."""
        self._rules: Mapping[str, Callable[[Schema, Schema, Path, int], list[SchemaProblem]]] = (
            MappingProxyType(
                {
                    "properties": self._properties,
                    "additionalProperties": self._other_properties,
                    "items": self._items,
                    "allOf": self._all_of,
                    "anyOf": self._any_of,
                }
            )
        )

    def gaps(self, old: Any, new: Any, path: Path, depth: int) -> list[SchemaProblem]:
        self._steps += 1
        if self._steps > MAX_STEPS or depth > MAX_DEPTH:
            return [_gap(path, "The schemas are too large to compare.")]
        old, new = _followed(old, self._old), _followed(new, self._new)
        if new is True or new == {} or old is False:
            return []
        if new is False or not isinstance(new, dict):
            return [_gap(path, "Nothing is accepted here any more.")]
        pair = (id(cast("object", old)), id(cast("object", new)))
        if pair in self._assumed:
            return []
        self._assumed.add(pair)
        if isinstance(old, dict):
            return self._compared(cast("Schema", old), cast("Schema", new), path, depth + 1)
        return self._compared({}, cast("Schema", new), path, depth + 1)

    def _compared(self, old: Schema, new: Schema, path: Path, depth: int) -> list[SchemaProblem]:
        if not new.keys() & {"anyOf", "oneOf"} and (branches := self._branches(old)) is not None:
            return [gap for each in branches for gap in self.gaps(each, new, path, depth)]
        gaps: list[SchemaProblem] = []
        for keyword, value in new.items():
            if keyword in _ANNOTATIONS or not _concerns(keyword, old):
                continue
            if keyword in self._rules:
                gaps += self._rules[keyword](old, new, (*path, keyword), depth)
            elif keyword in _INTERWOVEN:
                if not _same(_bare(old), _bare(new)):
                    gaps.append(
                        _gap((*path, keyword), "This is compared only where nothing beside it has changed.")
                    )
            elif (why := _why_not(keyword, value, old)) is not None:
                gaps.append(_gap((*path, keyword), why))
        return gaps

    def _branches(self, old: Schema) -> list[Any] | None:
        """What the old schema accepts, as schemas of which one accepts it; None where it has no choice."""
        choice = old.get("anyOf") or old.get("oneOf")
        if not isinstance(choice, list):
            return None
        rest = {key: value for key, value in _bare(old).items() if key not in ("anyOf", "oneOf")}
        branches = [_joined(rest, each) for each in cast("list[Any]", choice)]
        self._kept += branches
        return branches

    def _properties(self, old: Schema, new: Schema, path: Path, depth: int) -> list[SchemaProblem]:
        return [
            gap
            for name, schema in _members(new, "properties").items()
            for gap in self.gaps(_property(old, name), schema, (*path, name), depth)
        ]

    def _other_properties(self, old: Schema, new: Schema, path: Path, depth: int) -> list[SchemaProblem]:
        schema = new["additionalProperties"]
        if schema is True or schema == {}:
            return []
        if "patternProperties" in old or "patternProperties" in new:
            return [] if _same_objects(old, new) else [_gap(path, "Patterns of properties are not compared.")]
        named = _members(new, "properties")
        gaps = self.gaps(old.get("additionalProperties", True), schema, path, depth)
        for name, accepted in _members(old, "properties").items():
            if name in named or not self.gaps(accepted, schema, path, depth):
                continue
            gaps.append(_gap(path, f"The property {name!r} was accepted before."))
        return gaps

    def _items(self, old: Schema, new: Schema, path: Path, depth: int) -> list[SchemaProblem]:
        if "prefixItems" in old or "prefixItems" in new:
            same = all(_same(old.get(key), new.get(key)) for key in ("prefixItems", "items"))
            return (
                [] if same else [_gap(path, "With prefixItems this is compared only where it is the same.")]
            )
        return self.gaps(old.get("items", True), new["items"], path, depth)

    def _all_of(self, old: Schema, new: Schema, path: Path, depth: int) -> list[SchemaProblem]:
        if _same(old.get("allOf"), new["allOf"]):
            return []
        return [
            gap
            for index, each in enumerate(new["allOf"])
            for gap in self.gaps(old, each, (*path, index), depth)
        ]

    def _any_of(self, old: Schema, new: Schema, path: Path, depth: int) -> list[SchemaProblem]:
        gaps: list[SchemaProblem] = []
        for branch in self._branches(old) or [old]:
            before = set(self._assumed)
            for each in new["anyOf"]:
                self._assumed = set(before)
                if not self.gaps(branch, each, path, depth):
                    break
            else:
                gaps.append(_gap(path, "None of these is shown to accept all that was accepted before."))
        return gaps


def _why_not(keyword: str, value: Any, old: Schema) -> str | None:
    """Why a keyword of the new schema does not follow from the old one; None where it does."""
    if (keyword in old and _same(old[keyword], value)) or (keyword == "uniqueItems" and value is False):
        return None
    if keyword == "type":
        return _type_gap(value, old)
    if keyword in ("enum", "const"):
        return _values_gap([value] if keyword == "const" else value, old)
    if keyword == "required":
        return _required_gap(value, old)
    if keyword in _AT_LEAST | _AT_MOST:
        return _bound_gap(keyword, value, old)
    return "This was not there before, or was another; whether it accepts the same is not compared."


def _type_gap(value: Any, old: Schema) -> str | None:
    lost = types_of(old) - types_of({"type": value})
    return f"Before, this could be {' or '.join(sorted(lost))} too." if lost else None


def _values_gap(values: list[Any], old: Schema) -> str | None:
    before = listed_values(old)
    if before is None:
        return "Before, other values were accepted too."
    lost = [
        each
        for each in before
        if not any(each == kept and json_types(each) == json_types(kept) for kept in values)
    ]
    return f"{lost[0]!r} was accepted before." if lost else None


def _required_gap(names: list[Any], old: Schema) -> str | None:
    before = old.get("required")
    added = [each for each in names if not isinstance(before, list) or each not in before]
    return f"{added[0]!r} was not required before." if added else None


def _bound_gap(keyword: str, value: float, old: Schema) -> str | None:
    bound = old.get(keyword)
    if keyword in ("minLength", "minItems", "minProperties") and value <= 0:
        return None
    if isinstance(bound, int | float):
        kept = bound >= value if keyword in _AT_LEAST else bound <= value
        return None if kept else f"Before, it was {bound:g}."
    return "Before, there was no such bound."


def _followed(schema: Any, references: LocalReferences | None) -> Any:
    """What a schema that is a reference and nothing else leads to."""
    for _ in range(20):
        if not isinstance(schema, dict) or references is None:
            return cast("Any", schema)
        said = {key: each for key, each in cast("Schema", schema).items() if key not in _ANNOTATIONS}
        if list(said) != ["$ref"]:
            return cast("Schema", schema)
        try:
            schema = references.resolve(str(said["$ref"]))[1]
        except (LookupError, RemoteReference):
            return cast("Schema", schema)
    return schema


def _references(root: Any) -> LocalReferences | None:
    return LocalReferences(cast("Schema", root)) if isinstance(root, dict) else None


def _members(schema: Schema, keyword: str) -> Schema:
    value = schema.get(keyword)
    return cast("Schema", value) if isinstance(value, dict) else {}


def _property(schema: Schema, name: str) -> Any:
    """What the schema accepts as this property."""
    properties = _members(schema, "properties")
    if "patternProperties" in schema:
        return True
    return properties[name] if name in properties else schema.get("additionalProperties", True)


def _same_objects(old: Schema, new: Schema) -> bool:
    keywords = ("properties", "patternProperties", "additionalProperties")
    return all(_same(old.get(keyword), new.get(keyword)) for keyword in keywords)


def _concerns(keyword: str, old: Schema) -> bool:
    """Whether the keyword says anything of a value that the old schema accepts."""
    about, accepted = _ABOUT.get(keyword), types_of(old)
    return about is None or about in accepted or (about == "number" and "integer" in accepted)


def _joined(rest: Schema, branch: Any) -> Any:
    """A schema that accepts at least what both accept."""
    if not isinstance(branch, dict) or not rest:
        return cast("Any", branch)
    chosen = cast("Schema", branch)
    mixed = rest.keys() & chosen.keys() or (rest.keys() & _STRUCTURE and chosen.keys() & _STRUCTURE)
    return chosen if mixed else {**rest, **chosen}


def _bare(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key not in _ANNOTATIONS}


def _same(one: Any, two: Any) -> bool:
    """Whether two values are the same text, without a reference, which might lead to different places."""
    text = orjson.dumps(one, option=orjson.OPT_SORT_KEYS)
    return text == orjson.dumps(two, option=orjson.OPT_SORT_KEYS) and b'Ref":' not in text


def _gap(path: Path, why: str) -> SchemaProblem:
    return SchemaProblem("facet_not_widened", pointer.build_bounded(path), why)
