"""Rows of the read models as the doors show them; keys that do not apply are left out."""

from __future__ import annotations

from datetime import datetime

from eventstore.queries import NodeRow, RequestRow, RunDetailRow, RunRow
from runs.event import Json, JsonObject, rfc3339
from schemas.canonical import content_hash

_REQUEST_STATUS = {"open": "pending", "resolved": "resolved", "cancelled": "resolved"}


def serialize_run(run: RunRow) -> JsonObject:
    """A run as a list shows it."""
    return _without_nothing(
        {
            "runId": run.run_id,
            "status": run.status,
            "objective": run.objective,
            "threadId": run.thread_id,
            "runLabel": run.run_label,
            "clientId": run.client_id,
            "submittedBy": run.submitted_by,
            "correlationId": run.correlation_id,
            "planVersion": run.plan_version,
            "lastEventId": str(run.head_seq),
            "error": run.error,
            "createdAt": rfc3339(run.created_at),
            "updatedAt": rfc3339(run.updated_at),
            "completedAt": _time(run.completed_at),
        }
    )


def serialize_run_detail(detail: RunDetailRow) -> JsonObject:
    """A run with all that belongs to it. `output` is there for every run that completed, null included."""
    shown = serialize_run(detail.run)
    shown |= _without_nothing(
        {
            "schemaHash": detail.run.schema_hash,
            "deadlineAt": _time(detail.run.deadline_at),
            "origin": detail.origin,
        }
    )
    shown["envelope"] = detail.envelope
    shown["nodes"] = [_shown_node(node) for node in detail.nodes]
    shown["pendingRequests"] = [
        serialize_request(request) for request in detail.requests if request.status == "open"
    ]
    if detail.run.status == "completed":
        shown["output"] = detail.output
    return shown


def serialize_request(request: RequestRow) -> JsonObject:
    """A question to people, with its run and, once there is one, with the decision.

    `pendingOutput` is what an approval says yes to: an edit, where one is proposed.
    """
    shown = request.payload | {"expiresAt": _time(request.expires_at)}
    if request.proposal is not None and "output" in request.proposal:
        shown["pendingOutput"] = request.proposal["output"]
        shown["outputHash"] = request.proposal.get("outputHash") or content_hash(shown["pendingOutput"])
    return shown | _without_nothing(
        {
            "requestId": request.request_id,
            "runId": request.run_id,
            "threadId": request.thread_id,
            "nodeId": request.node_id,
            "planVersion": request.plan_version,
            "status": _REQUEST_STATUS[request.status],
            "createdAt": rfc3339(request.created_at),
            "resolvedAt": _time(request.resolved_at),
            "decision": request.decision,
            "operator": request.operator,
            "note": request.note,
        }
    )


def _shown_node(node: NodeRow) -> JsonObject:
    shown = _without_nothing(
        {
            "id": node.node_id,
            "capabilityId": node.capability_id,
            "kind": node.kind,
            "label": node.label,
            "dependsOn": node.depends_on,
            "executorType": node.executor_type,
            "status": node.status,
            "attempt": node.attempt,
            "error": node.error,
            "validationErrors": node.validation_errors or None,
            "nextAttemptAt": _time(node.due_at),
            "startedAt": _time(node.started_at),
            "finishedAt": _time(node.finished_at),
        }
    )
    if node.status == "completed":
        shown["output"] = node.output
    return shown


def _time(moment: datetime | None) -> str | None:
    return rfc3339(moment) if moment is not None else None


def _without_nothing(values: dict[str, Json]) -> JsonObject:
    return {key: value for key, value in values.items() if value is not None}
