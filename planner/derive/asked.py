"""Places of a contract that no facet fills, asked of a free transformation.

That is a capability of the kind `transformation` whose `outputSchema` accepts everything (`true` or `{}`): it gives
what its node's contract asks for, made of the facets that the rest of the contract is made of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from planner.derive.catalogue import Catalogue
from planner.derive.goal import Goal, Part
from planner.derive.offers import Offer
from planner.planner import JsonObject
from schemas import pointer

ASKED = "what the contract asks for"
"""Stands for a facet; no facet's name has spaces."""

_DEFINITIONS = ("$defs", "definitions")
_ANNOTATIONS = frozenset(("$schema", "$id", "$comment", "title", "description"))


@dataclass(slots=True)
class Asked:
    """Collects the places of one contract."""

    contract: Any
    _places: dict[str, Any] = field(default_factory=dict[str, Any])
    _whole: bool = False

    def part(self, name: str, schema: Any) -> Part | None:
        """What fills a place; None for a schema that cannot stand outside of its contract."""
        if not all(_leads_to_definition(each) for each in _references(schema)):
            return None
        key = name or "value"
        while key in self._places:
            key += "_"
        self._places[key] = schema
        return Part(ASKED, pointer.build((key,)))

    def whole(self) -> Part:
        """What is the whole output."""
        self._whole = True
        return Part(ASKED)

    @property
    def schema(self) -> Any:
        """What the node of the transformation owes."""
        if self._whole:
            return self.contract
        contract: Any = self.contract
        known = cast("dict[str, Any]", contract) if isinstance(contract, dict) else {}
        return {
            "type": "object",
            "properties": self._places,
            "required": list(self._places),
            "additionalProperties": False,
            **{name: known[name] for name in _DEFINITIONS if name in known},
        }


def free_transformations(offers: Sequence[Offer], descriptors: Mapping[str, JsonObject]) -> list[str]:
    """The ids of those that may have a part in a plan."""
    return [
        each.capability_id
        for each in offers
        if each.kind == "transformation"
        and each.barred is None
        and not each.gives
        and _accepts_everything(descriptors[each.capability_id].get("outputSchema", False))
    ]


def with_material(
    offers: Sequence[Offer], free: Sequence[str], goal: Goal, many: frozenset[str]
) -> list[Offer]:
    """The offers with these as makers of what is asked, of all facets that the rest of the goal is made of."""
    material = tuple(each for each in goal.facets if each != ASKED)
    return [
        replace(
            each,
            gives=(ASKED,),
            needs=tuple(dict.fromkeys((*each.needs, *material))),
            may_take=tuple(taken for taken in each.may_take if taken not in material),
            many=each.many | (many & frozenset(material)),
        )
        if each.capability_id in free
        else each
        for each in offers
    ]


def with_asked(catalogue: Catalogue, asked: Asked) -> Catalogue:
    """The catalogue, which knows what is asked as well."""
    return replace(catalogue, schemas={**catalogue.schemas, ASKED: asked.schema})


def _accepts_everything(schema: Any) -> bool:
    if not isinstance(schema, dict):
        return schema is True
    return _ANNOTATIONS.issuperset(cast("Mapping[str, Any]", schema))


def _leads_to_definition(reference: Any) -> bool:
    return isinstance(reference, str) and reference.startswith(tuple(f"#/{each}/" for each in _DEFINITIONS))


def _references(schema: Any) -> Iterator[Any]:
    """Each `$ref` and its like. A member of that name counts as one: at worst the whole contract is asked for."""
    if isinstance(schema, dict):
        for key, each in cast("Mapping[str, Any]", schema).items():
            if key in ("$ref", "$dynamicRef", "$recursiveRef"):
                yield each
            else:
                yield from _references(each)
    elif isinstance(schema, list):
        for each in cast("list[Any]", schema):
            yield from _references(each)
