"""Plans that people have edited: completed from the registry, and checked as a planner's own plan is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import cast

from planner.checking import plan_faults
from planner.derive.costs import plan_cost
from planner.derive.offers import Offer, read_offer
from planner.derive.policies import read_policies
from planner.planner import JsonObject, PlanRefused, diagnostic
from planner.text import as_list, as_object
from runs.composition import referenced_nodes
from runs.facet_sources import FACETS_KEY
from runs.replans import MADE_KEY
from runs.source_problems import facet_source_problems
from schemas.parsing import validate_document
from schemas.plan import PlanGraph
from schemas.planner_policies import PlannerPolicies
from schemas.pointer import escape
from schemas.refusal import MAX_PROBLEMS

_OF_THE_CAPABILITY = (
    ("queue", "queue"),
    ("agentType", "agentType"),
    ("capabilityVersion", "version"),
    ("idempotent", "idempotent"),
)
"""What a node takes from its capability where it says nothing else: its key in the plan, and that of the descriptor."""


def completed_plan(sent: JsonObject, base: JsonObject, capabilities: Sequence[JsonObject]) -> JsonObject:
    """The plan that was sent, with all that may be left out.

    Nodes have what their capabilities say, edges follow from `dependsOn`, metadata is laid over that of `base`, the
    plan that was asked about.
    """
    known = {str(each.get("id")): each for each in capabilities}
    before = {node["id"]: node["capabilityId"] for node in base["nodes"]}
    nodes = [_completed(node, known, before) for node in as_list(sent.get("nodes"))]
    plan = {**sent, "nodes": nodes}
    if "edges" not in sent:
        plan["edges"] = [
            {"from": need, "to": node.get("id")}
            for node in map(as_object, nodes)
            for need in as_list(node.get("dependsOn"))
        ]
    metadata = sent.get("metadata", {})
    if isinstance(metadata, dict):
        kept = {
            key: value for key, value in as_object(base.get("metadata")).items() if key not in _OF_THE_PLANNER
        }
        plan["metadata"] = {**kept, **cast(JsonObject, metadata), "planner": "edited", "proved": False}
    return plan


_OF_THE_PLANNER = ("planner", "proved", "gap", "considered", "cost", "unserved", MADE_KEY)


def _completed(node: object, known: Mapping[str, JsonObject], before: Mapping[str, str]) -> object:
    """The node; one that was given another capability has nothing of the one before."""
    if not isinstance(node, dict):
        return node
    wire = cast(JsonObject, node)
    capability_id = str(wire.get("capabilityId"))
    descriptor = known.get(capability_id, {})
    said = {key: descriptor[source] for key, source in _OF_THE_CAPABILITY if source in descriptor}
    replaced = before.get(str(wire.get("id")), capability_id) != capability_id
    return {**wire, **said} if replaced else {**said, **wire}


def edited_faults(
    envelope: JsonObject, plan: JsonObject, capabilities: Sequence[JsonObject], forbidden: Sequence[str]
) -> list[JsonObject]:
    """What keeps an edited plan from being run under the policies of the envelope, as diagnostics with places in it.

    At most `MAX_PROBLEMS` are listed.
    """
    if faults := plan_faults(plan, capabilities):
        return faults
    return list(islice(_faults(envelope, plan, capabilities, forbidden), MAX_PROBLEMS))


def priced(plan: JsonObject, capabilities: Sequence[JsonObject]) -> JsonObject:
    """The plan with what the descriptors say that it costs."""
    return {**plan, "metadata": {**plan["metadata"], "cost": plan_cost(plan, capabilities)}}


def _faults(
    envelope: JsonObject, plan: JsonObject, capabilities: Sequence[JsonObject], forbidden: Sequence[str]
) -> Iterator[JsonObject]:
    try:
        policies = read_policies(envelope)
    except PlanRefused as refused:
        yield from ({**each, "path": ""} for each in refused.diagnostics)
        return
    offers = {str(each.get("id")): read_offer(each, policies, forbidden) for each in capabilities}
    used = [offers[node["capabilityId"]] for node in plan["nodes"]]
    yield from _policy_faults(plan, policies, used)
    yield from _input_faults(plan, used)
    named = {node["id"] for node in plan["nodes"]}
    for node_id in referenced_nodes(plan["metadata"].get("composition")):
        if node_id not in named:
            message = f"The output is composed from node {node_id}, which the plan does not have."
            yield diagnostic("composition_incomplete", message, "/metadata/composition")


def _policy_faults(
    plan: JsonObject, policies: PlannerPolicies, used: Sequence[Offer]
) -> Iterator[JsonObject]:
    for index, (node, offer) in enumerate(zip(plan["nodes"], used, strict=True)):
        if offer.barred is not None:
            message = f"{offer.capability_id} may not be used: {offer.barred}."
            yield diagnostic("capability_forbidden", message, f"/nodes/{index}/capabilityId")
        elif node["kind"] in policies.topology.forbidden_kinds:
            message = f"policies.planner.topology.forbiddenKinds names the kind {node['kind']}."
            yield diagnostic("kind_forbidden", message, f"/nodes/{index}/kind")
    for name in policies.selection.require:
        if not any(each.called({name}) for each in used):
            yield diagnostic(
                "capability_required", f"policies.planner.selection.require names {name}.", "/nodes"
            )
    for kind in policies.topology.required_kinds:
        if all(node["kind"] != kind for node in plan["nodes"]):
            message = f"policies.planner.topology.requiredKinds names the kind {kind}."
            yield diagnostic("kind_required", message, "/nodes")
    bounds = (
        ("maxNodes", policies.topology.max_nodes, len(plan["nodes"])),
        ("maxDepth", policies.topology.max_depth, _depth(plan)),
    )
    for name, most, has in bounds:
        if most is not None and has > most:
            message = f"policies.planner.topology.{name} is {most}, and the plan has {has}."
            yield diagnostic("plan_too_large", message, "/nodes")


def _depth(plan: JsonObject) -> int:
    """How many nodes come one after the other; the plan has no cycle."""
    needs: dict[str, list[str]] = {node["id"]: node.get("dependsOn") or [] for node in plan["nodes"]}
    depth: dict[str, int] = {}
    waiting = list(needs)
    while waiting:
        node_id = waiting[-1]
        open_needs = [each for each in needs[node_id] if each not in depth]
        if open_needs:
            waiting += open_needs
            continue
        waiting.pop()
        depth[node_id] = 1 + max((depth[each] for each in needs[node_id]), default=0)
    return max(depth.values())


def _input_faults(plan: JsonObject, used: Sequence[Offer]) -> Iterator[JsonObject]:
    graph = validate_document(PlanGraph, plan)
    for index, (node, offer) in enumerate(zip(graph.nodes, used, strict=True)):
        place = f"/nodes/{index}"
        for problem in facet_source_problems(node, place):
            yield diagnostic(problem.code, problem.message, problem.pointer)
        sources = node.bundle.get(FACETS_KEY)
        if not isinstance(sources, dict):
            continue
        for facet in offer.needs:
            if facet not in sources:
                message = f"{offer.capability_id} needs the facet {facet}; say where it comes from."
                yield diagnostic("facet_missing", message, f"{place}/bundle/{FACETS_KEY}/{escape(facet)}")
