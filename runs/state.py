"""What a run is at one moment: the fold of its events. Plain values, never changed in place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime

from runs.event import Json, JsonObject
from runs.policies import NO_POLICIES, RunPolicies, read_names
from runs.transitions import PENDING, TERMINAL
from runs.values import value


@value
class NodeState:
    """A node of the plan and how far it is.

    `attempt` is the number of the last start; `failures` counts the attempts that used up the contract's
    `maxAttempts`, `losses` those whose worker vanished (they have a limit of their own).
    """

    id: str
    capability_id: str
    kind: str
    label: str
    depends_on: tuple[str, ...]
    contract: JsonObject
    bundle: JsonObject
    queue: str
    executor_type: str = "ai"
    status: str = PENDING
    attempt: int = 0
    failures: int = 0
    losses: int = 0
    due_at: datetime | None = None
    output: Json = None
    error: JsonObject | None = None
    validation_errors: tuple[JsonObject, ...] = ()
    answers: tuple[JsonObject, ...] = ()
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def assignees(self) -> list[str]:
        """Who may do this node, where a person does it; [] for anybody."""
        return read_names(self.bundle.get("assignees"))


@value
class RequestState:
    """A question to people, and what came of it.

    `subject` says what the answer is applied to: `output` (the composed output), `node` (a node whose attempts are used
    up), `clarify` (a capability's question) or `policy`. `rules` is the `policies.hitl` that was in force, in wire form
    and as its model reads it, so that each value is what the model says.
    """

    id: str
    kind: str
    subject: str
    node_id: str | None
    payload: JsonObject
    rules: JsonObject
    created_at: datetime
    expires_at: datetime | None = None
    votes: tuple[JsonObject, ...] = ()
    decision: str | None = None
    operator: str | None = None
    note: str | None = None
    resolved_at: datetime | None = None

    @property
    def open(self) -> bool:
        return self.decision is None


@value
class RunState:
    """A run at version `seq`; `seq` 0 is a run that does not exist yet."""

    run_id: str
    seq: int = 0
    status: str = PENDING
    thread_id: str | None = None
    correlation_id: str | None = None
    envelope: JsonObject = field(default_factory=dict[str, Json])
    policies: RunPolicies = NO_POLICIES
    schema_hash: str | None = None
    submitted_by: str | None = None
    origin: JsonObject | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    deadline_at: datetime | None = None
    plan_attempt: int = 0
    plan_in_progress: bool = False
    plan_losses: int = 0
    plan_due_at: datetime | None = None
    plan_version: int | None = None
    plan_metadata: JsonObject = field(default_factory=dict[str, Json])
    replan_reason: str | None = None
    nodes: Mapping[str, NodeState] = field(default_factory=dict[str, NodeState])
    requests: Mapping[str, RequestState] = field(default_factory=dict[str, RequestState])
    final_attempt: int = 0
    output: Json = None
    error: JsonObject | None = None
    completed_at: datetime | None = None

    @property
    def exists(self) -> bool:
        return self.seq > 0

    @property
    def finished(self) -> bool:
        return self.status in TERMINAL

    @property
    def open_requests(self) -> list[RequestState]:
        return [request for request in self.requests.values() if request.open]


def new_run(run_id: str) -> RunState:
    """The state before the first event."""
    return RunState(run_id=run_id)
