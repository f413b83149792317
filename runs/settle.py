"""What an active run is doing: derived from what is open in it."""

from __future__ import annotations

from runs.state import RunState
from runs.transitions import AWAITING_HUMAN, COMPLETED, READY, RUNNING, WAITING_RETRY

_ACTIVE = frozenset({READY, RUNNING, WAITING_RETRY})


def needs_plan(state: RunState) -> bool:
    """No plan is in force: there was none yet, or a person's decision asked for a new one."""
    return state.plan_version is None or state.replan_reason is not None


def output_due(state: RunState) -> bool:
    """Every node is done and the output has neither been composed nor shown to a person."""
    if needs_plan(state) or any(node.status != COMPLETED for node in state.nodes.values()):
        return False
    return not any(
        request.open and request.subject in ("output", "policy") for request in state.requests.values()
    )


def settle_trigger(state: RunState) -> str:
    """One of `transitions.SETTLE_TRIGGERS`."""
    if needs_plan(state):
        return "plans" if state.plan_in_progress else "unplanned"
    if any(node.status in _ACTIVE for node in state.nodes.values()) or output_due(state):
        return "works"
    if any(request.open for request in state.requests.values()):
        return "waits_for_hitl"
    if any(node.status == AWAITING_HUMAN for node in state.nodes.values()):
        return "waits_for_human"
    return "works"
