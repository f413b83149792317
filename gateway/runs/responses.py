"""What the doors answer with, as models: for OpenAPI and for tests. The handlers themselves move plain dictionaries."""

from __future__ import annotations

from typing import Any, Literal

from gateway.people.responses import ForkSummary
from schemas.base import NodeId, OpenModel, RunId, Timestamp
from schemas.capability import CapabilityDescriptor
from schemas.events import FlexEvent
from schemas.hitl import HitlRequest
from schemas.payloads import ContractError, ErrorInfo
from schemas.plan import CapabilityId, Label
from schemas.vocabulary import ExecutorType, NodeKind, NodeStatus, RunStatus


class RunAccepted(OpenModel):
    """A run that is in the log, and where to read it."""

    run_id: RunId
    status: RunStatus
    thread_id: str | None = None
    events_url: str


class RunControlled(OpenModel):
    """A run after an operator's command."""

    run_id: RunId
    status: RunStatus
    last_event_id: str


class RunSummary(OpenModel):
    """A run in a list."""

    run_id: RunId
    status: RunStatus
    objective: str
    thread_id: str | None = None
    run_label: str | None = None
    client_id: str | None = None
    submitted_by: str | None = None
    correlation_id: str | None = None
    plan_version: int | None = None
    last_event_id: str
    error: ErrorInfo | None = None
    created_at: Timestamp
    updated_at: Timestamp
    completed_at: Timestamp | None = None


class RunList(OpenModel):
    """Newest first; `next_cursor` is there while there are more."""

    runs: list[RunSummary]
    next_cursor: str | None = None


class NodeDetail(OpenModel):
    """A node of the plan and how far it is."""

    id: NodeId
    capability_id: CapabilityId
    kind: NodeKind
    label: Label
    depends_on: list[NodeId]
    executor_type: ExecutorType
    status: NodeStatus
    attempt: int
    output: Any = None
    error: ErrorInfo | None = None
    validation_errors: list[ContractError] | None = None
    task_id: str | None = None
    next_attempt_at: Timestamp | None = None
    started_at: Timestamp | None = None
    finished_at: Timestamp | None = None


class Wait(OpenModel):
    """A server that the gateway has not reached since then; runs go on, slower or when it is back."""

    kind: Literal["broker", "database"]
    since: Timestamp


class RunDetail(RunSummary):
    """A run with everything that it is made of."""

    envelope: dict[str, Any]
    schema_hash: str | None = None
    deadline_at: Timestamp | None = None
    nodes: list[NodeDetail]
    pending_requests: list[HitlRequest]
    waiting_for: list[Wait] | None = None
    output: Any = None
    origin: dict[str, Any] | None = None
    forks: list[ForkSummary]


class EventPage(OpenModel):
    """A part of a run's log. `complete` says that nothing follows; otherwise ask again with `?after=nextAfter`."""

    events: list[FlexEvent]
    next_after: int
    complete: bool


class CapabilityList(OpenModel):
    """What the workers of this system can do."""

    capabilities: list[CapabilityDescriptor]


class Health(OpenModel):
    """The process answers."""

    status: Literal["ok"]


class Readiness(OpenModel):
    """Requests may be sent here. `degraded`: no process plays the `missingRoles`; runs are accepted and wait."""

    status: Literal["ready", "degraded"]
    database: Literal["ok"]
    broker: Literal["ok", "none"]
    missingRoles: list[Literal["planner", "executor"]]  # noqa: N815 - the wire's name
    version: str


MODELS: tuple[type[OpenModel], ...] = (
    RunAccepted,
    RunControlled,
    RunList,
    RunDetail,
    EventPage,
    CapabilityList,
    Health,
    Readiness,
)
