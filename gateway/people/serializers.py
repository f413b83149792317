"""Requests, tasks and what came of a decision, as the doors show them."""

from __future__ import annotations

from collections.abc import Iterable

from eventstore.people import ForkRow, TaskRow
from eventstore.queries import RequestRow
from gateway.people.screens import screen_task
from gateway.runs.serializers import serialize_request
from runs.accepted_responses import accepted_responses, response_schema
from runs.event import Json, JsonObject, rfc3339
from runs.state import RequestState, RunState
from runs.transitions import AWAITING_HUMAN

_RULES = ("approvers", "quorum", "onExpiry", "escalateTo", "onReject", "forbidSubmitter")


def serialize_question(row: RequestRow, contract: Json = None) -> JsonObject:
    """A request with what somebody needs to decide: the run's objective, the rules, the proposal and its votes.

    `contract` is what an edited output must keep; a list leaves it out of its schemas of responses.
    """
    answers = accepted_responses(row.subject, row.payload, proposed=row.proposal is not None)
    return {
        **serialize_request(row),
        "responseSchema": response_schema(answers, contract),
        "subject": row.subject,
        "objective": row.objective,
        "runStatus": row.run_status,
        "rules": {name: row.rules[name] for name in _RULES if name in row.rules},
        "votes": [_vote(vote) for vote in row.votes],
        "proposalId": row.proposal["id"] if row.proposal is not None else "0",
        "proposal": _proposal(row.proposal),
    }


def serialize_outcome(state: RunState, request_ids: Iterable[str]) -> JsonObject:
    """The run after a decision, and what became of the requests that it was about."""
    pending = [request.id for request in state.open_requests] if not state.finished else []
    return {
        "ok": True,
        "runId": state.run_id,
        "threadId": state.thread_id,
        "status": state.status,
        "planVersion": state.plan_version,
        "lastEventId": str(state.seq),
        "pendingRequestId": pending[0] if pending else None,
        "pendingRequestIds": pending,
        "requests": [_became(state, state.requests[request_id]) for request_id in request_ids],
    }


def _became(state: RunState, request: RequestState) -> JsonObject:
    if request.open:
        waits = "pending" if not state.finished else "cancelled"
        became: JsonObject = {"requestId": request.id, "status": waits}
    else:
        became = {"requestId": request.id, "status": "resolved", "decision": request.decision}
        became |= {"operator": request.operator, "note": request.note}
    if request.votes or request.proposal is not None:
        became |= {"votes": [_vote(vote) for vote in request.votes], "quorum": request.rules.get("quorum", 1)}
    return became


def _proposal(proposal: JsonObject | None) -> JsonObject | None:
    """Without the edited output, which is the request's `pendingOutput` while it is proposed."""
    if proposal is None:
        return None
    return {key: value for key, value in proposal.items() if key not in ("output", "outputHash")}


def _vote(vote: JsonObject) -> JsonObject:
    return {"operator": vote["operator"], "note": vote.get("note")}


def task_id(run_id: str, plan_version: int | None, attempt: int, node_id: str) -> str:
    """Names one attempt of a node under one plan, so that a form that is sent late is not taken for another attempt."""
    return f"{run_id}.{plan_version}-{attempt}.{node_id}"


def name_tasks(run: JsonObject) -> None:
    """Give those nodes of a run as it is shown their task id that wait for a person's work."""
    for node in run["nodes"]:
        if node["status"] == AWAITING_HUMAN:
            node["taskId"] = task_id(run["runId"], run.get("planVersion"), node["attempt"], node["id"])


def serialize_task(row: TaskRow) -> JsonObject:
    """A task in a list; its `bundle` is what the plan says of the node, without the outputs of other nodes."""
    contract: JsonObject = row.context.get("contract") or {}
    name = task_id(row.run_id, row.plan_version, row.attempt, row.node_id)
    return {
        "taskId": name,
        "runId": row.run_id,
        "nodeId": row.node_id,
        "capabilityId": row.capability_id,
        "label": row.label,
        "attempt": row.attempt,
        "instructions": contract.get("expectations") or [],
        "outputSchema": contract.get("output"),
        "bundle": row.context.get("bundle") or {},
        "createdAt": rfc3339(row.started_at),
        "expiresAt": rfc3339(row.expires_at) if row.expires_at is not None else None,
        "threadId": row.thread_id,
        "objective": row.objective,
        "runStatus": row.run_status,
        **screen_task(row, name),
    }


def serialize_fork(row: ForkRow) -> JsonObject:
    """A run that was forked from the one at hand."""
    return {
        "runId": row.run_id,
        "kind": row.origin.get("kind"),
        "fromNodeId": row.origin.get("fromNodeId"),
        "operator": row.origin.get("operator"),
        "reason": row.origin.get("reason"),
        "status": row.status,
        "createdAt": rfc3339(row.created_at),
    }
