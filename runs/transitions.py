"""The life of a run and of a node as tables. A step that is not in a table is illegal.

A run's status moves in two steps. First the event itself: `RUN[status, event type]`. Then, because "waits for a
person" is a property of everything that is open and not of one event, an active run *settles*: a trigger of
`SETTLE_TRIGGERS` says what is left to do, and the same table gives the status. So a run with two branches, one of them
waiting for an approval, is `running` until the other branch has nothing left to do.

`paused` is left by `run_resumed` only, or by the end of the run; work that was under way when the pause came may still
report its result. The last three statuses have no way out: nothing follows `complete`.

The diagrams in `docs/` are generated from these tables (`python -m runs.diagrams`).
"""

from __future__ import annotations

from typing import Final

from runs.errors import IllegalTransition

PENDING: Final = "pending"
PLANNING: Final = "planning"
RUNNING: Final = "running"
AWAITING_HITL: Final = "awaiting_hitl"
AWAITING_HUMAN: Final = "awaiting_human"
PAUSED: Final = "paused"
COMPLETED: Final = "completed"
FAILED: Final = "failed"
ABORTED: Final = "aborted"

READY: Final = "ready"
WAITING_RETRY: Final = "waiting_retry"
CANCELLED: Final = "cancelled"

TERMINAL: Final = frozenset({COMPLETED, FAILED, ABORTED})
WAITING: Final = frozenset({AWAITING_HITL, AWAITING_HUMAN, PAUSED})
_SETTLING = (RUNNING, AWAITING_HITL, AWAITING_HUMAN)
"""In an order of its own, so that the table is made, and drawn, in the same order each time."""
SETTLING: Final = frozenset(_SETTLING)

SETTLE_TRIGGERS: Final = ("unplanned", "plans", "works", "waits_for_hitl", "waits_for_human")

_ANYTIME = ("log", "policy_triggered")
_NODE_REPORTS = ("node_complete", "node_error", "validation_error")
_DECISIONS = ("hitl_request", "hitl_resolved")


def _run_table() -> dict[tuple[str, str], str]:
    table: dict[tuple[str, str], str] = {
        (PENDING, "plan_requested"): PLANNING,
        (PLANNING, "plan_generated"): RUNNING,
        (PLANNING, "plan_updated"): RUNNING,
        (PLANNING, "plan_rejected"): PENDING,
        (RUNNING, "node_start"): RUNNING,
        (PAUSED, "plan_generated"): PAUSED,
        (PAUSED, "plan_updated"): PAUSED,
        (PAUSED, "plan_rejected"): PAUSED,
        (PAUSED, "run_resumed"): RUNNING,
    }
    for status in (PENDING, PLANNING, RUNNING, AWAITING_HITL, AWAITING_HUMAN, PAUSED):
        table |= {(status, event_type): status for event_type in _ANYTIME}
        ends = (FAILED, ABORTED) if status in (PENDING, PLANNING) else (COMPLETED, FAILED, ABORTED)
        table |= {(status, f"complete:{end}"): end for end in ends}
        if status != PAUSED:
            table[status, "run_paused"] = PAUSED
            table[status, "hitl_expiring"] = status
    for event_type in _NODE_REPORTS + _DECISIONS:
        table |= {(status, event_type): RUNNING for status in _SETTLING}
        table[PAUSED, event_type] = PAUSED
    for status in _SETTLING:
        table |= {
            (status, "unplanned"): PENDING,
            (status, "plans"): PLANNING,
            (status, "works"): RUNNING,
            (status, "waits_for_hitl"): AWAITING_HITL,
            (status, "waits_for_human"): AWAITING_HUMAN,
        }
    return table


RUN: Final = _run_table()
"""(status, event type or settle trigger) → status. `complete` is keyed with the status it brings."""

NODE: Final[dict[tuple[str, str], str]] = {
    (PENDING, "dependencies_met"): READY,
    (READY, "reuse"): COMPLETED,
    (READY, "start"): RUNNING,
    (READY, "start_human"): AWAITING_HUMAN,
    (WAITING_RETRY, "start"): RUNNING,
    (WAITING_RETRY, "start_human"): AWAITING_HUMAN,
    (RUNNING, "complete"): COMPLETED,
    (RUNNING, "retry"): WAITING_RETRY,
    (RUNNING, "fail"): FAILED,
    (RUNNING, "ask"): AWAITING_HITL,
    (AWAITING_HUMAN, "complete"): COMPLETED,
    (AWAITING_HUMAN, "fail"): FAILED,
    (AWAITING_HUMAN, "retry"): WAITING_RETRY,
    (FAILED, "ask"): AWAITING_HITL,
    (AWAITING_HITL, "ask"): AWAITING_HITL,
    (AWAITING_HITL, "answer"): READY,
    (AWAITING_HITL, "complete"): COMPLETED,
    (AWAITING_HITL, "fail"): FAILED,
    (COMPLETED, "repair"): READY,
    (COMPLETED, "await_repair"): PENDING,
    (COMPLETED, "ask"): AWAITING_HITL,
    (READY, "await_repair"): PENDING,
    (PENDING, "cancel"): CANCELLED,
    (READY, "cancel"): CANCELLED,
    (RUNNING, "cancel"): CANCELLED,
    (WAITING_RETRY, "cancel"): CANCELLED,
    (AWAITING_HITL, "cancel"): CANCELLED,
    (AWAITING_HUMAN, "cancel"): CANCELLED,
}
"""(status, trigger) → status of a node."""


def next_run_status(status: str, trigger: str) -> str:
    """The run's status after `trigger`. Raises IllegalTransition when the table has no such step."""
    try:
        return RUN[status, trigger]
    except KeyError:
        raise IllegalTransition(f"a run that is {status} cannot take {trigger}", status=status) from None


def next_node_status(status: str, trigger: str, node_id: str) -> str:
    """The node's status after `trigger`. Raises IllegalTransition when the table has no such step."""
    try:
        return NODE[status, trigger]
    except KeyError:
        raise IllegalTransition(
            f"node {node_id} is {status} and cannot take {trigger}", status=status, nodeId=node_id
        ) from None
