"""What an active run is doing: derived from what is open in it."""

from __future__ import annotations

from runs.graph import downstream
from runs.state import RunState
from runs.transitions import AWAITING_HUMAN, COMPLETED, READY, RUNNING, WAITING_RETRY, SettleTrigger

_STARTABLE = frozenset({READY, WAITING_RETRY})
_HOLDING_BACK = frozenset({"policy", "plan"})
_BLOCKING = frozenset({"output", "policy", "plan"})


def needs_plan(state: RunState) -> bool:
    """Whether no plan is in force: there was none yet, or a decision asked for a new one."""
    return state.plan_version is None or state.replan_reason is not None


def blocked_nodes(state: RunState) -> frozenset[str]:
    """Nodes that may not start because a request is open.

    A policy's request holds back what follows its node, or everything; a plan's request everything.
    """
    if not state.open_ids:
        return frozenset()
    asked = {request.node_id for request in state.open_requests if request.subject in _HOLDING_BACK}
    if not asked:
        return frozenset()
    if None in asked:
        return frozenset(state.nodes)
    return frozenset(downstream(state.dependents, [node_id for node_id in asked if node_id is not None]))


def output_due(state: RunState) -> bool:
    """Every node is completed, no request about the result is open, and the output waits to be composed."""
    if needs_plan(state) or any(node.status != COMPLETED for node in state.nodes.values()):
        return False
    return not any(request.subject in _BLOCKING for request in state.open_requests)


def settle_trigger(state: RunState) -> SettleTrigger:
    """What is left to do in an active run, as a trigger of `transitions.RUN`."""
    if needs_plan(state):
        return "plans" if state.plan_in_progress else "unplanned"
    if _works(state):
        return "works"
    if state.open_ids:
        return "waits_for_hitl"
    if any(node.status == AWAITING_HUMAN for node in state.nodes.values()):
        return "waits_for_human"
    return "works"


def _works(state: RunState) -> bool:
    blocked = blocked_nodes(state)
    for node in state.nodes.values():
        if node.status == RUNNING or (node.status in _STARTABLE and node.id not in blocked):
            return True
    return output_due(state)
