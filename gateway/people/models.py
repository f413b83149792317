"""Requests and what became of them, as endpoints show them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from eventstore.queries.requests import RequestRow
from gateway.response import Response, document
from runs.accepted_responses import accepted_responses, response_schema
from runs.event import Json, JsonObject
from runs.event_data import VoteData
from runs.state import RequestState, RunState
from schemas.base import OpenModel, RunId
from schemas.canonical import content_hash
from schemas.hitl import HitlRequest
from schemas.payload_marks import PAYLOAD, SHOWN
from schemas.vocabulary import Decision, RequestSubject, RunStatus

_STATUS = {"open": "pending", "resolved": "resolved", "cancelled": "resolved"}
_RULES = ("approvers", "quorum", "onExpiry", "escalateTo", "onReject", "forbidSubmitter")


def pending_output(row: RequestRow) -> Json:
    """What an approval says yes to: an edit, where one is proposed."""
    if row.proposal is not None and "output" in row.proposal:
        return row.proposal["output"]
    return row.payload["pendingOutput"]


def output_hash(row: RequestRow) -> str | None:
    """The hash of that output, by which a response says what was read."""
    if row.proposal is not None and "output" in row.proposal:
        return row.proposal.get("outputHash") or content_hash(row.proposal["output"])
    return row.payload.get("outputHash")


def hitl_request(row: RequestRow) -> JsonObject:
    """A question to people, with its run and, once there is one, with the decision."""
    return _request(HitlRequest, row)


def _request(model: type[OpenModel], row: RequestRow, **fields: Any) -> JsonObject:
    """The question as it was stored, and the columns of its row in front of what the question says itself."""
    if row.proposal is not None and "output" in row.proposal:
        fields |= {"pending_output": row.proposal["output"], "output_hash": output_hash(row)}
    columns = document(
        model, row, leave_out=("kind",), status=_STATUS[row.status], expires_at=row.expires_at, **fields
    )
    return row.payload | columns


class Vote(Response):
    """One approval under a quorum."""

    operator: str
    note: Annotated[str | None, PAYLOAD] = None

    @classmethod
    def of(cls, vote: VoteData | JsonObject) -> JsonObject:
        """A vote as the log has it."""
        return {"operator": vote["operator"], "note": vote.get("note")}


class Proposal(Response):
    """An edit or an answer that waits for its quorum. An edit's output is the request's `pendingOutput`."""

    id: str
    response_type: Literal["edit", "option", "freeform"]
    operator: str
    note: Annotated[str | None, PAYLOAD] = None
    option_id: str | None = None
    text: Annotated[str | None, PAYLOAD] = None

    @classmethod
    def of(cls, proposal: JsonObject) -> JsonObject:
        """A proposal as the log has it, without its output."""
        return {key: value for key, value in proposal.items() if key not in ("output", "outputHash")}


class PendingRequest(HitlRequest):
    """A request, with the objective of its run, its rules and the votes so far.

    The votes are for `proposal`; null is what was asked at first, whose `proposal_id` is `0`.
    """

    subject: RequestSubject
    objective: Annotated[str, PAYLOAD]
    run_status: RunStatus
    rules: Annotated[dict[str, Any], SHOWN]
    votes: list[Vote]
    proposal_id: str
    proposal: Proposal | None

    @classmethod
    def of(cls, row: RequestRow, contract: Json = None) -> JsonObject:
        """A request as its row has it.

        `contract` is what an edited output must keep; a list leaves it out of its schemas of responses.
        """
        answers = accepted_responses(row.subject, row.payload, proposed=row.proposal is not None)
        return _request(
            cls,
            row,
            response_schema=response_schema(answers, contract),
            rules={name: row.rules[name] for name in _RULES if name in row.rules},
            votes=[Vote.of(vote) for vote in row.votes],
            proposal_id=row.proposal["id"] if row.proposal is not None else "0",
            proposal=Proposal.of(row.proposal) if row.proposal is not None else None,
        )


class RequestOutcome(Response):
    """What became of a request: still `pending` where a quorum needs more votes."""

    request_id: str
    status: Literal["pending", "resolved", "cancelled"]
    decision: Decision | None = None
    operator: str | None = None
    note: Annotated[str | None, PAYLOAD] = None
    votes: list[Vote] | None = None
    quorum: int | None = None

    @classmethod
    def of(cls, state: RunState, request: RequestState) -> JsonObject:
        """A request of the run as it is now."""
        fields: dict[str, Any] = {"status": "pending" if not state.finished else "cancelled"}
        if not request.open:
            fields = {"status": "resolved", "decision": request.decision}
            fields |= {"operator": request.operator, "note": request.note}
        if request.votes or request.proposal is not None:
            fields["votes"] = [Vote.of(vote) for vote in request.votes]
            fields["quorum"] = request.rules.get("quorum", 1)
        return document(cls, None, request_id=request.id, **fields)


class DecisionOutcome(Response):
    """The run after a decision; `pending_request_id` is the next question that waits, if there is one."""

    ok: Literal[True]
    run_id: RunId
    thread_id: str | None
    status: RunStatus
    plan_version: int | None
    last_event_id: str
    pending_request_id: str | None
    pending_request_ids: list[str]
    requests: list[RequestOutcome]

    @classmethod
    def of(cls, state: RunState, request_ids: Iterable[str]) -> JsonObject:
        """The run as it is now, and what became of these requests."""
        pending = [request.id for request in state.open_requests] if not state.finished else []
        return document(
            cls,
            state,
            ok=True,
            last_event_id=str(state.seq),
            pending_request_id=pending[0] if pending else None,
            pending_request_ids=pending,
            requests=[RequestOutcome.of(state, state.requests[request_id]) for request_id in request_ids],
        )
