"""The constructor of each type of event: what its payload, its detail and its message are made of.

The rules decide what happens and `Draft.add` gives it its place in the log; nothing else makes an event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import cast

from runs import event_data as d
from runs.event import NewEvent, rfc3339
from runs.state import NodeState, RequestState
from schemas.json_types import Json, JsonObject
from schemas.vocabulary import (
    Decision,
    ExpiryAction,
    FinalStatus,
    LogLevel,
    Priority,
    ReplanCause,
    ValidationScope,
)


def start(data: d.StartData, detail: d.StartDetail, *, correlation_id: str | None) -> NewEvent:
    return NewEvent("start", data, detail=detail, correlation_id=correlation_id)


def plan_requested(*, attempt: int, planner: str, capability_count: int) -> NewEvent:
    data: d.PlanRequestedData = {
        "attempt": attempt,
        "planner": planner,
        "capabilityCount": capability_count,
    }
    return NewEvent("plan_requested", data)


def plan_rejected(
    *,
    attempt: int,
    diagnostics: list[JsonObject],
    message: str,
    detail: d.PlanRejectedDetail | d.LossDetail | None,
) -> NewEvent:
    data: d.PlanRejectedData = {"attempt": attempt, "diagnostics": diagnostics}
    return NewEvent("plan_rejected", data, message=message, detail=detail)


def plan_generated(plan: JsonObject, kept: JsonObject, approval: d.PlanApproval | None = None) -> NewEvent:
    """The first plan. `plan` is as the planner sent it, `kept` what the run goes by (with `version`)."""
    data: d.PlanGeneratedData = {
        "version": 1,
        "nodes": _planned_nodes(plan),
        "edges": plan.get("edges", []),
        "metadata": plan.get("metadata", {}),
    }
    return NewEvent("plan_generated", data, detail=_plan_detail(kept, approval), plan_version=1)


def plan_updated(  # noqa: PLR0913 - each is a part of the event
    plan: JsonObject,
    kept: JsonObject,
    *,
    previous: int,
    trigger: Json,
    cause: ReplanCause,
    difference: d.PlanDifference,
    carried: list[str],
    approval: d.PlanApproval | None = None,
    message: str | None = None,
) -> NewEvent:
    """A later plan, which replaces version `previous`; the nodes in `carried` go on as they are."""
    data: d.PlanUpdatedData = {
        "version": previous + 1,
        "nodes": _planned_nodes(plan),
        "edges": plan.get("edges", []),
        "previousVersion": previous,
        "trigger": trigger,
        "cause": cause,
        "difference": difference,
    }
    detail: d.PlanDetail = {**_plan_detail(kept, approval), "carried": carried}
    return NewEvent("plan_updated", data, message=message, detail=detail, plan_version=previous + 1)


def with_planning(event: NewEvent, planning: JsonObject | None) -> NewEvent:
    """The event of a plan, or of a refusal, that says how it was planned (`schemas.planning`), where that is known."""
    return (
        event
        if planning is None
        else replace(event, payload={**cast("JsonObject", event.payload), "planning": planning})
    )


def _plan_detail(kept: JsonObject, approval: d.PlanApproval | None) -> d.PlanDetail:
    return {"plan": kept} if approval is None else {"plan": kept, "approval": approval}


def _planned_nodes(plan: JsonObject) -> list[d.PlannedNodeData]:
    return [
        {
            "id": node["id"],
            "capabilityId": node["capabilityId"],
            "kind": node["kind"],
            "label": node["label"],
            "dependsOn": node.get("dependsOn", []),
        }
        for node in plan["nodes"]
    ]


def node_start(node: NodeState, attempt: int, used_version: str | None = None) -> NewEvent:
    data: d.NodeStartData = {
        "capabilityId": node.capability_id,
        "label": node.label,
        "attempt": attempt,
        "executorType": node.executor_type,
    }
    if node.capability_version is not None:
        data["capabilityVersion"] = node.capability_version
    if used_version is not None and used_version != node.capability_version:
        data["usedVersion"] = used_version
    return NewEvent("node_start", data, node_id=node.id, message=node.label)


def node_complete(node: NodeState, output: Json, duration_ms: int, usage: JsonObject | None) -> NewEvent:
    """A capability's output."""
    data = _node_complete(node, output, duration_ms)
    if usage is not None:
        data["usage"] = usage
    return NewEvent("node_complete", data, node_id=node.id)


def node_reused(node: NodeState, output: Json, origin: d.ReuseOrigin) -> NewEvent:
    """An output that is taken over from the run that this one was forked from."""
    detail: d.NodeCompleteDetail = {"origin": origin}
    return NewEvent("node_complete", _node_complete(node, output, 0), node_id=node.id, detail=detail)


def task_submitted(
    node: NodeState,
    output: Json,
    duration_ms: int,
    *,
    operator: str,
    note: str | None,
    detail: d.ClaimedDetail | None,
) -> NewEvent:
    """A person's output."""
    data = _node_complete(node, output, duration_ms)
    data["operator"] = operator
    data["note"] = note
    return NewEvent("node_complete", data, node_id=node.id, message=f"done by {operator}", detail=detail)


def _node_complete(node: NodeState, output: Json, duration_ms: int) -> d.NodeCompleteData:
    data: d.NodeCompleteData = {
        "capabilityId": node.capability_id,
        "attempt": node.attempt,
        "output": output,
        "durationMs": duration_ms,
    }
    if node.capability_version is not None:
        data["capabilityVersion"] = node.capability_version
    if node.used_version is not None:
        data["usedVersion"] = node.used_version
    return data


def node_error(
    node: NodeState,
    error: d.ErrorData,
    *,
    next_attempt_at: datetime | None,
    detail: d.NodeErrorDetail | d.LossDetail | None,
    usage: JsonObject | None = None,
) -> NewEvent:
    """An attempt failed; it is tried again at `next_attempt_at`, or not at all."""
    data: d.NodeErrorData = {
        "capabilityId": node.capability_id,
        "attempt": node.attempt,
        "error": error,
        "willRetry": next_attempt_at is not None,
        "nextAttemptAt": rfc3339(next_attempt_at) if next_attempt_at is not None else None,
    }
    if usage is not None:
        data["usage"] = usage
    return NewEvent("node_error", data, node_id=node.id, message=error["message"], detail=detail)


def validation_error(
    scope: ValidationScope,
    attempt: int,
    errors: Sequence[JsonObject],
    *,
    node_id: str | None = None,
    detail: d.ValidationErrorDetail | None = None,
) -> NewEvent:
    """An output broke its contract: a node's, or the composed one."""
    data: d.ValidationErrorData = {"scope": scope, "attempt": attempt, "errors": list(errors)}
    return NewEvent("validation_error", data, node_id=node_id, detail=detail)


def hitl_request(data: d.HitlRequestData, detail: d.HitlRequestDetail, *, node_id: str | None) -> NewEvent:
    return NewEvent("hitl_request", data, node_id=node_id, message=data["question"], detail=detail)


def hitl_expiring(request: RequestState, *, ends: datetime, action: ExpiryAction) -> NewEvent:
    data: d.HitlExpiringData = {
        "requestId": request.id,
        "question": request.payload["question"],
        "urgency": request.payload.get("urgency", "normal"),
        "expiresAt": rfc3339(ends),
        "onExpiry": action,
    }
    message = f"nobody has decided yet; at {rfc3339(ends)} the answer is: {action}"
    return NewEvent("hitl_expiring", data, node_id=request.node_id, message=message)


def hitl_resolved(
    request: RequestState,
    decision: Decision,
    *,
    operator: str,
    note: str | None,
    output_hash: str | None = None,
    message: str | None = None,
    detail: d.HitlResolvedDetail | None = None,
) -> NewEvent:
    """A decision; `output_hash` names the output that it approves."""
    data: d.HitlResolvedData = {
        "requestId": request.id,
        "decision": decision,
        "operator": operator,
        "note": note,
    }
    if output_hash is not None:
        data["outputHash"] = output_hash
    return NewEvent("hitl_resolved", data, node_id=request.node_id, message=message, detail=detail)


def run_paused(*, operator: str, reason: str | None, detail: d.ClaimedDetail | None) -> NewEvent:
    data: d.ControlData = {"reason": reason, "operator": operator}
    return NewEvent("run_paused", data, detail=detail)


def run_resumed(*, operator: str, reason: str | None, detail: d.ClaimedDetail | None) -> NewEvent:
    data: d.ControlData = {"reason": reason, "operator": operator}
    return NewEvent("run_resumed", data, detail=detail)


def priority_changed(
    priority: Priority, *, operator: str, reason: str | None, detail: d.ClaimedDetail | None
) -> NewEvent:
    data: d.PriorityData = {"reason": reason, "operator": operator, "priority": priority}
    return NewEvent("priority_changed", data, message=f"{operator} made it {priority}", detail=detail)


def policy_triggered(
    policy_id: str,
    *,
    trigger: Json,
    action: Json,
    cause: JsonObject,
    node_id: str | None,
    message: str,
    detail: d.PolicyTriggeredDetail | None = None,
) -> NewEvent:
    data: d.PolicyTriggeredData = {
        "policyId": policy_id,
        "trigger": trigger,
        "action": action,
        "cause": cause,
    }
    return NewEvent("policy_triggered", data, node_id=node_id, message=message, detail=detail)


def emitted(event: str, payload: JsonObject | None, *, node_id: str | None, message: str) -> NewEvent:
    """A line in the log that carries what a runtime policy emits."""
    data: d.LogData = {"level": "info", "message": message, "event": event}
    if payload is not None:
        data["payload"] = payload
    return NewEvent("log", data, node_id=node_id, message=message)


def reuse(message: str, taken: d.ReuseData) -> NewEvent:
    """What a fork took over."""
    data: d.LogData = {
        "level": "info",
        "message": message,
        "event": "fork_reuse",
        "payload": {"reused": taken["reused"], "notReused": taken["notReused"]},
    }
    detail: d.LogDetail = {"reuse": taken}
    return NewEvent("log", data, message=message, detail=detail)


def log(
    message: str, *, level: LogLevel = "info", node_id: str | None = None, detail: JsonObject | None = None
) -> NewEvent:
    """A line for people."""
    data: d.LogData = {"level": level, "message": message}
    return NewEvent("log", data, node_id=node_id, message=message, detail=detail)


def vote(request: RequestState, text: str, detail: d.LogDetail) -> NewEvent:
    """A vote, a proposal or a withdrawal: a line in the log whose detail folding reads."""
    data: d.LogData = {"level": "info", "message": text}
    return NewEvent("log", data, node_id=request.node_id, message=text, detail=detail)


def run_completed(output: Json, results: Sequence[JsonObject] = ()) -> NewEvent:
    """The end of a run with its output, and how it stands to the goal conditions."""
    data: d.CompleteData = {"status": "completed", "output": output}
    if results:
        data["goal_condition_results"] = list(results)
    return NewEvent("complete", data)


def run_ended(
    status: FinalStatus,
    error: d.ErrorData,
    *,
    detail: d.ClaimedDetail | None = None,
    results: Sequence[JsonObject] = (),
) -> NewEvent:
    """The end of a run without an output; `results` are those of its goal conditions, where they are why."""
    data: d.CompleteData = {"status": status, "error": error}
    if results:
        data["goal_condition_results"] = list(results)
    return NewEvent("complete", data, message=error["message"], detail=detail)
