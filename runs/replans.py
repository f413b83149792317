"""What a new plan keeps of the one before it, and what it begins with. Functions of the state.

A node is kept where the new plan has the same node (name, capability, contract, bundle) and keeps all that it depends
on, so that nothing which it was made from has changed; and where nothing has been said against its output.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from runs.composition import part_at, referenced_nodes
from runs.event import Json, JsonObject
from runs.event_data import ChangedNodeData, KeptNodeData, PlanDifference
from runs.evolve import planned_node
from runs.facet_sources import FACETS_KEY
from runs.graph import downstream, in_order
from runs.state import NodeState, RunState
from runs.transitions import AWAITING_HITL, AWAITING_HUMAN, CANCELLED, COMPLETED, FAILED, RUNNING
from runs.wire_nodes import node_to_wire

MADE_KEY = "made"
"""In a plan's metadata: facet → the sources that it comes from in this plan (see `runs.facet_sources`)."""

TAKEN_KEY = "taken"
"""In the ground of a plan: node → the facets that it took in the plan before."""

FEEDBACK_KEY = "feedback"
"""In a node's bundle: words for whoever does the work. A node that differs in these only is the same."""

_UNDER_WAY = frozenset({RUNNING, AWAITING_HITL, AWAITING_HUMAN})


@dataclass(frozen=True, slots=True)
class Compared:
    """A new plan beside the one in force: `carried` are the kept nodes that go on as they are."""

    difference: PlanDifference
    carried: list[str]

    @property
    def kept(self) -> list[str]:
        return [each["id"] for each in self.difference["kept"]]


def not_to_keep(state: RunState) -> set[str]:
    """The nodes that a new plan must make anew, where it has them."""
    failed = [node.id for node in state.nodes.values() if node.status in (FAILED, CANCELLED)]
    return downstream(state.dependents, [*_to_redo(state), *failed])


def _to_redo(state: RunState) -> set[str]:
    """The nodes whose output is not wanted as it is: all, where an old log does not say."""
    wish = state.replan
    if wish is not None and wish.redo is not None:
        return set(wish.redo) & state.nodes.keys()
    return set(state.nodes) if state.replan_reason is not None else set()


def compare(state: RunState, plan: JsonObject) -> Compared:
    """What a new plan (wire form) keeps, adds and drops, each with why; nothing of a first plan."""
    if state.plan_version is None:
        return Compared({"kept": [], "added": [], "dropped": []}, [])
    nodes = {node["id"]: planned_node(node) for node in plan["nodes"]}
    anew = not_to_keep(state)
    why = dict(_why_not_kept(state, nodes, anew))
    kept: list[KeptNodeData] = []
    added: list[ChangedNodeData] = []
    for node_id in nodes:
        old = state.nodes.get(node_id)
        if old is not None and node_id not in why:
            kept.append({"id": node_id, "status": old.status, "why": _why_kept(old)})
        else:
            added.append({"id": node_id, "why": why.get(node_id, "the new plan needs it")})
    going_on = [each["id"] for each in kept if _goes_on(state.nodes[each["id"]])]
    kept_ids = {each["id"] for each in kept}
    dropped: list[ChangedNodeData] = [
        {"id": node.id, "why": _why_dropped(node, why.get(node.id))}
        for node in state.nodes.values()
        if node.id not in kept_ids
    ]
    return Compared({"kept": kept, "added": added, "dropped": dropped}, going_on)


def _goes_on(node: NodeState) -> bool:
    """Whether anything has happened to the node; one that only waits is taken from the new plan."""
    return node.attempt > 0 or node.status == COMPLETED


def _why_not_kept(
    state: RunState, nodes: Mapping[str, NodeState], anew: set[str]
) -> Iterator[tuple[str, str]]:
    """The nodes of the new plan that have the name of one before and are not kept, with why."""
    redo = _to_redo(state)
    lost: set[str] = set()
    for node in in_order(nodes):
        old = state.nodes.get(node.id)
        reason: str | None = None
        if old is None:
            lost.add(node.id)
            continue
        if old.status == FAILED:
            reason = "it has failed"
        elif node.id in redo:
            reason = "its output is not wanted as it is"
        elif changes := changes_of(old, node):
            reason = f"it has another {' and '.join(changes)}"
        elif node.id in anew or lost & set(node.depends_on):
            reason = "what it depends on is made anew"
        if reason is not None:
            lost.add(node.id)
            yield node.id, reason


def changes_of(old: NodeState, new: NodeState) -> list[str]:
    """What two nodes of one name differ in. The capability's version does not count: an output serves all the same."""
    same = {
        "capability": old.capability_id == new.capability_id and old.kind == new.kind,
        "executor": old.executor_type == new.executor_type,
        "contract": old.contract == new.contract,
        "bundle": _asked(old.bundle) == _asked(new.bundle),
        "dependency": set(old.depends_on) == set(new.depends_on),
    }
    return [name for name, equal in same.items() if not equal]


def _asked(bundle: JsonObject) -> JsonObject:
    return {key: value for key, value in bundle.items() if key != FEEDBACK_KEY}


def _why_kept(node: NodeState) -> str:
    if node.status == COMPLETED:
        return "its output serves the new plan"
    return "it is under way, and the new plan has it unchanged" if node.status in _UNDER_WAY else "unchanged"


def _why_dropped(node: NodeState, changed: str | None) -> str:
    reason = f"it is made anew: {changed}" if changed is not None else "the new plan does not need it"
    return f"{reason}; what was under way is cancelled" if node.status in _UNDER_WAY else reason


def ran_once_for_all(state: RunState, plan: JsonObject, compared: Compared) -> list[str]:
    """The ids of added nodes that would do once more what must not be done twice: see `NodeState.idempotent`."""
    kept = set(compared.kept)
    done = {
        node.capability_id
        for node in state.nodes.values()
        if node.id not in kept and must_not_run_again(node)
    }
    return [node["id"] for node in plan["nodes"] if node["id"] not in kept and node["capabilityId"] in done]


def must_not_run_again(node: NodeState) -> bool:
    """Whether the node is not idempotent, and has had its effect or may have had it."""
    unknown = (node.error or {}).get("code") == "outcome_unknown"
    return not node.idempotent and (node.status in (COMPLETED, RUNNING) or unknown)


def ground_of(state: RunState) -> JsonObject | None:
    """What a new plan may begin with: completed `nodes` in wire form, and the facets that these have `made`.

    None where no plan was made yet, or nothing of it serves. `taken` says which facets its nodes took.
    """
    if state.plan_version is None:
        return None
    anew = not_to_keep(state)
    done = {
        node.id: node for node in in_order(state.nodes) if node.status == COMPLETED and node.id not in anew
    }
    if not done:
        return None
    made: Any = state.plan_metadata.get(MADE_KEY)
    facets: JsonObject = {
        facet: sources
        for facet, sources in (cast(JsonObject, made) if isinstance(made, dict) else {}).items()
        if all(_source(each) in done for each in sources)
    }
    taken: JsonObject = {
        node.id: sorted(cast(JsonObject, sources))
        for node in state.nodes.values()
        if node.id not in anew and isinstance(sources := node.bundle.get(FACETS_KEY), dict)
    }
    return {"nodes": [node_to_wire(node) for node in done.values()], MADE_KEY: facets, TAKEN_KEY: taken}


def _source(source: Json) -> Json:
    return cast(JsonObject, source).get("$node") if isinstance(source, dict) else None


def makers_of(state: RunState, places: Iterable[str]) -> list[str]:
    """The nodes that make what stands at these places of the output (JSON pointers), of all of it where none does.

    A transformation passes on what it gets, so the nodes before it count, too.
    """
    template = state.plan_metadata.get("composition")
    if template is None:
        makers = [list(state.nodes)[-1]]
    else:
        parts = [part_at(template, place) for place in places]
        found = [node_id for part in parts for node_id in referenced_nodes(part)]
        makers = found or referenced_nodes(template)
    known = [state.nodes[each] for each in makers if each in state.nodes]
    before = [need for node in known if node.kind == "transformation" for need in node.depends_on]
    return list(dict.fromkeys([*(node.id for node in known), *before]))
