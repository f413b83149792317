"""Folding what runtime policies do."""

from __future__ import annotations

from typing import Any

from runs.event import Event
from runs.event_data import PolicyTriggeredData, PolicyTriggeredDetail
from runs.evolve_nodes import rerun_nodes
from runs.evolve_replan import wants_plan
from runs.state import RunState
from runs.values import changed


def policy_triggered(
    state: RunState, _: Event, data: PolicyTriggeredData, detail: PolicyTriggeredDetail
) -> RunState:
    policy_id = data["policyId"]
    firings = {**state.firings, policy_id: state.firings.get(policy_id, 0) + 1}
    more: dict[str, Any] = {"firings": firings}
    if "priority" in detail:
        more["priority"] = detail["priority"]
    if "mark" in detail:
        more["marks"] = (*state.marks, detail["mark"])
    state = changed(state, **more)
    if "replan" in detail:
        return wants_plan(state, detail["replan"])
    nodes = [node_id for node_id in detail.get("nodes", ()) if node_id in state.nodes]
    if not nodes:
        return state
    return rerun_nodes(state, nodes, answer=detail.get("answer"), fresh=detail.get("fresh", False))
