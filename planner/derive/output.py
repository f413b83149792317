"""Writing a plan that was found: its nodes, how the output is made of them, and what is to be said of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from planner.derive.assemble import Assembly
from planner.derive.costs import gap_of
from planner.derive.derivation import Derivation
from planner.derive.goal import Goal, Part, Slot, filled
from planner.derive.world import World
from planner.findings import check_capabilities
from planner.planner import JsonObject
from planner.search.search import Found
from planner.text import as_list, as_object
from runs.composition import referenced_nodes
from runs.replans import MADE_KEY

HUMAN_REVIEW = "human.review"


def write_plan(derivation: Derivation, world: World, goal: Goal, found: Found) -> JsonObject:
    """The PlanGraph in wire form. Raises PlanRefused where people are to review and no capability does that."""
    offers = {each.capability_id: each for each in world.offers}
    chosen = [offers[each.name] for each in found.makers]
    made = {facet for each in chosen for facet in world.gives(each)} | world.kept.keys()
    taken = {slot: next(each for each in slot.options if each.facet in made) for slot in goal.slots}
    assembly = Assembly(
        world=world,
        factory=derivation.factory,
        catalogue=derivation.catalogue,
        given=derivation.given,
        asks=_asks(taken.values()),
        before=derivation.before,
        feedback=derivation.context.feedback,
    )
    assembly.build(chosen)
    fill: dict[Slot, Any] = {slot: assembly.source(part) for slot, part in taken.items()}
    composition = filled(goal.template, fill)
    nodes = [*assembly.nodes, *_review(derivation, assembly, taken.values())]
    needed = [*referenced_nodes(composition), *(need for node in nodes for need in node["dependsOn"])]
    nodes = [*assembly.kept(needed), *nodes]
    return {
        "version": 1,
        "nodes": nodes,
        "edges": [{"from": need, "to": node["id"]} for node in nodes for need in node["dependsOn"]],
        "metadata": _metadata(world, goal, found, nodes)
        | {"composition": composition, MADE_KEY: _made(assembly, nodes)},
    }


def _made(assembly: Assembly, nodes: Sequence[JsonObject]) -> JsonObject:
    """Where each facet comes from in this plan: a plan that replaces it begins with what is completed of that."""
    ids = {node["id"] for node in nodes}
    return {facet: list(made.sources) for facet, made in assembly.made.items() if ids.issuperset(made.nodes)}


def _asks(parts: Any) -> dict[str, list[JsonObject]]:
    asks: dict[str, list[JsonObject]] = {}
    for part in parts:
        each: Part = part
        if each.ask is not None and each.ask not in asks.setdefault(each.facet, []):
            asks[each.facet].append(each.ask)
    return asks


def _review(derivation: Derivation, assembly: Assembly, parts: Any) -> list[JsonObject]:
    """The look that `policies.humanReview` has people take at all that is delivered."""
    policies = as_object(derivation.envelope.get("policies"))
    if policies.get("humanReview") is not True:
        return []
    check_capabilities((HUMAN_REVIEW,), derivation.factory.descriptors)
    assignees = [str(name) for name in as_list(as_object(policies.get("hitl")).get("approvers"))]
    delivered: Sequence[str] = [node for part in parts for node in assembly.made[part.facet].nodes]
    return [
        derivation.factory.node(
            node_id="human-review",
            capability_id=HUMAN_REVIEW,
            label="Human review",
            depends_on=list(dict.fromkeys(delivered)),
            output=derivation.factory.descriptors[HUMAN_REVIEW].get("outputSchema"),
            expectations=["Says whether what is delivered may go out, and why not."],
            bundle={"assignees": assignees} if assignees else {},
        )
    ]


def _metadata(world: World, goal: Goal, found: Found, nodes: Sequence[JsonObject]) -> JsonObject:
    offers = {each.capability_id: each for each in world.offers}
    used = [(offers[each.name], each.nodes) for each in found.makers]
    cost: JsonObject = {
        "micros": sum(each.estimate.micros * count for each, count in used),
        "seconds": sum(each.estimate.seconds * count for each, count in used),
        "tokens": sum(each.estimate.tokens * count for each, count in used),
        "nodes": len(nodes),
    }
    metadata: JsonObject = {
        "planner": "contract",
        "facets": list(goal.facets),
        "cost": cost,
        "proved": found.proved,
        "considered": found.considered,
    }
    if not found.proved:
        metadata["gap"] = gap_of(found.cost, found.least)
    if world.wide:
        metadata["variantCount"] = world.copies
    if goal.matched:
        metadata["matched"] = dict(goal.matched)
    unserved = [each.capability_id for each, _ in used if not each.served]
    if unserved:
        metadata["unserved"] = unserved
    return metadata
