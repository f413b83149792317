"""The payload of each type of event, as the frames carry it.

For documentation, tests and clients: the engine itself moves plain dictionaries. All are open models, so that
a client of today reads the frames of tomorrow.
"""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from schemas.base import NodeId, Note, OpenModel, Operator, Reference, RunId, Text, Timestamp, flaw, refused
from schemas.goals import GoalConditionResult
from schemas.hitl import HitlOption, HitlQuestion
from schemas.payload_marks import PAYLOAD
from schemas.plan import CapabilityId, CapabilityVersion, Diagnostic, Label
from schemas.planning import Planning
from schemas.usage import Usage
from schemas.vocabulary import (
    Decision,
    ExecutorType,
    ExpiryAction,
    FinalStatus,
    LogLevel,
    NodeKind,
    NodeStatus,
    OriginAgent,
    Priority,
    ReplanCause,
    RequestKind,
    Urgency,
    ValidationScope,
)

Attempt = Annotated[int, Field(ge=1)]


class Erased(OpenModel):
    """When the data of a run was erased, by whom and why; all null where the database has no key of it."""

    at: Timestamp | None
    by: str | None
    reason: str | None


class ErasedPayload(OpenModel):
    """What every event of an erased run has in place of its payload; `complete` has its `status` as well."""

    erased: Erased
    status: FinalStatus | None = None


class ErrorInfo(OpenModel):
    """Why something failed: a stable code and a sentence."""

    code: str
    message: Annotated[str, PAYLOAD]
    details: Any = None


class ContractError(OpenModel):
    """One disagreement between an output and its schema, in the shape that Ajv made common."""

    instance_path: Annotated[str, PAYLOAD]
    keyword: str
    message: Annotated[str, PAYLOAD]
    params: dict[str, Any]
    schema_path: Annotated[str, PAYLOAD]


class NodeSummary(OpenModel):
    """A node as a client draws it."""

    id: NodeId
    capability_id: CapabilityId
    kind: NodeKind
    label: Label
    depends_on: list[NodeId]
    status: NodeStatus = "pending"


class ScreenNode(OpenModel):
    """A node as operator screens draw it."""

    id: NodeId
    capability_id: CapabilityId
    label: Label
    kind: NodeKind
    status: NodeStatus


class ScreenPlan(OpenModel):
    """The plan in the shape of the operator screens."""

    run_id: RunId
    version: Annotated[int, Field(ge=1)]
    nodes: list[ScreenNode]
    metadata: dict[str, Any]


class EdgeSummary(OpenModel):
    """An edge as a client draws it: `to` waits for `from`."""

    from_: NodeId
    to: NodeId


class StartPayload(OpenModel):
    run_id: RunId
    thread_id: Reference | None = None
    objective: Annotated[str, PAYLOAD]
    schema_hash: str | None = None


class PlanRequestedPayload(OpenModel):
    attempt: Attempt
    planner: str
    capability_count: Annotated[int, Field(ge=0)]


class PlanRejectedPayload(OpenModel):
    attempt: Attempt
    diagnostics: list[Diagnostic]
    planning: Planning | None = None


class PlanGeneratedPayload(OpenModel):
    version: Annotated[int, Field(ge=1)]
    nodes: list[NodeSummary]
    edges: list[EdgeSummary]
    metadata: dict[str, Any] = Field(default_factory=dict[str, Any])
    plan: ScreenPlan | None = None
    planning: Planning | None = None


class KeptNode(OpenModel):
    """A node of the plan before that goes on in the new one, as far as it is."""

    id: NodeId
    status: NodeStatus
    why: str


class ChangedNode(OpenModel):
    """A node that only one of the two plans has, or that is made anew."""

    id: NodeId
    why: str


class PlanDifference(OpenModel):
    """What the new plan keeps, adds and drops. A node that is made anew is added and dropped."""

    kept: list[KeptNode]
    added: list[ChangedNode]
    dropped: list[ChangedNode]


class PlanUpdatedPayload(OpenModel):
    """A later plan. `trigger` are the words that it was asked for with."""

    previous_version: Annotated[int, Field(ge=1)]
    version: Annotated[int, Field(ge=2)]
    trigger: Any
    cause: ReplanCause | None = None
    difference: PlanDifference | None = None
    nodes: list[NodeSummary]
    edges: list[EdgeSummary]
    plan: ScreenPlan | None = None
    planning: Planning | None = None


class NodeStartPayload(OpenModel):
    """`capabilityVersion` is the version that the plan was made for; where that is not to be had, `usedVersion` is one
    with the same contract that works in its place."""

    capability_id: CapabilityId
    capability_version: CapabilityVersion | None = None
    used_version: CapabilityVersion | None = None
    label: Label
    attempt: Attempt
    executor_type: ExecutorType


class NodeCompletePayload(OpenModel):
    """A node's output. `operator` and `note` are those of a person who wrote it."""

    capability_id: CapabilityId
    capability_version: CapabilityVersion | None = None
    used_version: CapabilityVersion | None = None
    attempt: Annotated[int, Field(ge=0)]  # 0 where a fork takes the output over from its original
    output: Any
    duration_ms: Annotated[float, Field(ge=0)]
    usage: Usage | None = None
    operator: Operator | None = None
    note: Annotated[Note | None, PAYLOAD] = None


class NodeDeltaPayload(OpenModel):
    """Text that follows the first `offset` characters of the attempt's, or JSON Patch operations (RFC 6902)."""

    attempt: Attempt
    offset: Annotated[int, Field(ge=0)] | None = None
    text: str | None = None
    patch: list[dict[str, Any]] | None = None


class NodeErrorPayload(OpenModel):
    """A failed attempt. `usage` is what the capability said that it used, where it did."""

    capability_id: CapabilityId
    attempt: Attempt
    error: ErrorInfo
    will_retry: bool
    next_attempt_at: Timestamp | None = None
    usage: Usage | None = None


class ValidationErrorPayload(OpenModel):
    scope: ValidationScope
    attempt: Attempt
    errors: Annotated[list[ContractError], Field(min_length=1)]


class ScreenQuestion(OpenModel):
    """A question as operator screens read it; `additionalContext` is a text, JSON where it was an object."""

    question: Annotated[Text, PAYLOAD]
    kind: RequestKind
    options: list[HitlOption]
    allow_free_form: bool
    urgency: Urgency
    additional_context: Annotated[str | None, PAYLOAD]


class ScreenRequest(OpenModel):
    """The request in the shape of the operator screens; `contractSummary` has what is known of node and contract."""

    id: Reference
    origin_agent: OriginAgent
    created_at: Timestamp
    payload: ScreenQuestion
    pending_node_id: NodeId | None
    operator_prompt: Annotated[str | None, PAYLOAD]
    contract_summary: dict[str, Any] | None


class HitlRequestPayload(HitlQuestion):
    """The same request twice: in our words, and in `request` in the shape of the operator screens."""

    request: ScreenRequest | None = None


class HitlExpiringPayload(OpenModel):
    """A request whose time is nearly over: `onExpiry` is what happens at `expiresAt` without a decision."""

    request_id: Reference
    question: Annotated[Text, PAYLOAD]
    urgency: Urgency
    expires_at: Timestamp
    on_expiry: ExpiryAction


class HitlResolvedPayload(OpenModel):
    """A decision. `outputHash` names the output that was approved."""

    request_id: Reference
    decision: Decision
    operator: Operator | None = None
    note: Annotated[Note | None, PAYLOAD] = None
    output_hash: Annotated[str | None, PAYLOAD] = None


class RunPausedPayload(OpenModel):
    reason: Note | None = None
    operator: Operator | None = None


class RunResumedPayload(RunPausedPayload):
    pass


class PriorityChangedPayload(RunPausedPayload):
    """`high`: what of the run waits goes before other work; `normal`: first come, first served."""

    priority: Priority


class PolicyCause(OpenModel):
    """What made a policy fire.

    `event` is the type of the event, or `timeout`, `budget`, `manual`, `decision`, `goal` or `capability_gone`,
    `eventId` the event itself, `goals` are the goal conditions that were not met.
    `observed` is what the condition read, by path; long values are named only.
    """

    event: str
    event_id: str | None = None
    node_id: NodeId | None = None
    attempt: Attempt | None = None
    observed: dict[str, Any] | None = None
    metric: str | None = None
    value: float | None = None
    ms: int | None = None
    limit: dict[str, float] | None = None
    used: dict[str, float] | None = None
    operator: Operator | None = None
    reason: Note | None = None
    request_id: str | None = None
    decision: str | None = None
    goals: list[GoalConditionResult] | None = None


class PolicyTriggeredPayload(OpenModel):
    """`trigger` and `action` are those of the envelope, as they were sent; `cause` is what made it true."""

    policy_id: Reference
    trigger: Any
    action: Any
    cause: PolicyCause | None = None


class LogPayload(OpenModel):
    """A line for people; `event` and `payload` are what a runtime policy emits."""

    level: LogLevel
    message: Annotated[str, PAYLOAD]
    event: Reference | None = None
    payload: dict[str, Any] | None = None


class CompletePayload(OpenModel):
    """The end of a run: an output when it completed, which may be null, and an error otherwise.

    `goal_condition_results` is there where the envelope has goal conditions and the run came as far as its output.
    """

    status: FinalStatus
    output: Any = None
    error: ErrorInfo | None = None
    goal_condition_results: list[GoalConditionResult] | None = None

    @model_validator(mode="after")
    def _has_output_or_error(self) -> Self:
        needed = "output" if self.status == "completed" else "error"
        if needed not in self.model_fields_set or (needed == "error" and self.error is None):
            raise refused(flaw("missing", f"A run that ended {self.status!r} has this.", needed))
        return self
