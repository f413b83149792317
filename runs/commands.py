"""The commands that change a run. Time, ids and randomness arrive in the command; the domain reads no clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from runs.event import Json, JsonObject
from runs.event_data import PlanApproval, ReusableData, ReuseData, ReuseOrigin
from schemas.tenant import DEFAULT_TENANT
from schemas.vocabulary import LogLevel, LossKind, Priority, ResponseType


@dataclass(frozen=True, slots=True)
class Actor:
    """The caller: name and roles, as the token says. `verified` is False where no tokens are configured."""

    name: str
    roles: tuple[str, ...] = ()
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Loss:
    """A worker that died or hung over an attempt, which is charged with it.

    `how` is `unheard` (its lease ran out), `died` (its supervisor saw it) or `stalled` (its event loop stood still in
    this very attempt).
    """

    worker: str
    how: LossKind = "unheard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Every command carries the time at which it was made."""

    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRun(Command):
    """Accept an envelope whose contract has been compiled already.

    `authors` are those of the run it was made from; `house` is the policy that it is accepted under, and what of it was
    applied. `trace` is what `runs.trace` keeps of the span in which it is started. `tenant` is to whom it belongs.
    """

    envelope: JsonObject
    schema_hash: str | None
    house: JsonObject | None = None
    thread_id: str | None = None
    correlation_id: str | None = None
    submitted_by: str | None = None
    authors: tuple[str, ...] = ()
    origin: JsonObject | None = None
    reusable: ReusableData | None = None
    trace: JsonObject | None = None
    tenant: str = DEFAULT_TENANT


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPlan(Command):
    """A planner takes the run: the claim."""

    attempt: int
    planner: str
    capability_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptPlan(Command):
    """A checked PlanGraph in wire form (`version` is set by the run).

    `approval` says who has approved it already: in the run that this one was made from. `reuse` is what it takes
    over from that. `planning` says how it was planned, where a language model was to propose the plan
    (`schemas.planning`).
    """

    attempt: int
    plan: JsonObject
    approval: PlanApproval | None = None
    reuse: ReuseData | None = None
    planning: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectPlan(Command):
    """No plan can be made. `retryable` is for a planner's own trouble, not for the caller's objective.

    `lost` and `loss` as in FailNode, `planning` as in AcceptPlan.
    """

    attempt: int
    diagnostics: list[JsonObject]
    planning: JsonObject | None = None
    retryable: bool = False
    lost: bool = False
    loss: Loss | None = None
    jitter: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportCapabilityGone(Command):
    """The node waits for a capability of which no version can do its work any more; `reason` says why.

    `left` says that there is a version with another contract, which a new plan may use.
    """

    node_id: str
    capability_id: str
    reason: str
    left: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StartNode(Command):
    """An executor takes a node: the claim. `used_version` works in the place of the version that the plan names."""

    node_id: str
    attempt: int
    used_version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteNode(Command):
    """A node's output and what its contract says of it (`errors`, Ajv-like; empty when valid).

    `usage` is what the capability says that it used, in wire form (`schemas.usage`).
    """

    node_id: str
    attempt: int
    output: Json
    duration_ms: int
    errors: tuple[JsonObject, ...] = ()
    usage: JsonObject | None = None
    jitter: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class FailNode(Command):
    """An attempt has failed. `lost` says that its worker is gone, `loss` that the attempt may be why.

    A worker that stops gracefully, or dies of another attempt, is `lost` without a `loss`. `undelivered` says that the
    worker never got the attempt, so that it cannot have had an effect; `outcome_unknown` that the attempt may have had
    one all the same. `jitter` in [0, 1) spreads the retries, of which none comes before `retry_after_seconds`.
    `usage` is as in CompleteNode.
    """

    node_id: str
    attempt: int
    error_code: str
    message: str
    retryable: bool = True
    lost: bool = False
    loss: Loss | None = None
    undelivered: bool = False
    retry_after_seconds: float = 0
    outcome_unknown: bool = False
    usage: JsonObject | None = None
    jitter: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ReuseNode(Command):
    """In a forked run: take over the output that the node had in the original."""

    node_id: str
    output: Json
    origin: ReuseOrigin


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitTask(Command):
    """A person's output for a human node; `errors` is what the node's contract says of it."""

    node_id: str
    output: Json
    actor: Actor
    errors: tuple[JsonObject, ...] = ()
    claimed_operator: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclineTask(Command):
    """A person will not do a human node."""

    node_id: str
    actor: Actor
    reason: str | None = None
    claimed_operator: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestClarification(Command):
    """A running capability asks a person a question; the node runs again with the answer. `usage`: see CompleteNode."""

    node_id: str
    attempt: int
    question: str
    options: tuple[JsonObject, ...] = ()
    allow_free_form: bool = True
    additional_context: Json = None
    usage: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverOutput(Command):
    """The composed output and what the caller's contract says of it; `repair` names the nodes that could mend it."""

    output: Json
    errors: tuple[JsonObject, ...] = ()
    repair: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FailRun(Command):
    """End a run that the engine cannot continue."""

    error_code: str
    message: str
    details: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveRequest(Command):
    """A person's decision. `errors` is what the contract says of `edited_output`, which must have been checked.

    `expected_proposal` is the `proposal_id` of what the person has seen, `expected_output` the hash of its output; None
    accepts any proposal.
    """

    request_id: str
    response_type: ResponseType
    actor: Actor
    claimed_operator: str | None = None
    note: str | None = None
    option_id: str | None = None
    text: str | None = None
    edited_output: Json = None
    errors: tuple[JsonObject, ...] = ()
    expected_plan_version: int | None = None
    expected_proposal: str | None = None
    expected_output: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveRequest(Command):
    """Remove a request; the run cannot continue without it and ends as aborted."""

    request_id: str
    actor: Actor
    claimed_operator: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireRequest(Command):
    """The request's timer is due: its time is over, or its end is to be announced."""

    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireTask(Command):
    """A person's time for a node, its contract's `timeoutSeconds`, is over."""

    node_id: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireDeadline(Command):
    """The run's `deadlineSeconds` are over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeOutPolicy(Command):
    """The `ms` of a runtime policy are over; `ref` names it, and the node whose attempt it is about."""

    ref: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlRun(Command):
    """What an operator does with a run."""

    actor: Actor
    reason: str | None = None
    claimed_operator: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AbortRun(ControlRun):
    """End the run now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseRun(ControlRun):
    """Start nothing new until resumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRun(ControlRun):
    """Continue after a pause."""

    expected_plan_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPriority(ControlRun):
    """Have what waits of the run go before other work, or take its turn again."""

    priority: Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerPolicy(ControlRun):
    """Fire a runtime policy whose trigger is `manual`; `node_id` is the node that it is about.

    With a `key`, it is fired once for all commands that have the same.
    """

    policy_id: str
    node_id: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordLog(Command):
    """A line for people."""

    message: str
    level: LogLevel = "info"
    node_id: str | None = None
    detail: JsonObject | None = field(default=None)
