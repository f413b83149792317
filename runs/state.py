"""What a run is at one moment: the fold of its events. Plain values, never changed in place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta

from runs.event import Json, JsonObject
from runs.event_data import (
    AnswerData,
    ErrorData,
    LossData,
    PlanApproval,
    ProposalData,
    RejectedPlan,
    ReusableData,
    ReuseData,
    VoteData,
)
from runs.stored_policies import NO_HOUSE, NO_POLICIES, RunPolicies, read_names
from runs.transitions import PENDING, TERMINAL
from runs.usage import NOTHING_USED, UsedTogether
from runs.values import value
from schemas.house_policy import HousePolicy
from schemas.tenant import DEFAULT_TENANT
from schemas.vocabulary import (
    Decision,
    ExecutorType,
    NodeKind,
    NodeStatus,
    Priority,
    ReplanCause,
    RequestKind,
    RequestSubject,
    RunStatus,
)

ANNOUNCED_SHARE = 0.2
MAX_ANNOUNCED_SECONDS = 3600.0
"""How long before its end a request is announced to expire: this share of its time, and this long at most."""


@value
class NodeState:
    """A node of the plan and how far it is.

    `attempt` is the number of the last start; `failures` counts the attempts that used up the contract's
    `maxAttempts`, `losses` those whose worker vanished (they have a limit of their own). `expires_at` is the end of a
    person's time for the node. `approved` names the runtime policies whose question about this output was approved.
    `lost` are the workers that died or hung over this node since one of its attempts last ended by itself:
    [{attempt, worker, how, at}]. `front` says that the last attempt was lost: the next one goes before later work.
    `capability_version` is the version that the plan was made for, `used_version` one that works at the last attempt
    in its place; `idempotent` says whether an attempt whose outcome
    is not known may run again.
    """

    id: str
    capability_id: str
    kind: NodeKind
    label: str
    depends_on: tuple[str, ...]
    contract: JsonObject
    bundle: JsonObject
    queue: str
    executor_type: ExecutorType = "ai"
    capability_version: str | None = None
    used_version: str | None = None
    idempotent: bool = True
    status: NodeStatus = PENDING
    attempt: int = 0
    failures: int = 0
    losses: int = 0
    lost: tuple[LossData, ...] = ()
    front: bool = False
    due_at: datetime | None = None
    output: Json = None
    error: ErrorData | None = None
    validation_errors: tuple[JsonObject, ...] = ()
    answers: tuple[AnswerData, ...] = ()
    started_at: datetime | None = None
    finished_at: datetime | None = None
    expires_at: datetime | None = None
    approved: tuple[str, ...] = ()

    @property
    def assignees(self) -> list[str]:
        """Names and roles that may do this human node; [] where any caller may."""
        return read_names(self.bundle.get("assignees"))


@value
class RequestState:
    """A request to people and its decision.

    `subject` says what the answer is applied to: `output` (the composed output), `node` (a node whose attempts are used
    up), `clarify` (a capability's question), `policy`, or `plan` (one of which nothing has started). `rules` is the
    `policies.hitl` that was in force, in wire form and as its model reads it: each value is what the model says.
    `votes` are for `proposal`: the edit or answer that was proposed last, or None for what was asked at first.
    `announced` says that the end of its time was announced (`hitl_expiring`).
    `changes` counts the votes, proposals and withdrawals so far. A request that is resolved has no `payload` any more.
    """

    id: str
    kind: RequestKind
    subject: RequestSubject
    node_id: str | None
    payload: JsonObject
    rules: JsonObject
    created_at: datetime
    expires_at: datetime | None = None
    votes: tuple[VoteData, ...] = ()
    proposal: ProposalData | None = None
    changes: int = 0
    announced: bool = False
    decision: Decision | None = None
    operator: str | None = None
    note: str | None = None
    resolved_at: datetime | None = None

    @property
    def open(self) -> bool:
        return self.decision is None

    @property
    def announced_at(self) -> datetime | None:
        """When the end of its time is to be announced: a fifth of its time before it, an hour at most."""
        if self.expires_at is None:
            return None
        seconds = self.rules.get("expiresInSeconds") or (self.expires_at - self.created_at).total_seconds()
        return self.expires_at - timedelta(seconds=min(seconds * ANNOUNCED_SHARE, MAX_ANNOUNCED_SECONDS))

    @property
    def proposal_id(self) -> str:
        """Names what a vote is for: the seq of the event that proposed it, or `0` for what was asked at first."""
        return self.proposal["id"] if self.proposal is not None else "0"


@value
class ReplanState:
    """What was asked of the plan that is to be made, see `runs.event_data.ReplanDetail`; `redo` None: all nodes.

    `after_attempt` is the planning attempt before it was asked for.
    """

    cause: ReplanCause
    after_attempt: int
    redo: tuple[str, ...] | None = None
    absent: tuple[str, ...] = ()


@value
class RunState:
    """A run at version `seq`; `seq` 0 is a run that does not exist yet. `head_hash` is the hash of its last event.
    `sealed`: the log has its events in sealed form, see `eventstore.sealing`. `protected`: and its rows no payload.

    `authors` are those who may not decide under `forbidSubmitter`: who submitted, forked or retried the run (and those
    it was made from), and who wrote the output of a node. `editors` proposed an edit; they are authors of its forks.
    `reusable` is what a fork that has no plan yet may reuse, `reuse` what a fork took over.
    `plan_approval` says who has approved the plan in force, `rejected_plans` which plans people have rejected.
    `requests` has all requests, `open_ids` the ids of the open ones. `paused_at` is the beginning of a pause.
    `dependents` is the plan's graph read the other way round (see `runs.graph.dependents_of`). `usage` is what all
    attempts reported, also those of plans that were replaced.
    `replan_reason` are the words that a new plan is asked for with, `replan` is what else is known of that; both are
    None as long as the plan is in force. `past_attempts` are the numbers of attempts of nodes that the plan has no
    more, and `not_again` the capabilities that the run does not use again.
    `firings` counts how often each runtime policy was fired, `marks` names what a policy reacts to once only and has
    (see `runs.rules.policy_timers`). `priority` is what a policy made of it, `paused_seconds` the length of all pauses
    that are over.
    `trace` is the span that it was started in (see `runs.trace`), `tenant` to whom it belongs.
    """

    run_id: str
    seq: int = 0
    head_hash: str | None = field(default=None, compare=False)
    sealed: bool = field(default=False, compare=False)
    protected: bool = field(default=False, compare=False)
    status: RunStatus = PENDING
    thread_id: str | None = None
    correlation_id: str | None = None
    envelope: JsonObject = field(default_factory=dict[str, Json])
    policies: RunPolicies = NO_POLICIES
    house: HousePolicy = NO_HOUSE
    schema_hash: str | None = None
    submitted_by: str | None = None
    authors: tuple[str, ...] = ()
    editors: tuple[str, ...] = ()
    origin: JsonObject | None = None
    trace: JsonObject | None = None
    tenant: str = DEFAULT_TENANT
    created_at: datetime | None = None
    updated_at: datetime | None = None
    deadline_at: datetime | None = None
    plan_attempt: int = 0
    plan_in_progress: bool = False
    plan_losses: int = 0
    plan_lost: tuple[LossData, ...] = ()
    plan_due_at: datetime | None = None
    plan_version: int | None = None
    plan_metadata: JsonObject = field(default_factory=dict[str, Json])
    replan_reason: str | None = None
    reusable: ReusableData | None = None
    reuse: ReuseData | None = None
    plan_approval: PlanApproval | None = None
    rejected_plans: tuple[RejectedPlan, ...] = ()
    replan: ReplanState | None = None
    past_attempts: Mapping[str, int] = field(default_factory=dict[str, int])
    not_again: tuple[str, ...] = ()
    nodes: Mapping[str, NodeState] = field(default_factory=dict[str, NodeState])
    dependents: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    requests: Mapping[str, RequestState] = field(default_factory=dict[str, RequestState])
    open_ids: tuple[str, ...] = ()
    paused_at: datetime | None = None
    final_attempt: int = 0
    usage: UsedTogether = NOTHING_USED
    firings: Mapping[str, int] = field(default_factory=dict[str, int])
    marks: tuple[str, ...] = ()
    priority: Priority = "normal"
    paused_seconds: float = 0.0
    output: Json = None
    error: ErrorData | None = None
    completed_at: datetime | None = None

    @property
    def exists(self) -> bool:
        return self.seq > 0

    @property
    def finished(self) -> bool:
        return self.status in TERMINAL

    @property
    def open_requests(self) -> list[RequestState]:
        return [self.requests[request_id] for request_id in self.open_ids]


def attempts_of(state: RunState) -> int:
    """How many attempts of nodes the run has begun, those of earlier plans included."""
    return sum(node.attempt for node in state.nodes.values()) + sum(state.past_attempts.values())


def new_run(run_id: str) -> RunState:
    """The state before the first event."""
    return RunState(run_id=run_id)
