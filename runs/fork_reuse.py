"""What a fork reuses of the run that it is made from, and why not the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from runs.event import Json, JsonObject
from runs.event_data import ReusableNode, ReuseData
from runs.evolve import planned_node
from runs.facet_sources import FACETS_KEY, INPUT_KEY, value_at
from runs.graph import dependents_of, downstream, in_order
from runs.replans import changes_of
from runs.state import NodeState, ReplanState, RunState
from runs.transitions import COMPLETED, FAILED
from runs.values import changed
from runs.wire_nodes import node_to_wire

AFTER_OTHERS = "what it depends on is made anew"
_INPUT_KEYS = "inputKeys"


@dataclass(frozen=True, slots=True)
class Reuse:
    """The nodes whose outputs are taken over, each after those it depends on; the others with why they are not."""

    reused: tuple[NodeState, ...]
    why_not: Mapping[str, str]

    def data(self, run_id: str) -> ReuseData:
        """The same for the log; `run_id` is the run that the outputs are from."""
        return {
            "runId": run_id,
            "reused": [{"nodeId": node.id, "attempt": node.attempt} for node in self.reused],
            "notReused": [{"nodeId": node_id, "why": why} for node_id, why in self.why_not.items()],
        }


def judge(
    originals: Mapping[str, NodeState], planned: Mapping[str, NodeState], anew: Mapping[str, str]
) -> Reuse:
    """Which outputs serve a plan of the nodes `planned`; `anew` are nodes that are done again, with why."""
    reused: dict[str, NodeState] = {}
    why_not: dict[str, str] = {}
    for node in in_order(originals):
        reason = anew.get(node.id) or _unfit(node, planned.get(node.id))
        if reason is None and any(need not in reused for need in node.depends_on):
            reason = AFTER_OTHERS
        if reason is None:
            reused[node.id] = node
        else:
            why_not[node.id] = reason
    return Reuse(tuple(reused.values()), why_not)


def _unfit(node: NodeState, new: NodeState | None) -> str | None:
    if node.status != COMPLETED:
        return "it has failed" if node.status == FAILED else "it was not completed"
    if new is None:
        return "the plan does not have it"
    changes = changes_of(node, new)
    return f"the plan has it with another {' and '.join(changes)}" if changes else None


def and_what_follows(state: RunState, reasons: Mapping[str, str]) -> dict[str, str]:
    """These nodes with why they are done again, and those that depend on them."""
    again = downstream(state.dependents, reasons)
    return {node_id: reasons.get(node_id, AFTER_OTHERS) for node_id in state.nodes if node_id in again}


def reads_changed_inputs(node: NodeState, before: JsonObject, after: JsonObject) -> bool:
    """Whether the node was given something of the inputs that is another one now."""
    keys: Json = node.bundle.get(_INPUT_KEYS)
    sources: Json = node.bundle.get(FACETS_KEY)
    if isinstance(keys, list):
        return any(before.get(str(key)) != after.get(str(key)) for key in cast("list[Json]", keys))
    if not isinstance(sources, dict):
        return before != after
    pointers = [str(each[INPUT_KEY]) for each in _sources(cast(JsonObject, sources)) if INPUT_KEY in each]
    return any(value_at(before, pointer) != value_at(after, pointer) for pointer in pointers)


def _sources(facets: JsonObject) -> Iterator[JsonObject]:
    for value in facets.values():
        listed = cast("list[Json]", value) if isinstance(value, list) else [value]
        yield from (cast(JsonObject, each) for each in listed if isinstance(each, dict))


def reusable_nodes(reuse: Reuse, *, same_policies: bool) -> list[ReusableNode]:
    """The nodes as the start of a fork keeps them that is planned anew."""
    return [
        {
            "node": node_to_wire(node),
            "attempt": node.attempt,
            "output": node.output,
            "approved": list(node.approved) if same_policies else [],
        }
        for node in reuse.reused
    ]


def as_before(state: RunState) -> RunState:
    """A fork that has no plan yet, as if the nodes that it may reuse were its own; any other run as it is."""
    if state.reusable is None or state.plan_version is not None:
        return state
    nodes = {
        each["node"]["id"]: changed(
            planned_node(each["node"]),
            status=COMPLETED,
            attempt=each["attempt"],
            output=each["output"],
            approved=tuple(each["approved"]),
        )
        for each in state.reusable["nodes"]
    }
    return changed(
        state,
        nodes=nodes,
        dependents=dependents_of(nodes),
        plan_version=1,
        plan_metadata=state.reusable["metadata"],
        replan=ReplanState(cause="policy", after_attempt=0, redo=()),
    )
