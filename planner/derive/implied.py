"""Whether every value that one JSON Schema accepts is accepted by another one, as far as that can be proved.

`Proof.NO` says only that no proof was found. With `ASKED` the shapes agree, and lengths or numbers of items that the
place asks for are not promised: the node that makes the value has to be asked for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any, cast

from contracts.grammar.references import LocalReferences, RemoteReference
from planner.mapping.flat import Budget
from planner.mapping.limits import keeps
from planner.mapping.sources import known_source
from planner.mapping.values import frozen_set
from schemas.same_schema import same_schema

Schema = Mapping[str, Any]

MAX_DEPTH = 30

_FOR_PEOPLE = frozenset(
    {"$schema", "$id", "$comment", "title", "description", "examples", "default", "deprecated", "readOnly",
     "writeOnly", "$defs", "definitions", "x-facet"}
)  # fmt: skip
_ASKABLE = frozenset({"minLength", "maxLength", "minItems", "maxItems"})
_LOWER = frozenset({"minLength", "minItems", "minimum", "exclusiveMinimum", "minProperties"})
_UPPER = frozenset({"maxLength", "maxItems", "maximum", "exclusiveMaximum", "maxProperties"})
_SAME = frozenset({"pattern", "format", "multipleOf", "uniqueItems"})
_TYPE_OF = {
    **dict.fromkeys(("minLength", "maxLength", "pattern", "format"), "string"),
    **dict.fromkeys(("minItems", "maxItems", "uniqueItems", "items"), "array"),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), "number"),
    **dict.fromkeys(
        ("minProperties", "maxProperties", "required", "properties", "additionalProperties"), "object"
    ),
}


class Proof(IntEnum):
    """How well it is proved; the worst of several is their least."""

    NO = 0
    ASKED = 1
    YES = 2


class Document:
    """A schema that references are resolved in."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self._references = LocalReferences(cast("dict[str, Any]", root) if isinstance(root, dict) else {})

    def open(self, schema: Any) -> Any:
        """The schema behind a reference that stands alone; False, which accepts nothing, where it leads nowhere."""
        for _ in range(MAX_DEPTH):
            if not isinstance(schema, dict) or "$ref" not in schema:
                return cast("Any", schema)
            keywords = cast("dict[str, Any]", schema)
            try:
                _, target = self._references.resolve(str(keywords["$ref"]))
            except (LookupError, RemoteReference):
                return False
            rest = {key: value for key, value in keywords.items() if key != "$ref" and key not in _FOR_PEOPLE}
            if rest:
                return {"allOf": [target, rest]}
            schema = target
        return False


class Implication:
    """Proofs that values of schemas of one document are welcome in places of another one."""

    def __init__(self, made: Document, wanted: Document, budget: Budget) -> None:
        self._made = made
        self._wanted = wanted
        self._budget = budget

    def proof(self, made: Any, wanted: Any, depth: int = 0) -> Proof:
        """How well it is proved that all values of `made` are welcome in `wanted`."""
        self._budget.spend()
        made, wanted = self._made.open(made), self._wanted.open(wanted)
        if wanted is True or wanted == {} or made is False:
            return Proof.YES
        if wanted is False or depth > MAX_DEPTH or not isinstance(wanted, dict):
            return Proof.NO
        place = cast("dict[str, Any]", wanted)
        if not isinstance(made, dict):
            return Proof.NO
        value = cast("dict[str, Any]", made)
        if "$ref" not in str(place) and same_schema(value, place):
            return Proof.YES
        return self._by_parts(value, place, depth)

    def _by_parts(self, made: dict[str, Any], wanted: dict[str, Any], depth: int) -> Proof:
        for choice in ("anyOf", "oneOf"):
            if choice in made:
                rest = {key: value for key, value in made.items() if key != choice}
                alone = self.proof(rest, wanted, depth + 1) if _says_something(rest) else Proof.NO
                each = min(
                    (self.proof(part, wanted, depth + 1) for part in _parts(made, choice)), default=Proof.NO
                )
                return max(alone, each)
        if "allOf" in made:
            rest = {key: value for key, value in made.items() if key != "allOf"}
            return max(self.proof(part, wanted, depth + 1) for part in (*_parts(made, "allOf"), rest))
        proofs = [self._keyword(key, value, made, wanted, depth) for key, value in wanted.items()]
        return min(proofs, default=Proof.YES)

    def _keyword(  # noqa: PLR0911 - one for each kind of keyword
        self, key: str, asked: Any, made: Schema, wanted: Schema, depth: int
    ) -> Proof:
        """What one keyword of the place asks for."""
        self._budget.spend()
        if key in _FOR_PEOPLE or (key in _TYPE_OF and not _may_be(made, _TYPE_OF[key])):
            return Proof.YES
        if key in ("allOf", "anyOf") and not isinstance(asked, list):
            return Proof.NO
        if key == "allOf":
            return min((self.proof(made, part, depth + 1) for part in _parts(wanted, key)), default=Proof.YES)
        if key == "anyOf":
            return max((self.proof(made, part, depth + 1) for part in _parts(wanted, key)), default=Proof.NO)
        if key in ("type", "enum", "const"):
            return _proved(_values_fit(key, asked, made))
        if key in _LOWER or key in _UPPER:
            return _bounded(key, asked, made)
        if key in _SAME:
            return _proved(made.get(key) == asked)
        return self._members(key, asked, made, wanted, depth)

    def _members(self, key: str, asked: Any, made: Schema, wanted: Schema, depth: int) -> Proof:
        if key == "required" and isinstance(asked, list):
            there = _parts(made, "required")
            return _proved(all(name in there for name in cast("list[Any]", asked)))
        if key == "properties" and isinstance(asked, dict):
            return self._properties(cast("dict[str, Any]", asked), made, depth)
        if key == "additionalProperties":
            return self._additional(asked, made, wanted, depth)
        if key == "items" and isinstance(asked, dict | bool):
            if "prefixItems" in made or "items" not in made:
                return _proved(asked is True)
            return self.proof(made["items"], asked, depth + 1)
        return Proof.NO

    def _properties(self, asked: dict[str, Any], made: Schema, depth: int) -> Proof:
        declared = _properties_of(made)
        closed = made.get("additionalProperties") is False and "patternProperties" not in made
        proofs = [
            self.proof(declared[name], schema, depth + 1) if name in declared else _proved(closed)
            for name, schema in asked.items()
        ]
        return min(proofs, default=Proof.YES)

    def _additional(self, asked: Any, made: Schema, wanted: Schema, depth: int) -> Proof:
        if asked is True:
            return Proof.YES
        if made.get("additionalProperties") is not False or "patternProperties" in {*made, *wanted}:
            return Proof.NO
        others = _properties_of(made).keys() - _properties_of(wanted).keys()
        proofs = [self.proof(_properties_of(made)[name], asked, depth + 1) for name in others]
        return min(proofs, default=Proof.YES)


def _proved(yes: bool) -> Proof:
    return Proof.YES if yes else Proof.NO


def _parts(schema: Schema, key: str) -> list[Any]:
    found: Any = schema.get(key)
    return cast("list[Any]", found) if isinstance(found, list) else []


def _says_something(schema: Schema) -> bool:
    return any(key not in _FOR_PEOPLE for key in schema)


def _properties_of(schema: Schema) -> dict[str, Any]:
    found: Any = schema.get("properties")
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _types(schema: Schema) -> frozenset[str] | None:
    found: Any = schema.get("type")
    if isinstance(found, str):
        return frozenset({found})
    return frozenset(str(each) for each in cast("list[Any]", found)) if isinstance(found, list) else None


def _known_values(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    found: Any = schema.get("enum")
    return cast("list[Any]", found) if isinstance(found, list) else None


def _may_be(schema: Schema, json_type: str) -> bool:
    types = _types(schema)
    if types is None:
        values = _known_values(schema)
        types = None if values is None else frozenset(known_source(value).json_type for value in values)
    return types is None or json_type in types or (json_type == "number" and "integer" in types)


def _values_fit(key: str, asked: Any, made: Schema) -> bool:
    values = _known_values(made)
    if key != "type":
        allowed = frozen_set([asked] if key == "const" else _parts({key: asked}, key))
        return values is not None and frozen_set(values) <= allowed
    wanted = _types({"type": asked}) or frozenset()
    types = _types(made)
    if types is None:
        types = frozenset(known_source(value).json_type for value in values) if values is not None else None
    return types is not None and all(
        each in wanted or (each == "integer" and "number" in wanted) for each in types
    )


def _bounded(key: str, asked: Any, made: Schema) -> Proof:
    if not isinstance(asked, int | float) or isinstance(asked, bool):
        return Proof.NO
    values = _known_values(made)
    if values is not None and all(keeps(value, {key: asked}) for value in values):
        return _proved(key not in ("minProperties", "maxProperties"))
    promised: Any = made.get(key)
    if isinstance(promised, int | float) and not isinstance(promised, bool):
        fits = promised >= asked if key in _LOWER else promised <= asked
        if fits:
            return Proof.YES
    if key in ("minLength", "minItems", "minProperties") and asked <= 0:
        return Proof.YES
    return Proof.ASKED if key in _ASKABLE else Proof.NO


def worst(proofs: Iterable[Proof]) -> Proof:
    """The proof of all of them together."""
    return min(proofs, default=Proof.YES)
