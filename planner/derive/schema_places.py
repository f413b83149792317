"""Which facets, or which of their members, will do for a place of the caller's schema."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from planner.derive.catalogue import Catalogue
from planner.derive.goal import Part
from planner.derive.implied import Document, Implication, Proof
from planner.mapping.flat import Budget, Flat, Located
from planner.mapping.limits import keeps
from planner.mapping.names import canonical, singular
from planner.mapping.sources import known_source
from planner.mapping.values import frozen, frozen_set
from schemas import pointer

Members = Mapping[str, list[Located]]


def whole(located: list[Located]) -> Any:
    """One schema for several that must all hold."""
    return located[0][0] if len(located) == 1 else {"allOf": [schema for schema, _ in located]}


def says_something(schema: Any) -> bool:
    """Whether a schema tells what it is for: it names members, or says what is in a list."""
    if not isinstance(schema, dict):
        return False
    keywords = cast("dict[str, Any]", schema)
    return bool(
        keywords.get("properties") or keywords.get("required") or keywords.get("items") or "$ref" in keywords
    )


def fits_alone(value: Any, flat: Flat) -> bool:
    """Whether a plain value of the inputs is one that the schema accepts for certain."""
    if isinstance(value, dict | list):
        return False
    if flat.enum is not None and frozen(value) not in frozen_set(flat.enum):
        return False
    fits = flat.takes(known_source(value).json_type) and keeps(value, flat.limits)
    return fits and not {"pattern", "format"} & flat.limits.keys()


def has_no_value(flat: Flat) -> bool:
    """Whether no value can meet what a schema says."""
    fits = flat.enum is None or any(flat.takes(known_source(each).json_type) for each in flat.enum)
    return flat.impossible or not fits


def is_fixed(schema: Any) -> bool:
    """Whether a schema names the one value that it accepts."""
    keywords = cast("dict[str, Any]", schema) if isinstance(schema, dict) else {}
    return "const" in keywords


@dataclass(slots=True)
class Matcher:
    """Compares facets with places of one contract."""

    contract: Any
    catalogue: Catalogue
    facets: Collection[str]
    budget: Budget
    _wanted: Document = field(init=False)
    _proofs: dict[str, Implication] = field(default_factory=dict[str, Implication])
    _by_name: dict[str, list[str]] = field(default_factory=dict[str, "list[str]"])

    def __post_init__(self) -> None:
        self._wanted = Document(self.contract)
        for facet in sorted(self.facets):
            self._by_name.setdefault(canonical(facet), []).append(facet)

    def named(self, name: str) -> list[str]:
        """The facets that a property's name speaks of."""
        return self._by_name.get(canonical(name)) or self._by_name.get(singular(name)) or []

    def part(self, facet: str, schema: Any, copy: int | None = None) -> Part | None:
        """The whole facet where it will do for this schema."""
        proof = self._proof(facet, self.catalogue.schema_of(facet), schema)
        if proof is Proof.NO:
            return None
        return Part(facet, "", copy, _ask((), schema) if proof is Proof.ASKED else None)

    def member(self, facet: str, name: str, schema: Any, copy: int | None = None) -> Part | None:
        """A member of a facet that it always has, where it will do."""
        own = self._member_of(facet, name)
        if own is None:
            return None
        key, made = own
        proof = self._proof(facet, made, schema)
        if proof is Proof.NO:
            return None
        ask = _ask((key,), schema) if proof is Proof.ASKED else None
        return Part(facet, pointer.build((key,)), copy, ask)

    def shaped(self, schema: Any, among: Iterable[str] | None = None) -> list[str]:
        """The facets whose every value this schema accepts, where it says what it is for."""
        if not says_something(schema):
            return []
        return [each for each in sorted(self.facets if among is None else among) if self.part(each, schema)]

    def covering(
        self, members: Members, required: Collection[str], among: Iterable[str] | None = None
    ) -> list[tuple[str, frozenset[str]]]:
        """Facets with the members of an object that they have, those with most of what is required first."""
        found: list[tuple[str, frozenset[str]]] = []
        for facet in sorted(self.facets if among is None else among):
            names = frozenset(
                name
                for name, located in members.items()
                if self.member(facet, name, whole(located)) is not None
            )
            if names:
                found.append((facet, names))
        wanted = frozenset(required)
        return sorted(found, key=lambda each: (-len(each[1] & wanted), -len(each[1]), each[0]))

    def _member_of(self, facet: str, name: str) -> tuple[str, Any] | None:
        schema = self.catalogue.schema_of(facet)
        if not isinstance(schema, dict):
            return None
        keywords = cast("dict[str, Any]", schema)
        plain = canonical(name)
        always: set[str] = set(keywords.get("required") or ())
        for key, made in cast("dict[str, Any]", keywords.get("properties") or {}).items():
            if key in always and canonical(key) == plain:
                return key, made
        return None

    def _proof(self, facet: str, made: Any, wanted: Any) -> Proof:
        known = self._proofs.get(facet)
        if known is None:
            document = Document(self.catalogue.schema_of(facet))
            known = self._proofs[facet] = Implication(document, self._wanted, self.budget)
        proof = known.proof(made, wanted)
        return Proof.NO if proof is Proof.ASKED and "$ref" in str(wanted) else proof


def _ask(path: tuple[str, ...], schema: Any) -> JsonObjectOrNone:
    asked: Any = schema
    for key in reversed(path):
        asked = {"properties": {key: asked}}
    return cast("dict[str, Any]", asked)


JsonObjectOrNone = dict[str, Any] | None
