"""The words of the domain that the wire, the log and the rules share: each set of them once, as a `Literal`.

A word that is not here is not an event type, a status, a subject, an effect. Adding one: here first; the type checker
then names the tables that have no entry for it.
"""

from typing import Literal, get_args

EventType = Literal[
    "start",
    "plan_requested",
    "plan_rejected",
    "plan_generated",
    "plan_updated",
    "node_start",
    "node_complete",
    "node_error",
    "validation_error",
    "hitl_request",
    "hitl_expiring",
    "hitl_resolved",
    "run_paused",
    "run_resumed",
    "priority_changed",
    "policy_triggered",
    "log",
    "complete",
]
EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)

RunStatus = Literal[
    "pending",
    "planning",
    "running",
    "awaiting_hitl",
    "awaiting_human",
    "paused",
    "completed",
    "failed",
    "aborted",
]
FinalStatus = Literal["completed", "failed", "aborted"]
NodeStatus = Literal[
    "pending",
    "ready",
    "running",
    "waiting_retry",
    "awaiting_hitl",
    "awaiting_human",
    "completed",
    "failed",
    "skipped",
    "cancelled",
]
RequestStatus = Literal["pending", "resolved"]

NodeKind = Literal["structuring", "execution", "validation", "transformation", "routing"]
AgentType = Literal["ai", "human", "service"]
ExecutorType = Literal["ai", "human"]
Fallback = Literal["retry", "hitl", "abort"]
ValidationScope = Literal["node", "final"]
LogLevel = Literal["debug", "info", "warning", "error"]

HintKind = Literal["plan", "node", "output"]
"""Work that a broker's hints are about."""
TimerKind = Literal["request_expiry", "task_expiry", "deadline", "policy_timeout"]
"""Work that the keeper does when it is due; it stays in the database."""
WorkKind = HintKind | TimerKind

LossKind = Literal["unheard", "died", "stalled"]
"""How a worker was lost: its lease ran out, its supervisor saw it die, or its event loop stood still in the attempt."""

RequestSubject = Literal["output", "node", "clarify", "policy", "plan"]
"""What a response is applied to: the composed output, a node whose attempts are used up, a capability's question, an
event that a runtime policy watches, or a plan that nothing is started of."""

ResolutionEffect = Literal["rerun", "complete_node", "replan", "approve", "escalate"]
"""What folding a decision does to the run beyond resolving the request."""

ReplanCause = Literal[
    "policy", "rejected", "plan_rejected", "plan_edited", "invalid_output", "goal_unmet", "capability_gone"
]
"""Why a run has another plan: a policy said so, a person rejected the output or the plan, or made another plan of it;
the composed output broke its contract or a goal condition; or a capability is not to be had any more."""
ReplanTrouble = Literal["invalid_output", "goal_unmet", "capability_gone"]
"""Causes of which the envelope says whether they have a run planned again."""

RequestKind = Literal["approval", "clarify", "choice"]
ResponseType = Literal["approval", "rejection", "option", "freeform", "edit", "withdraw"]
Decision = Literal["approved", "rejected", "answered", "edited", "expired", "removed"]
OriginAgent = Literal["strategy", "generation", "qa"]
Urgency = Literal["low", "normal", "high"]

WatchedEvent = Literal["plan_generated", "plan_updated", "node_complete", "node_error", "validation_error"]
"""Events that a runtime policy can name as its trigger; `TriggerKind` has more."""
TriggerKind = Literal[
    "onStart",
    "onPlan",
    "onNodeStart",
    "onNodeComplete",
    "onNodeError",
    "onValidationFail",
    "onTimeout",
    "onMetricBelow",
    "onBudget",
    "manual",
]
"""When a runtime policy is fired."""
ActionType = Literal["hitl", "fail", "log", "goto", "retry", "pause", "emit", "setPriority", "replan"]
Priority = Literal["normal", "high"]
ExpiryAction = Literal["reject", "approve", "escalate"]
RejectAction = Literal["fail", "replan", "rerun"]
AfterEscalation = Literal["reject", "approve"]
