"""What the doors for people answer with, as models: for OpenAPI and for tests."""

from __future__ import annotations

from typing import Any, Literal

from schemas.base import NodeId, OpenModel, RunId, Timestamp
from schemas.control import HumanTask
from schemas.hitl import HitlRequest
from schemas.payloads import ScreenQuestion
from schemas.vocabulary import Decision, OriginAgent, RequestSubject, RunStatus


class Vote(OpenModel):
    """One approval under a quorum."""

    operator: str
    note: str | None = None


class Proposal(OpenModel):
    """An edit or an answer that waits for its quorum. An edit's output is the request's `pendingOutput`."""

    id: str
    response_type: Literal["edit", "option", "freeform"]
    operator: str
    note: str | None = None
    option_id: str | None = None
    text: str | None = None


class PendingRequest(HitlRequest):
    """A request, with the objective of its run, its rules and the votes so far.

    The votes are for `proposal`; null is what was asked at first, whose `proposal_id` is `0`.
    """

    subject: RequestSubject
    objective: str
    run_status: RunStatus
    rules: dict[str, Any]
    votes: list[Vote]
    proposal_id: str
    proposal: Proposal | None


class ScreenPending(OpenModel):
    """A request in the shape of the operator screens."""

    id: str
    created_at: Timestamp
    payload: ScreenQuestion
    origin_agent: OriginAgent


class ScreenRun(OpenModel):
    """A run that waits, in the shape of the operator screens, with the first of its requests."""

    run_id: RunId
    thread_id: str | None
    brief_id: str | None
    pending_request_id: str
    status: RunStatus
    updated_at: Timestamp
    pending_request: ScreenPending


class PendingList(OpenModel):
    """Oldest first; `next_cursor` is there while there are more. `runs` are those of these requests."""

    ok: Literal[True]
    requests: list[PendingRequest]
    runs: list[ScreenRun]
    next_cursor: str | None = None


class RequestOutcome(OpenModel):
    """What became of a request: still `pending` where a quorum needs more votes."""

    request_id: str
    status: Literal["pending", "resolved", "cancelled"]
    decision: Decision | None = None
    operator: str | None = None
    note: str | None = None
    votes: list[Vote] | None = None
    quorum: int | None = None


class DecisionOutcome(OpenModel):
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


class LinkMade(OpenModel):
    """A link to send to a person. `for` is null where whoever opens it says their name."""

    link_id: str
    url: str
    run_id: RunId
    request_id: str
    for_: str | None
    expires_at: Timestamp


class LinkSummary(OpenModel):
    """A link without its address. `ended`: its person has no access any more, or it was made without tokens."""

    link_id: str
    run_id: RunId
    request_id: str
    for_: str | None
    status: Literal["active", "expired", "revoked", "ended"]
    made_by: str
    created_at: Timestamp
    expires_at: Timestamp
    revoked_at: Timestamp | None
    revoked_by: str | None


class LinkList(OpenModel):
    """Newest first; `nextCursor` is there while there are more."""

    links: list[LinkSummary]
    next_cursor: str | None = None


class TaskSummary(HumanTask):
    """A task in a list; its `bundle` is what the plan says of the node. `assignmentId` is the `taskId`."""

    assignment_id: str
    status: Literal["awaiting_submission"]
    contracts: dict[str, Any]
    thread_id: str | None = None
    objective: str
    run_status: RunStatus


class TaskList(OpenModel):
    """Longest waiting first; `next_cursor` is there while there are more. `count` is how many are on this page."""

    ok: Literal[True]
    count: int
    tasks: list[TaskSummary]
    next_cursor: str | None = None


class RunForked(OpenModel):
    """A run that was made from another one, which `origin` names."""

    run_id: RunId
    status: RunStatus
    thread_id: str | None
    origin: dict[str, Any]
    events_url: str


class ForkSummary(OpenModel):
    """A run that was made from the one at hand."""

    run_id: RunId
    kind: Literal["fork", "retry"]
    from_node_id: NodeId | None = None
    operator: str | None = None
    reason: str | None = None
    status: RunStatus
    created_at: Timestamp


MODELS: tuple[type[OpenModel], ...] = (
    PendingList,
    PendingRequest,
    DecisionOutcome,
    LinkMade,
    LinkList,
    LinkSummary,
    TaskList,
    TaskSummary,
    RunForked,
)
