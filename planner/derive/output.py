"""Writing a plan that was found: its nodes, how the output is made of them, and what is to be said of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from planner.derive.assemble import Assembly
from planner.derive.costs import gap_of, plan_cost
from planner.derive.derivation import Derivation
from planner.derive.goal import Goal, Part, Slot, filled
from planner.derive.marks import resolved
from planner.derive.offers import Offer
from planner.derive.policies import HUMAN_REVIEW
from planner.derive.shaped import Shaped
from planner.derive.variants import make_variants
from planner.derive.world import World
from planner.findings import check_capabilities
from planner.planner import JsonObject
from planner.search.search import Found
from runs.composition import referenced_nodes
from runs.expression import nodes_in
from runs.replans import MADE_KEY

RESHAPES = ("flex.reshape", "stub.transform.reshape")
"""Capabilities that evaluate a mapping, the preferred one first."""

MAX_NODE_SCHEMA_BYTES = 16 * 1024
"""A larger contract is left to the final check, since a plan is stored with its run."""


@dataclass(frozen=True, slots=True)
class Writing:
    """One plan that is written."""

    derivation: Derivation
    world: World
    goal: Goal
    found: Found
    shaped: Shaped | None = None

    def plan(self) -> JsonObject:
        """The PlanGraph in wire form. Raises PlanRefused where a capability is missing that people or the contract's
        shape need."""
        chosen = self._chosen()
        made = {facet for each in chosen for facet in self.world.gives(each)} | self.world.kept.keys()
        taken = {slot: next(each for each in slot.options if each.facet in made) for slot in self.goal.slots}
        assembly = self.assembly(made, taken.values())
        assembly.build(chosen)
        return self.write(assembly, taken)

    def write(self, assembly: Assembly, taken: Mapping[Slot, Part]) -> JsonObject:
        """The PlanGraph of nodes that are made, in which these parts fill the output. Raises as `plan` does."""
        nodes = [*assembly.nodes, *self._review(assembly, taken.values())]
        if self.shaped is None:
            fill: dict[Slot, Any] = {slot: assembly.source(part) for slot, part in taken.items()}
            composition, delivery = filled(self.goal.template, fill), "direct"
        else:
            composition = resolved(self.shaped.fit.mapped.expression, assembly.source)
            delivery = "direct" if self.shaped.fit.mapped.plain else "transformation"
        if delivery == "transformation":
            nodes.append(self._shape(composition, assembly, nodes))
            composition = {"$node": nodes[-1]["id"]}
        needed = [*referenced_nodes(composition), *(need for node in nodes for need in node["dependsOn"])]
        nodes = [*assembly.kept(needed), *nodes]
        made_by = {MADE_KEY: _made(assembly, nodes)}
        metadata = {**self._metadata(nodes, several=bool(assembly.variants)), "delivery": delivery, **made_by}
        return {
            "version": 1,
            "nodes": nodes,
            "edges": [{"from": need, "to": node["id"]} for node in nodes for need in node["dependsOn"]],
            "metadata": {**metadata, "composition": composition},
        }

    def _chosen(self) -> list[Offer]:
        offers = {each.capability_id: each for each in self.world.offers}
        return [offers[each.name] for each in self.found.makers]

    def assembly(self, made: Collection[str], parts: Iterable[Part]) -> Assembly:
        """Where the nodes are put that make these facets."""
        derivation = self.derivation
        several = not derivation.catalogue.many.isdisjoint(made)
        shaped = self.shaped
        return Assembly(
            world=self.world,
            factory=derivation.factory,
            catalogue=derivation.catalogue,
            given=derivation.given,
            asks=_asks(parts),
            before=derivation.before,
            feedback=derivation.context.feedback,
            variants=make_variants(self.world.copies, derivation.instructions) if several else (),
            general=derivation.instructions.general,
            owed=shaped.owed if shaped else {},
            limits={name: each.counted() for name, each in shaped.fit.asked.items()} if shaped else {},
        )

    def _review(self, assembly: Assembly, parts: Iterable[Part]) -> list[JsonObject]:
        """The look that `policies.humanReview` has people take at all that is delivered."""
        reviewers = self.derivation.reviewers
        if reviewers is None:
            return []
        several = [each for each in parts if each.facet in self.derivation.catalogue.many]
        looked_at = several or list(parts)
        delivered = [node for part in looked_at for node in assembly.made[part.facet].nodes]
        factory = self.derivation.factory
        return [
            factory.node(
                node_id="human-review",
                capability_id=HUMAN_REVIEW,
                label="Human review",
                depends_on=list(dict.fromkeys(delivered)),
                output=factory.descriptors[HUMAN_REVIEW].get("outputSchema"),
                expectations=[
                    "Says whether what is delivered may go out, and why not.",
                    "The verdict is kept and does not stop the run; declining the task does.",
                ],
                bundle={"assignees": list(reviewers)} if reviewers else {},
            )
        ]

    def _shape(self, mapping: Any, assembly: Assembly, nodes: Sequence[JsonObject]) -> JsonObject:
        """The caller's shape, made of what the other nodes have made, when all who look at that have done so."""
        derivation = self.derivation
        capability_id = next((each for each in RESHAPES if each in derivation.factory.descriptors), None)
        if capability_id is None:
            check_capabilities(RESHAPES[-1:], derivation.factory.descriptors)
        checks = [
            node for each in self._chosen() if each.checks for node in assembly.nodes_of[each.capability_id]
        ]
        reviews = [node["id"] for node in nodes if node["capabilityId"] == HUMAN_REVIEW]
        schema = derivation.contract.schema
        return derivation.factory.node(
            node_id="shape",
            capability_id=capability_id or RESHAPES[-1],
            label="Shape the output",
            depends_on=list(dict.fromkeys((*nodes_in(mapping), *checks, *reviews))),
            output=schema if len(orjson.dumps(schema)) <= MAX_NODE_SCHEMA_BYTES else None,
            expectations=["Has the shape that the caller's contract asks for."],
            bundle={"mapping": mapping},
        )

    def _metadata(self, nodes: Sequence[JsonObject], *, several: bool) -> JsonObject:
        found, goal = self.found, self.goal
        metadata: JsonObject = {
            "planner": "contract",
            "facets": list(goal.facets),
            "cost": plan_cost({"nodes": nodes}, list(self.derivation.factory.descriptors.values())),
            "proved": found.proved,
            "considered": found.considered,
        }
        if not found.proved:
            metadata["gap"] = gap_of(found.cost, found.least)
        if several:
            metadata["variantCount"] = self.world.copies
        if goal.matched:
            metadata["matched"] = dict(goal.matched)
        unserved = [each.capability_id for each in self._chosen() if not each.served]
        if unserved:
            metadata["unserved"] = unserved
        return metadata


def _made(assembly: Assembly, nodes: Sequence[JsonObject]) -> JsonObject:
    """Where each facet comes from in this plan: a plan that replaces it begins with what is completed of that."""
    ids = {node["id"] for node in nodes}
    return {facet: list(made.sources) for facet, made in assembly.made.items() if ids.issuperset(made.nodes)}


def _asks(parts: Iterable[Part]) -> dict[str, list[JsonObject]]:
    asks: dict[str, list[JsonObject]] = {}
    for each in parts:
        if each.ask is not None and each.ask not in asks.setdefault(each.facet, []):
            asks[each.facet].append(each.ask)
    return asks
