"""The type of each event's payload (`…Data`) and detail (`…Detail`) in the log. Constructors: `runs.new_events`.

What a log of an earlier version may lack is NotRequired. `schemas.payloads` documents the payloads as a frame shows
them, with what `runs.frames` adds; a test keeps the two equal.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict

from schemas.json_types import Json, JsonObject
from schemas.vocabulary import (
    Decision,
    ExecutorType,
    ExpiryAction,
    FinalStatus,
    LogLevel,
    LossKind,
    NodeKind,
    NodeStatus,
    OriginAgent,
    Priority,
    ReplanCause,
    RequestKind,
    RequestSubject,
    ResolutionEffect,
    ResponseType,
    Urgency,
    ValidationScope,
)


class ErrorData(TypedDict):
    """Why an attempt or a run failed."""

    code: str
    message: str
    details: NotRequired[JsonObject]


class ClaimedDetail(TypedDict):
    """`claimedOperator`: the name in the body, where the token says another one."""

    claimedOperator: NotRequired[str]


class StartData(TypedDict):
    runId: str
    threadId: str | None
    objective: str
    schemaHash: str | None


class ReusableNode(TypedDict):
    """A completed node (wire form) of the run that a fork was made from, as far as the fork may use it."""

    node: JsonObject
    attempt: int
    output: Json
    approved: list[str]


class ReusableData(TypedDict):
    """What a fork that is planned anew may begin with. `metadata` is of the plan before, `anew` says why not more."""

    nodes: list[ReusableNode]
    metadata: JsonObject
    anew: dict[str, str]


class ReuseData(TypedDict):
    """What a fork took over from run `runId`: `reused` {nodeId, attempt}, `notReused` {nodeId, why}."""

    runId: str
    reused: list[JsonObject]
    notReused: list[JsonObject]


class StartDetail(TypedDict):
    """`origin` is the run that this one was forked from: {runId, kind, fromNodeId, operator, reason, loosened?}.

    A fork that is planned anew has `reusable`. `trace` is {traceId, parent, sampled} of the request that started it,
    and `origin` in it the traceparent of the run that a fork was made from: see `runs.trace`. `tenant` is to whom the
    run belongs, where that is not the default one.
    """

    envelope: JsonObject
    submittedBy: NotRequired[str]
    authors: NotRequired[list[str]]
    house: NotRequired[JsonObject]
    origin: NotRequired[JsonObject]
    reusable: NotRequired[ReusableData]
    trace: NotRequired[JsonObject]
    tenant: NotRequired[str]


class PlanRequestedData(TypedDict):
    attempt: int
    planner: str
    capabilityCount: int


class LossDetail(TypedDict):
    """`lost`: the worker is gone. `worker` and `how` are there where the attempt may be why.

    `undelivered`: the worker never got the attempt.
    """

    lost: NotRequired[bool]
    undelivered: NotRequired[bool]
    worker: NotRequired[str]
    how: NotRequired[LossKind]


class PlanRejectedData(TypedDict):
    """`planning` says how it was planned, where a language model was to propose the plan (`schemas.planning`)."""

    attempt: int
    diagnostics: list[JsonObject]
    planning: NotRequired[JsonObject]


class PlanRejectedDetail(LossDetail):
    """`nextAttemptAt` is there where planning is tried again."""

    nextAttemptAt: NotRequired[str]


class PlannedNodeData(TypedDict):
    id: str
    capabilityId: str
    kind: NodeKind
    label: str
    dependsOn: list[str]


class PlanGeneratedData(TypedDict):
    """`planning` as in PlanRejectedData."""

    version: int
    nodes: list[PlannedNodeData]
    edges: list[JsonObject]
    metadata: NotRequired[JsonObject]
    planning: NotRequired[JsonObject]


class ReplanDetail(TypedDict):
    """Why a run is planned again, and what holds for the new plan.

    `rationale` are the words for the planner. The nodes in `redo`, and what depends on them, are not kept; where it is
    left out, as in logs of before, no node is. `without` are capabilities that the run does not use again, `absent` one
    that is not to be had now.
    """

    cause: ReplanCause
    rationale: NotRequired[str | None]
    redo: NotRequired[list[str]]
    without: NotRequired[list[str]]
    absent: NotRequired[list[str]]


class KeptNodeData(TypedDict):
    """A node that the new plan has from the one before, as far as it is."""

    id: str
    status: NodeStatus
    why: str


class ChangedNodeData(TypedDict):
    id: str
    why: str


class PlanDifference(TypedDict):
    """Nodes of the new plan: kept and added; nodes of the plan before: dropped. A node that is made anew is in both."""

    kept: list[KeptNodeData]
    added: list[ChangedNodeData]
    dropped: list[ChangedNodeData]


class PlanUpdatedData(TypedDict):
    """`trigger` are the words, `cause` is what led to the new plan. Logs of before have no cause and no difference.

    `planning` as in PlanRejectedData.
    """

    version: int
    nodes: list[PlannedNodeData]
    edges: list[JsonObject]
    previousVersion: int
    trigger: Json
    cause: NotRequired[ReplanCause]
    difference: NotRequired[PlanDifference]
    planning: NotRequired[JsonObject]


class PlanApproval(TypedDict):
    """Who has approved a plan, and in which run."""

    runId: str
    requestId: str
    operator: str | None


class RejectedPlan(TypedDict):
    """A plan that people have rejected: what was said, its capabilities, and its shape (see `runs.plan_shape`)."""

    planVersion: int | None
    operator: str | None
    words: str | None
    capabilities: list[str]
    shape: str


class PlanDetail(TypedDict):
    """The whole plan in wire form, with its `version`; with `approval` people are not asked about it.

    `carried` are nodes that go on as they are; without it, as in logs of before, all nodes of a new plan are new.
    """

    plan: JsonObject
    approval: NotRequired[PlanApproval]
    carried: NotRequired[list[str]]


class NodeStartData(TypedDict):
    """`capabilityVersion` is there where the plan names one, `usedVersion` where another one works in its place."""

    capabilityId: str
    capabilityVersion: NotRequired[str]
    usedVersion: NotRequired[str]
    label: str
    attempt: int
    executorType: ExecutorType


class NodeCompleteData(TypedDict):
    """`operator` and `note` are those of a person who wrote the output; `usage` is what the capability said it used."""

    capabilityId: str
    capabilityVersion: NotRequired[str]
    usedVersion: NotRequired[str]
    attempt: int
    output: Json
    durationMs: int
    usage: NotRequired[JsonObject]
    operator: NotRequired[str]
    note: NotRequired[str | None]


class ReuseOrigin(TypedDict):
    """Where an output was taken over from; `approved` names the policies whose question about it was approved there."""

    runId: str
    attempt: int
    approved: NotRequired[list[str]]


class NodeCompleteDetail(ClaimedDetail):
    origin: NotRequired[ReuseOrigin]


class NodeErrorData(TypedDict):
    """`usage` is what the capability said that the failed attempt used."""

    capabilityId: str
    attempt: int
    error: ErrorData
    willRetry: bool
    nextAttemptAt: str | None
    usage: NotRequired[JsonObject]


class NodeErrorDetail(LossDetail, ClaimedDetail):
    """`operator` and `note` are those of a person who declined the task."""

    operator: NotRequired[str]
    note: NotRequired[str | None]


class ValidationErrorData(TypedDict):
    """`errors` are Ajv-like: see `contracts.problems.AjvError`."""

    scope: ValidationScope
    attempt: int
    errors: list[JsonObject]


class ValidationErrorDetail(TypedDict):
    """`repair`: the nodes that run again with the errors. `behind`: the makers of what is wrong, where none does."""

    repair: NotRequired[list[str]]
    behind: NotRequired[list[str]]


class HitlRequestData(TypedDict):
    requestId: str
    kind: RequestKind
    originAgent: NotRequired[OriginAgent]
    question: str
    options: list[JsonObject]
    allowFreeForm: bool
    urgency: Urgency
    additionalContext: Json
    pendingOutput: Json
    expiresAt: str | None
    outputHash: NotRequired[str]


class AskerData(TypedDict):
    nodeId: str
    nodeLabel: str
    capabilityId: str


class HitlRequestDetail(TypedDict):
    """`rules` is `policies.hitl` in wire form; `contract` is what an edit must satisfy, where it is short.

    `usage` is what the capability said that the attempt which asks has used.
    """

    subject: RequestSubject
    rules: NotRequired[JsonObject]
    asker: NotRequired[AskerData]
    contract: NotRequired[JsonObject | bool | None]
    usage: NotRequired[JsonObject]


class HitlExpiringData(TypedDict):
    requestId: str
    question: str
    urgency: Urgency
    expiresAt: str
    onExpiry: ExpiryAction


class HitlResolvedData(TypedDict):
    requestId: str
    decision: Decision
    operator: NotRequired[str | None]
    note: NotRequired[str | None]
    outputHash: NotRequired[str | None]


class AnswerData(TypedDict):
    """What a person said to a node that runs again."""

    requestId: str
    question: str
    optionId: NotRequired[str | None]
    text: NotRequired[str]


class HitlResolvedDetail(ClaimedDetail):
    """`nodes` and `answer` belong to the effect `rerun`, `output` to `complete_node` (else it is in the proposal),
    `replan` to the effect of that name."""

    effect: NotRequired[ResolutionEffect]
    nodes: NotRequired[list[str]]
    answer: NotRequired[AnswerData]
    output: NotRequired[Json]
    replan: NotRequired[ReplanDetail]


class ProposalContent(TypedDict):
    """What a response proposes in place of what was asked."""

    responseType: ResponseType
    output: NotRequired[Json]
    outputHash: NotRequired[str]
    optionId: NotRequired[str | None]
    text: NotRequired[str]


class ProposalData(ProposalContent):
    """A proposal with its name, which is the seq of the event that made it."""

    id: str
    operator: str
    note: str | None


class VoteData(TypedDict):
    """A vote that counts in a request."""

    requestId: str
    operator: str
    note: str | None


class VoteDetail(TypedDict):
    """What a response that did not resolve its request changes in it.

    `counts` False: the author of this proposal may not vote for it. `withdrawn`: the vote is taken back, and with
    `dropped` the proposal, too. Logs of before proposals had names have an edit in `pendingOutput`.
    """

    requestId: str
    operator: str
    note: NotRequired[str | None]
    proposal: NotRequired[ProposalContent]
    counts: NotRequired[bool]
    withdrawn: NotRequired[bool]
    dropped: NotRequired[bool]
    pendingOutput: NotRequired[Json]


class ControlData(TypedDict):
    """`run_paused` and `run_resumed`."""

    reason: str | None
    operator: str


class PriorityData(ControlData):
    """`priority_changed`."""

    priority: Priority


class PolicyTriggeredData(TypedDict):
    """`cause` is what made it true: see `schemas.payloads.PolicyCause`. Logs of before have none."""

    policyId: str
    trigger: Json
    action: Json
    cause: NotRequired[JsonObject]


class PolicyTriggeredDetail(TypedDict):
    """What the firing changes. `nodes` run again, with `answer` among their answers; `fresh`: as if never tried.

    `mark` is what the policy has now reacted to once and for all.
    """

    nodes: NotRequired[list[str]]
    answer: NotRequired[AnswerData]
    fresh: NotRequired[bool]
    priority: NotRequired[Priority]
    mark: NotRequired[str]
    replan: NotRequired[ReplanDetail]


class LogData(TypedDict):
    """`event` and `payload` are what a runtime policy emits."""

    level: LogLevel
    message: str
    event: NotRequired[str]
    payload: NotRequired[JsonObject]


class LogDetail(ClaimedDetail):
    """A line for people may have a detail of any other keys; folding reads these only.

    `mark`: a runtime policy was to react to this, and its condition did not hold. `reuse`: what a fork took over.
    """

    vote: NotRequired[VoteDetail]
    mark: NotRequired[str]
    reuse: NotRequired[ReuseData]


class CompleteData(TypedDict):
    """`output` is there where the run completed, and may be None; `error` otherwise."""

    status: FinalStatus
    output: NotRequired[Json]
    error: NotRequired[ErrorData]
    goal_condition_results: NotRequired[list[JsonObject]]


class CompleteDetail(ClaimedDetail):
    """`eventCount`: how many events the run has, this one included."""

    eventCount: NotRequired[int]


class LossData(TypedDict):
    """One loss in a row, as the state keeps it and the error `poisoned` lists it."""

    attempt: int
    worker: str
    how: LossKind | None
    at: str
