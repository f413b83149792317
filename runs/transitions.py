"""The life of a run and of a node as tables, written out state by state. A step that is not in a table is illegal.

How to read them. `RUN[status][trigger]` is the status of a run after the trigger; `NODE[status][trigger]` that of a
node. A run's triggers are event types, and the settle triggers below. `complete` is keyed with the status that it
brings (`complete:failed`), since one event type ends a run in three ways. A node's triggers are words of their own: one
event moves several nodes, and the same event moves a node in different ways (`node_error` is `retry` or `fail`).

Two steps. "Waits for a person" is a property of everything that is open in a run and not of one event. So the status
moves twice for each event: the event gives `running` (or keeps the status), and a run that is then in one of SETTLING
*settles*: `runs.settle` looks at what is left to do, names a settle trigger, and the same table gives the final status.
A run with two branches, one of them waiting for an approval, is `running` until the other branch has nothing left.
Readers see the settled status only.

Rules that hold in both tables:

1. Nothing follows `complete`. The final statuses have no step; `evolve` and the database refuse such an event, too.
2. `paused` is left by `run_resumed`, or by the end of the run. What was in flight when the pause came may still report
   its result, and a person may still decide; the run stays `paused` through all of that. Nothing starts and nothing
   expires: there is no `node_start` and no `hitl_expiring`.
3. `plan_requested`, the claim, is the only event that leads into `planning`. A rejected plan leads back to `pending`:
   the next attempt is due.
4. A run completes with an output only after it has had a plan: `pending` and `planning` end as `failed` or `aborted`.
5. A node that ran may run again: `repair` (its output broke the contract, or a person sent it back) makes a completed
   node `ready`; `await_repair` puts what depends on it back to `pending`. Its attempt numbers go on. A runtime policy
   may do so with a node that is at work, waits or has failed: an attempt in flight is stale from then on.
6. The end of a run cancels every node that can be cancelled, and leaves `completed` and `failed` as they are.

Easy to get wrong:

- A trigger that keeps the status must be in the table, too: `log` is legal in each state before the end, and a missing
  entry is a refused append.
- `hitl_request` and `hitl_resolved` lead to `running`, never to `awaiting_hitl`: settling decides that. An entry that
  goes there directly would be right for one branch and wrong for two.
- From `awaiting_hitl` a run may settle to `pending`: a rejection with `onReject: replan` asks for a new plan. While
  that is made, attempts that are under way report their results, and people decide what they were asked; nothing
  starts.
- Where a plan is needed, the run waits for that, also with requests open beside it: `unplanned` and `plans` come first
  in `runs.settle`, and `pending` and `planning` themselves do not settle.
- `plan_updated` replaces the nodes. Those that it keeps go on as they are; what any other node of the old plan reports
  afterwards is a stale attempt, refused by the rules before it reaches this table.
- `failed` is no end for a node: its fallback may be a person (`ask`), whose answer makes it `ready` again.
- The order of the entries is the order of the arrows in `docs/state-machines.md` (`python -m runs.diagrams`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from runs.errors import IllegalTransition
from schemas.vocabulary import EventType, FinalStatus, NodeStatus, RunStatus

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

TERMINAL: Final[frozenset[RunStatus]] = frozenset({COMPLETED, FAILED, ABORTED})
WAITING: Final[frozenset[RunStatus]] = frozenset({AWAITING_HITL, AWAITING_HUMAN, PAUSED})
SETTLING: Final[frozenset[RunStatus]] = frozenset({RUNNING, AWAITING_HITL, AWAITING_HUMAN})

SettleTrigger = Literal["unplanned", "plans", "works", "waits_for_hitl", "waits_for_human"]
CompleteTrigger = Literal["complete:completed", "complete:failed", "complete:aborted"]
RunTrigger = EventType | CompleteTrigger | SettleTrigger
NodeTrigger = Literal[
    "dependencies_met",
    "reuse",
    "start",
    "start_human",
    "complete",
    "retry",
    "fail",
    "ask",
    "answer",
    "repair",
    "await_repair",
    "cancel",
]

COMPLETE_TRIGGERS: Final[Mapping[FinalStatus, CompleteTrigger]] = {
    COMPLETED: "complete:completed",
    FAILED: "complete:failed",
    ABORTED: "complete:aborted",
}

RUN: Final[Mapping[RunStatus, Mapping[RunTrigger, RunStatus]]] = {
    PENDING: {
        "plan_requested": PLANNING,
        "node_complete": PENDING,
        "node_error": PENDING,
        "validation_error": PENDING,
        "hitl_request": PENDING,
        "hitl_resolved": PENDING,
        "log": PENDING,
        "priority_changed": PENDING,
        "policy_triggered": PENDING,
        "hitl_expiring": PENDING,
        "run_paused": PAUSED,
        "complete:failed": FAILED,
        "complete:aborted": ABORTED,
    },
    PLANNING: {
        "plan_generated": RUNNING,
        "plan_updated": RUNNING,
        "plan_rejected": PENDING,
        "node_complete": PLANNING,
        "node_error": PLANNING,
        "validation_error": PLANNING,
        "hitl_request": PLANNING,
        "hitl_resolved": PLANNING,
        "log": PLANNING,
        "priority_changed": PLANNING,
        "policy_triggered": PLANNING,
        "hitl_expiring": PLANNING,
        "run_paused": PAUSED,
        "complete:failed": FAILED,
        "complete:aborted": ABORTED,
    },
    RUNNING: {
        "plan_updated": RUNNING,
        "node_start": RUNNING,
        "node_complete": RUNNING,
        "node_error": RUNNING,
        "validation_error": RUNNING,
        "hitl_request": RUNNING,
        "hitl_resolved": RUNNING,
        "unplanned": PENDING,
        "plans": PLANNING,
        "works": RUNNING,
        "waits_for_hitl": AWAITING_HITL,
        "waits_for_human": AWAITING_HUMAN,
        "log": RUNNING,
        "priority_changed": RUNNING,
        "policy_triggered": RUNNING,
        "hitl_expiring": RUNNING,
        "run_paused": PAUSED,
        "complete:completed": COMPLETED,
        "complete:failed": FAILED,
        "complete:aborted": ABORTED,
    },
    AWAITING_HITL: {
        "node_complete": RUNNING,
        "node_error": RUNNING,
        "validation_error": RUNNING,
        "hitl_request": RUNNING,
        "hitl_resolved": RUNNING,
        "unplanned": PENDING,
        "plans": PLANNING,
        "works": RUNNING,
        "waits_for_hitl": AWAITING_HITL,
        "waits_for_human": AWAITING_HUMAN,
        "log": AWAITING_HITL,
        "priority_changed": AWAITING_HITL,
        "policy_triggered": AWAITING_HITL,
        "hitl_expiring": AWAITING_HITL,
        "run_paused": PAUSED,
        "complete:completed": COMPLETED,
        "complete:failed": FAILED,
        "complete:aborted": ABORTED,
    },
    AWAITING_HUMAN: {
        "node_complete": RUNNING,
        "node_error": RUNNING,
        "validation_error": RUNNING,
        "hitl_request": RUNNING,
        "hitl_resolved": RUNNING,
        "unplanned": PENDING,
        "plans": PLANNING,
        "works": RUNNING,
        "waits_for_hitl": AWAITING_HITL,
        "waits_for_human": AWAITING_HUMAN,
        "log": AWAITING_HUMAN,
        "priority_changed": AWAITING_HUMAN,
        "policy_triggered": AWAITING_HUMAN,
        "hitl_expiring": AWAITING_HUMAN,
        "run_paused": PAUSED,
        "complete:completed": COMPLETED,
        "complete:failed": FAILED,
        "complete:aborted": ABORTED,
    },
    PAUSED: {
        "plan_generated": PAUSED,
        "plan_updated": PAUSED,
        "plan_rejected": PAUSED,
        "node_complete": PAUSED,
        "node_error": PAUSED,
        "validation_error": PAUSED,
        "hitl_request": PAUSED,
        "hitl_resolved": PAUSED,
        "log": PAUSED,
        "priority_changed": PAUSED,
        "policy_triggered": PAUSED,
        "run_resumed": RUNNING,
        "complete:completed": COMPLETED,
        "complete:failed": FAILED,
        "complete:aborted": ABORTED,
    },
    COMPLETED: {},
    FAILED: {},
    ABORTED: {},
}
"""status → trigger → the run's next status."""

NODE: Final[Mapping[NodeStatus, Mapping[NodeTrigger, NodeStatus]]] = {
    PENDING: {
        "dependencies_met": READY,
        "cancel": CANCELLED,
    },
    READY: {
        "reuse": COMPLETED,
        "start": RUNNING,
        "start_human": AWAITING_HUMAN,
        "await_repair": PENDING,
        "cancel": CANCELLED,
    },
    RUNNING: {
        "complete": COMPLETED,
        "retry": WAITING_RETRY,
        "fail": FAILED,
        "ask": AWAITING_HITL,
        "repair": READY,
        "await_repair": PENDING,
        "cancel": CANCELLED,
    },
    WAITING_RETRY: {
        "start": RUNNING,
        "start_human": AWAITING_HUMAN,
        "repair": READY,
        "await_repair": PENDING,
        "cancel": CANCELLED,
    },
    AWAITING_HITL: {
        "ask": AWAITING_HITL,
        "answer": READY,
        "complete": COMPLETED,
        "fail": FAILED,
        "repair": READY,
        "await_repair": PENDING,
        "cancel": CANCELLED,
    },
    AWAITING_HUMAN: {
        "complete": COMPLETED,
        "retry": WAITING_RETRY,
        "fail": FAILED,
        "repair": READY,
        "await_repair": PENDING,
        "cancel": CANCELLED,
    },
    COMPLETED: {
        "repair": READY,
        "await_repair": PENDING,
        "ask": AWAITING_HITL,
    },
    FAILED: {
        "ask": AWAITING_HITL,
        "repair": READY,
        "await_repair": PENDING,
    },
    CANCELLED: {},
    "skipped": {},
}
"""status → trigger → the node's next status. No step leads to `skipped`, which is a word of the wire only."""


def next_run_status(status: RunStatus, trigger: RunTrigger) -> RunStatus:
    """The run's status after `trigger`. Raises IllegalTransition when the table has no such step."""
    try:
        return RUN[status][trigger]
    except KeyError:
        raise IllegalTransition(f"a run that is {status} cannot take {trigger}", status=status) from None


def next_node_status(status: NodeStatus, trigger: NodeTrigger, node_id: str) -> NodeStatus:
    """The node's status after `trigger`. Raises IllegalTransition when the table has no such step."""
    try:
        return NODE[status][trigger]
    except KeyError:
        raise IllegalTransition(
            f"node {node_id} is {status} and cannot take {trigger}", status=status, nodeId=node_id
        ) from None
