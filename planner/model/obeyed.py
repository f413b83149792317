"""Whether a proposed plan obeys the policies, and whether each of its nodes serves what is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from planner.derive.derivation import Derivation
from planner.derive.planner import PLAN_TOO_LARGE, POLICY_UNSATISFIABLE
from planner.derive.world import World
from planner.model.wiring import Wiring
from planner.planner import JsonObject, diagnostic
from planner.search.problem import reachable_facets

NODE_WITHOUT_USE = "node_without_use"
REJECTED_BEFORE = "rejected_before"


def breaches(
    derivation: Derivation, world: World, wiring: Wiring, delivered: Sequence[str], plan: JsonObject
) -> list[JsonObject]:
    """What is wrong with a plan whose graph is sound; [] where nothing is."""
    return [
        *_requirements(derivation, world, wiring),
        *_checks(derivation, world, wiring),
        *_limits(derivation, wiring, len(plan["nodes"])),
        *_tokens(derivation, plan),
        *_rejected(derivation, wiring),
        *_without_use(derivation, wiring, delivered),
    ]


def _requirements(derivation: Derivation, world: World, wiring: Wiring) -> Iterator[JsonObject]:
    offers = [each.offer for each in wiring.nodes.values()]
    policies = derivation.policies
    for name in policies.selection.require:
        if not any(name in each.names for each in offers):
            yield diagnostic("policy_unmet", f"A policy requires a node of {name!r}.", "/nodes")
    for kind in policies.topology.required_kinds:
        if not any(kind == each.kind for each in offers):
            yield diagnostic("policy_unmet", f"A policy requires a node of the kind {kind!r}.", "/nodes")


def _checks(derivation: Derivation, world: World, wiring: Wiring) -> Iterator[JsonObject]:
    """Whether all that is made is looked at by the capabilities that are there for it."""
    used = {each.offer.capability_id for each in wiring.nodes.values()}
    makers = [each for each in world.makers if each.name in used]
    there = {facet for each in makers for facet in each.gives}
    for wanted in world.checks_of(makers, reachable_facets(world.makers, derivation.given)):
        if wanted not in there:
            names = [each.name for each in world.makers if wanted in each.gives]
            message = f"What is made here is looked at by {' or '.join(names)}, which has no node."
            yield diagnostic("check_missing", message, "/nodes")


def _limits(derivation: Derivation, wiring: Wiring, nodes: int) -> Iterator[JsonObject]:
    limits = derivation.limits
    if limits.nodes is not None and nodes > limits.nodes:
        yield diagnostic(PLAN_TOO_LARGE, f"The plan has {nodes} nodes; {limits.nodes} are allowed.", "/nodes")
    depth = _depth(wiring)
    if limits.depth is not None and depth > limits.depth:
        message = f"The plan has {depth} nodes one after the other; {limits.depth} are allowed."
        yield diagnostic(PLAN_TOO_LARGE, message, "/nodes")


def _depth(wiring: Wiring) -> int:
    """The nodes of the longest way through the graph, which has no cycle."""
    depths: dict[str, int] = {}
    waiting = list(wiring.nodes)
    while waiting:
        node_id = waiting[-1]
        needs = wiring.nodes[node_id].node.depends_on
        unknown = [each for each in needs if each not in depths]
        if unknown:
            waiting += unknown
            continue
        depths[node_id] = 1 + max((depths[each] for each in needs), default=0)
        waiting.pop()
    return max(depths.values(), default=0)


def _tokens(derivation: Derivation, plan: JsonObject) -> Iterator[JsonObject]:
    most, takes = derivation.policies.optimisation.max_tokens, plan["metadata"]["cost"]["tokens"]
    if most is not None and takes > most:
        message = f"The plan takes {takes:,} tokens by what its capabilities say; {most:,} are allowed."
        yield diagnostic(POLICY_UNSATISFIABLE, message, "/nodes")


def _rejected(derivation: Derivation, wiring: Wiring) -> Iterator[JsonObject]:
    """Whether people have rejected a plan that this one has all of."""
    used = {each.offer.capability_id for each in wiring.nodes.values()}
    for each in derivation.context.rejected:
        if used >= set(each["capabilities"]):
            message = f"A plan of {', '.join(each['capabilities'])} was rejected: {each.get('words') or 'no reason'}"
            yield diagnostic(REJECTED_BEFORE, message, "/nodes")


def _without_use(derivation: Derivation, wiring: Wiring, delivered: Sequence[str]) -> Iterator[JsonObject]:
    """Nodes of which neither the output, nor a check, nor a policy has need: they would be spent for nothing."""
    serving = set(delivered)
    serving |= {node_id for node_id in wiring.nodes if _stands_alone(derivation, wiring, node_id)}
    waiting = list(serving)
    while waiting:
        for need in wiring.nodes[waiting.pop()].node.depends_on:
            if need not in serving:
                serving.add(need)
                waiting.append(need)
    for at, node_id in enumerate(wiring.nodes):
        if node_id not in serving:
            message = f"Nothing that is wanted needs the node {node_id!r}."
            yield diagnostic(NODE_WITHOUT_USE, message, f"/nodes/{at}")


def _stands_alone(derivation: Derivation, wiring: Wiring, node_id: str) -> bool:
    """Whether it is of use without giving anything: it checks something, or a policy wants it."""
    offer, policies = wiring.nodes[node_id].offer, derivation.policies
    return (
        offer.kind == "validation"
        or bool(offer.checks)
        or offer.called(policies.selection.require)
        or offer.kind in policies.topology.required_kinds
    )
