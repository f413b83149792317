"""How callers call a facet and what is in it, as its schema says in annotations.

On the schema: `x-names` are names of an object that is the facet, `x-lists` of a list of them, `x-text` the members
that make its text, in order. On a member: `x-names` are other names of it, `x-names-within` names that it has only
inside an object for the facet, and with `x-alone` a member that need not be there is found by its name alone,
too. Names are compared in their canonical form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from contracts.lru import LruCache
from planner.mapping.names import canonical
from planner.text import as_list, as_object

NAMES = "x-names"
NAMES_WITHIN = "x-names-within"
LISTS = "x-lists"
TEXT = "x-text"
ALONE = "x-alone"
_ON_SCHEMA = frozenset({NAMES, LISTS, TEXT})
_ON_MEMBER = frozenset({NAMES, NAMES_WITHIN, ALONE})
_MAX_KEPT = 512


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one facet. `schema` is its schema without the annotations.

    `members` leads from the names that are understood anywhere to the member, `within` from those that are understood
    inside an object for the facet; `alone` are the members that are found outside of one.
    """

    facet: str
    schema: Mapping[str, Any]
    names: frozenset[str]
    lists: frozenset[str]
    text: tuple[str, ...]
    members: Mapping[str, str]
    within: Mapping[str, str]
    alone: Mapping[str, str]

    @property
    def types(self) -> Mapping[str, str]:
        """The members whose type the schema says, with it."""
        found = as_object(self.schema.get("properties")).items()
        return {name: str(as_object(each)["type"]) for name, each in found if _has_type(each)}


_kept: LruCache[int, tuple[Any, Words]] = LruCache(_MAX_KEPT)


def is_annotated(schema: Any) -> bool:
    """Whether a facet's schema says how callers call it."""
    return isinstance(schema, dict) and NAMES in schema


def words_of(facet: str, schema: Mapping[str, Any]) -> Words:
    """The words of a facet; the schema is kept beside them, since it must outlive its id."""
    key = id(schema)
    known = _kept.get(key)
    if known is None or known[0] is not schema or known[1].facet != facet:
        known = (schema, _read(facet, schema))
        _kept.put(key, known)
    return known[1]


def without_annotations(schema: Any) -> Any:
    """A facet's schema as a node owes it."""
    if not is_annotated(schema):
        return schema
    keywords = cast("dict[str, Any]", schema)
    plain = {key: value for key, value in keywords.items() if key not in _ON_SCHEMA}
    members = as_object(keywords.get("properties"))
    plain["properties"] = {name: _plain_member(each) for name, each in members.items()}
    return plain


def _plain_member(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    return {key: value for key, value in cast("dict[str, Any]", schema).items() if key not in _ON_MEMBER}


def _has_type(schema: Any) -> bool:
    return isinstance(as_object(schema).get("type"), str)


def _read(facet: str, schema: Mapping[str, Any]) -> Words:
    properties = as_object(schema.get("properties"))
    required = set(map(str, as_list(schema.get("required"))))
    names = frozenset({canonical(facet), *_canonical(schema.get(NAMES))})
    members: dict[str, str] = {}
    within: dict[str, str] = {}
    alone: dict[str, str] = {}
    for member, declared in properties.items():
        said = as_object(declared)
        common = [canonical(member), *_canonical(said.get(NAMES))]
        for name in common:
            members.setdefault(name, member)
            if member in required or said.get(ALONE) is True:
                alone.setdefault(name, member)
        for name in (*common, *_canonical(said.get(NAMES_WITHIN))):
            within.setdefault(name, member)
        for name in names:
            alone.setdefault(name + canonical(member), member)
        for name in common[1:]:
            alone.setdefault(name, member)
    return Words(
        facet=facet,
        schema=without_annotations(schema),
        names=names,
        lists=frozenset(_canonical(schema.get(LISTS))),
        text=tuple(each for each in map(str, as_list(schema.get(TEXT))) if each in properties),
        members=members,
        within=within,
        alone=alone,
    )


def _canonical(names: Any) -> Iterator[str]:
    for each in as_list(names):
        if isinstance(each, str) and (name := canonical(each)):
            yield name
