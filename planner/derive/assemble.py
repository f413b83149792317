"""From the makers that were chosen to the nodes of a plan, each after those that make what it needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from string import ascii_lowercase
from typing import Any

from planner.derive.before import Before
from planner.derive.catalogue import Catalogue
from planner.derive.goal import Part
from planner.derive.marks import mark
from planner.derive.offers import Offer
from planner.derive.variants import Variant
from planner.derive.words import without_annotations
from planner.derive.world import World
from planner.node_factory import NodeFactory
from planner.planner import JsonObject
from planner.text import phrase
from runs.facet_sources import from_node
from schemas import pointer
from schemas.facets import facets_schema
from schemas.plan import MAX_EXPECTATIONS

_MAX_ID = 90


@dataclass(frozen=True, slots=True)
class Made:
    """Where a facet comes from: one source, or one for each variant."""

    sources: tuple[JsonObject, ...]
    nodes: tuple[str, ...]


@dataclass(slots=True)
class Assembly:
    """The nodes of one plan. `asks` are what the contract asks of a facet beyond its own schema.

    What is kept of the plan `before` is made from the beginning.
    """

    world: World
    factory: NodeFactory
    catalogue: Catalogue
    given: Mapping[str, Sequence[JsonObject]]
    asks: Mapping[str, Sequence[JsonObject]]
    before: Before
    feedback: str | None = None
    variants: Sequence[Variant] = ()
    """The variants of what is made several times; none where nothing is."""

    general: Sequence[str] = ()
    """The instructions that hold for all variants."""

    owed: Mapping[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    """What the contract makes of a facet's schema, by mark (`planner.derive.marks`)."""

    limits: Mapping[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    """Numbers of words and characters that no schema says, by mark."""

    nodes: list[JsonObject] = field(default_factory=list[JsonObject])
    made: dict[str, Made] = field(default_factory=dict[str, Made])
    placed: dict[str, JsonObject] = field(default_factory=dict[str, JsonObject])
    nodes_of: dict[str, list[str]] = field(default_factory=dict[str, "list[str]"])
    """The nodes of each capability, by its id."""

    _ids: set[str] = field(default_factory=set[str])

    def build(self, offers: Iterable[Offer]) -> None:
        """Add the nodes of these offers, which are a plan, in rounds: all that is ready stands in one round."""
        for facet, sources in self.world.kept.items():
            self.made[facet] = Made(tuple(sources), tuple(each["$node"] for each in sources))
        sources = (node_id for made in self.made.values() for node_id in made.nodes)
        self.placed = {each["id"]: each for each in self.before.placed(sources)}
        self._ids.update(self.placed)
        ordered = sorted(offers, key=lambda each: each.capability_id)
        there = self.given.keys() | self.made.keys()
        lacking = {each.capability_id: set(each.needs) - there for each in ordered}
        needers: dict[str, list[Offer]] = {}
        for offer in ordered:
            for facet in sorted(lacking[offer.capability_id]):
                needers.setdefault(facet, []).append(offer)
        ready = [each for each in ordered if not lacking[each.capability_id]]
        while ready:
            fresh: dict[str, Made] = {}
            for offer in ready:
                for facet, made in self._add(offer).items():
                    if facet not in self.made:
                        fresh.setdefault(facet, made)
            self.made.update(fresh)
            ready = list[Offer]()
            for offer in (each for facet in sorted(fresh) for each in needers.get(facet, ())):
                left = lacking[offer.capability_id]
                left.difference_update(fresh)
                if not left and offer not in ready:
                    ready.append(offer)
            ready.sort(key=lambda each: each.capability_id)

    def kept(self, node_ids: Iterable[str]) -> list[JsonObject]:
        """Those of these nodes that are of the plan before, and all that they depend on."""
        return self.before.placed(each for each in node_ids if each in self.placed)

    def _is_there(self, facet: str) -> bool:
        return facet in self.given or facet in self.made

    def _add(self, offer: Offer) -> dict[str, Made]:
        """One node, or one for each variant."""
        wide = self.is_for_a_variant(offer)
        base = self._free_id(offer.node_name)
        ids = [f"{base}-{ascii_lowercase[at]}" for at in range(self.world.copies)] if wide else [base]
        self._ids.update(ids)
        self.nodes_of[offer.capability_id] = ids
        for at, node_id in enumerate(ids):
            self.nodes.append(self._node(offer, node_id, at if wide else None))
        gives = self.world.gives(offer)
        found: dict[str, Made] = {}
        for facet in offer.gives:
            if facet in gives:
                place = "" if len(offer.gives) == 1 else pointer.build((facet,))
                sources = tuple(from_node(node_id, place) for node_id in ids)
                found[facet] = Made(sources, tuple(ids))
        return found

    def is_for_a_variant(self, offer: Offer) -> bool:
        """Whether a node of it is for one variant, be it the only one."""
        varied = bool(self.variants) and not self.catalogue.many.isdisjoint(offer.gives)
        return varied or self.world.is_wide(offer)

    def _node(self, offer: Offer, node_id: str, copy: int | None) -> JsonObject:
        return self.node(offer, node_id, copy, *self._taken(offer, node_id, copy))

    def node(
        self, offer: Offer, node_id: str, copy: int | None, facets: JsonObject, depends_on: Sequence[str]
    ) -> JsonObject:
        """A node that takes these facets and waits for these nodes; `copy` is the variant that it is for."""
        descriptor = self.factory.descriptors[offer.capability_id]
        label = str(descriptor.get("label") or offer.capability_id)
        return self.factory.node(
            node_id=node_id,
            capability_id=offer.capability_id,
            label=label if copy is None else f"{label[:180]} {ascii_lowercase[copy].upper()}",
            depends_on=depends_on,
            output=self._owed(offer, copy),
            expectations=self._expected(offer, descriptor, copy),
            bundle={"facets": facets, **self._told(offer, copy)},
        )

    def _told(self, offer: Offer, copy: int | None) -> JsonObject:
        """What a bundle says beside its facets."""
        told: JsonObject = {} if offer.takes_inputs else {"inputKeys": list(offer.input_keys)}
        if copy is not None:
            told["variant"] = self.variants[copy].described()
        elif self.variants:
            told["variants"] = [each.described() for each in self.variants]
        limits = {name: each for facet in offer.gives for name, each in self._limits(facet, copy).items()}
        if limits:
            told["limits"] = limits
        if self.variants and self.general:
            told["instructions"] = list(self.general)
        if self.feedback:
            told["feedback"] = self.feedback
        return told

    def _limits(self, facet: str, copy: int | None) -> JsonObject:
        return self.limits.get(mark(facet, copy if facet in self.catalogue.many else None), {})

    def _expected(self, offer: Offer, descriptor: JsonObject, copy: int | None) -> list[str]:
        """A line each; the bundle has all instructions, also those that are more than a contract may list."""
        own = () if copy is None else self.variants[copy].instructions
        return [*_expectations(offer, descriptor), *(line for each in own if (line := phrase(each)))][
            :MAX_EXPECTATIONS
        ]

    def _taken(self, offer: Offer, node_id: str, copy: int | None) -> tuple[JsonObject, list[str]]:
        """The facets of a node by name, each with its source or sources, and the nodes that it waits for.

        A node of the plan before takes no more than it did, so that what it has done so far still serves.
        """
        took = self.before.took(node_id)
        optional = [
            each for each in offer.may_take if self._is_there(each) and (took is None or each in took)
        ]
        facets: JsonObject = {}
        depends_on: dict[str, None] = {}
        for name in (*offer.needs, *optional):
            sources = list(self.given.get(name, ()))
            if not sources:
                made = self.made[name]
                one_of_several = name not in offer.many and len(made.nodes) > 1
                if one_of_several and copy is None:
                    continue  # an optional facet of which there are several, and one is taken
                at = [copy or 0] if one_of_several else range(len(made.nodes))
                sources = [made.sources[each] for each in at]
                depends_on.update((made.nodes[each], None) for each in at)
            facets[name] = sources if name in offer.many else sources[0]
        return facets, list(depends_on)

    def _owed(self, offer: Offer, copy: int | None) -> Any:
        """What a node owes: the facet itself, or an object keyed by facet, and what the contract asks beyond that."""
        if not offer.gives:
            return self.factory.descriptors[offer.capability_id].get("outputSchema")
        if len(offer.gives) != 1:
            pinned = {
                each: {"schema": self.catalogue.schemas[each], "many": False}
                for each in offer.gives
                if each in self.catalogue.schemas
            }
            asked = [{"properties": {each: ask}} for each in offer.gives for ask in self.asks.get(each, ())]
            asked += [
                {"properties": {each: ask}}
                for each in offer.gives
                if (ask := self._narrowed(each, copy)) is not None
            ]
            return _all_of(facets_schema(offer.gives, pinned), asked)
        (facet,) = offer.gives
        narrowed = self._narrowed(facet, copy)
        return narrowed or _all_of(
            without_annotations(self.catalogue.schema_of(facet)), self.asks.get(facet, ())
        )

    def _narrowed(self, facet: str, copy: int | None) -> JsonObject | None:
        return self.owed.get(mark(facet, copy if facet in self.catalogue.many else None))

    def source(self, part: Part) -> Any:
        """What stands in the template of the output for a part that is made: one source, or a list of them."""
        made = self.made[part.facet]
        sources = [from_node(each["$node"], each.get("$pointer", "") + part.place) for each in made.sources]
        if part.copy is not None:
            return sources[min(part.copy, len(sources) - 1)]
        return sources[0] if len(sources) == 1 else sources

    def _free_id(self, capability_id: str) -> str:
        """The capability's id, cut to what a node's may have."""
        short = capability_id[:_MAX_ID]
        number, node_id = 1, short
        while node_id in self._ids or f"{node_id}-a" in self._ids:
            number += 1
            node_id = f"{short}-{number}"
        return node_id


def _all_of(schema: Any, asked: Sequence[JsonObject]) -> Any:
    if not asked:
        return schema
    return {"allOf": [schema, *asked]}


def _expectations(offer: Offer, descriptor: JsonObject) -> list[str]:
    """What is asked of it; people are told in the words of the description."""
    told = [str(descriptor["description"])] if offer.people and descriptor.get("description") else []
    return told + ([f"Gives {', '.join(offer.gives)}."] if offer.gives else [])
