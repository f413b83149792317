"""The state of a run after one of its events, as endpoints show it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from eventstore.chain import ChainBreak
from eventstore.rebuild import Difference
from eventstore.run_check import RunCheck
from gateway.response import Response, document, present
from runs.event import Event, JsonObject, rfc3339
from runs.state import NodeState, RequestState, RunState
from schemas.base import NodeId, RunId, Timestamp
from schemas.payload_marks import PAYLOAD, PAYLOAD_AFTER_COLON
from schemas.payloads import ContractError, ErrorInfo
from schemas.plan import CapabilityId, CapabilityVersion
from schemas.usage import RunUsage
from schemas.vocabulary import (
    Decision,
    EventType,
    NodeStatus,
    Priority,
    RequestKind,
    RequestSubject,
    RunStatus,
)


class ReplayedEvent(Response):
    """The event that led to the state."""

    type: EventType
    timestamp: Timestamp
    node_id: NodeId | None = None
    message: str | None = None


class ReplayedNode(Response):
    """A node of the plan that was in force, as it was."""

    id: NodeId
    capability_id: CapabilityId
    capability_version: CapabilityVersion | None = None
    label: str
    depends_on: list[NodeId]
    status: NodeStatus
    attempt: int
    failures: int
    losses: int
    output: Any = None
    error: ErrorInfo | None = None
    validation_errors: list[ContractError] | None = None
    started_at: Timestamp | None = None
    finished_at: Timestamp | None = None
    due_at: Timestamp | None = None
    expires_at: Timestamp | None = None

    @classmethod
    def of(cls, node: NodeState) -> JsonObject:
        """A node of a folded state. One that had completed has its output, null included."""
        return document(
            cls,
            node,
            leave_out=("output", "validation_errors"),
            depends_on=list(node.depends_on),
            **({"output": node.output} if node.status == "completed" else {}),
            **present(validation_errors=list(node.validation_errors) or None),
        )


class ReplayedRequest(Response):
    """A request to people as it was; one without a decision was open."""

    id: str
    kind: RequestKind
    subject: RequestSubject
    node_id: NodeId | None = None
    question: Annotated[str | None, PAYLOAD] = None
    votes: int
    decision: Decision | None = None
    operator: str | None = None
    created_at: Timestamp
    expires_at: Timestamp | None = None
    resolved_at: Timestamp | None = None

    @classmethod
    def of(cls, request: RequestState) -> JsonObject:
        """A request of a folded state; what it asked is kept only as long as it is open."""
        return document(
            cls,
            request,
            votes=len(request.votes),
            **present(question=request.payload.get("question")),
        )


class StateAt(Response):
    """A run after event `seq`, of `last_seq` events that it has by now."""

    run_id: RunId
    seq: int
    last_seq: int
    event: ReplayedEvent
    status: RunStatus
    priority: Priority
    plan_version: int | None = None
    plan_attempt: int
    nodes: list[ReplayedNode]
    requests: list[ReplayedRequest]
    usage: RunUsage | None = None
    output: Any = None
    error: ErrorInfo | None = None
    created_at: Timestamp
    paused_at: Timestamp | None = None
    completed_at: Timestamp | None = None

    @classmethod
    def of(cls, state: RunState, event: Event, last_seq: int) -> JsonObject:
        """A folded state and the event that led to it."""
        return document(
            cls,
            state,
            leave_out=("output", "usage", "nodes", "requests"),
            last_seq=last_seq,
            event=document(ReplayedEvent, event, timestamp=rfc3339(event.recorded_at)),
            nodes=[ReplayedNode.of(node) for node in state.nodes.values()],
            requests=[ReplayedRequest.of(request) for request in state.requests.values()],
            **({"output": state.output} if state.status == "completed" else {}),
            **present(usage=state.usage.to_wire()),
        )


class Finding(Response):
    """A place where a run is not as it was written: event `seq` of the log, or the row `key` of a `table`."""

    kind: Literal["chain", "fold", "rows"]
    message: Annotated[str, PAYLOAD_AFTER_COLON]
    seq: int | None = None
    cause: str | None = None
    table: str | None = None
    key: str | None = None


class RunVerification(Response):
    """Whether the log of a run folds, its hash chain holds, and its rows are those that the log makes.

    `hashed` of its `events` have a hash: those that versions without hashes wrote have none.
    """

    run_id: RunId
    holds: bool
    events: int
    hashed: int
    findings: list[Finding]

    @classmethod
    def of(cls, run_id: str, check: RunCheck) -> JsonObject:
        """A check, the first place in the log first."""
        found: list[JsonObject] = []
        if check.broken is not None:
            found.append(_broken(check.broken))
        if check.unfoldable is not None:
            seq, why = check.unfoldable
            found.append(document(Finding, None, kind="fold", message=f"event {seq}: {why}", seq=seq))
        found += [_differs(each) for each in check.differences]
        return document(cls, check, run_id=run_id, findings=found)


def _broken(broken: ChainBreak) -> JsonObject:
    return document(Finding, broken, kind="chain", message=str(broken))


def _differs(difference: Difference) -> JsonObject:
    return document(Finding, difference, kind="rows", message=str(difference))
