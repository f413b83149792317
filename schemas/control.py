"""The bodies of the endpoints that control a run (abort, pause, resume, retry, fork) and the tasks of people."""

from collections.abc import Iterator
from typing import Annotated, Any, Self

from pydantic import Field, model_validator
from pydantic_core import InitErrorDetails

from schemas.base import (
    CorrelationId,
    JsonSchema,
    Model,
    NodeId,
    Note,
    OpenModel,
    Operator,
    PlanVersion,
    Reference,
    Text,
    Timestamp,
    flaw,
    refused,
)
from schemas.envelope import OutputContract, Policies
from schemas.payload_marks import PAYLOAD
from schemas.plan import CapabilityId, PlanNode
from schemas.vocabulary import Priority


class OperatorBody(Model):
    """The body of `runs/{id}/abort`, `/pause`, `/resume` and `/retry`; it may be left out altogether."""

    reason: Note | None = None
    operator: Operator | None = None


class PriorityBody(OperatorBody):
    """The body of `runs/{id}/priority`."""

    priority: Priority


class PolicyTriggerBody(OperatorBody):
    """The body of `runs/{id}/policies/{policyId}/trigger`; `nodeId` is the node that the policy is to be about."""

    node_id: NodeId | None = None


class ForkBody(OperatorBody):
    """The body of `runs/{id}/fork`: a new run that keeps what was completed before `fromNodeId`.

    `inputs` and `policies` are laid over those of the original, `outputContract` replaces its contract. `nodes` replace
    the plan's remaining nodes, `plan` all of it (queue and agent type are those of the capability unless they are said
    there). With another contract, or other rules for the planner, and without nodes or a plan, it is planned anew.
    """

    from_node_id: NodeId | None = None
    inputs: dict[str, Any] | None = None
    policies: Policies | None = None
    nodes: Annotated[list[PlanNode], Field(min_length=1, max_length=1_000)] | None = None
    output_contract: OutputContract | None = None
    plan: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _has_one_plan(self) -> Self:
        if self.plan is not None and self.nodes is not None:
            raise refused(
                flaw("contradiction", "Send the whole plan, or the nodes that replace others.", "nodes")
            )
        return self


class TaskDecline(Model):
    """Why a person will not do a task."""

    reason: Text
    note: Note | None = None


class ResumePayload(Model):
    """What is done before the run continues: requests are decided (`responses`), or a person's task is done.

    A task is named by its `nodeId`; `output` submits it, `decline` declines it. `submittedAt` is the sender's own clock
    and counts for nothing.
    """

    run_id: Reference | None = None
    thread_id: Reference | None = None
    request_id: Reference | None = None
    responses: list[dict[str, Any]] | None = None
    node_id: NodeId | None = None
    output: Any = None
    decline: TaskDecline | None = None
    submitted_at: Reference | None = None
    operator: Operator | None = None
    note: Note | None = None
    expected_plan_version: PlanVersion | None = None

    @property
    def has_output(self) -> bool:
        """Whether there is an output, which may be null."""
        return "output" in self.model_fields_set

    @model_validator(mode="after")
    def _does_one_thing(self) -> Self:
        found = [*self._missing(), *self._contradictions()]
        if found:
            raise refused(*found)
        return self

    def _missing(self) -> Iterator[InitErrorDetails]:
        if self.request_id is not None and self.responses is None:
            yield flaw("missing", "Say what is answered to the request.", "responses")
        if self.node_id is None and (self.has_output or self.decline is not None):
            yield flaw("missing", "Name the node whose task this is.", "nodeId")
        if self.node_id is not None and not self.has_output and self.decline is None:
            yield flaw("missing", "A task takes an output, or decline with a reason.", "output")

    def _contradictions(self) -> Iterator[InitErrorDetails]:
        if self.has_output and self.decline is not None:
            yield flaw("contradiction", "A task is submitted or declined, not both.", "decline")
        if self.node_id is not None and self.responses is not None:
            yield flaw("contradiction", "Answer requests or do a task, each in a call of its own.", "nodeId")


class RunResumeBody(Model):
    """The body of `POST /api/v1/flex/run.resume`, which continues a waiting run and streams the rest."""

    run_id: Reference
    expected_plan_version: PlanVersion | None = None
    correlation_id: CorrelationId | None = None
    operator: Operator | None = None
    note: Note | None = None
    payload: ResumePayload | None = None


MAX_LINK_SECONDS = 30 * 24 * 3600


class LinkBody(Model):
    """The body of `POST /api/hitl/link`: a link that lets its holder decide one request.

    `for` is the name or role in which it decides; without it, that of the caller. It lasts 7 days, or
    `expiresInSeconds`, which is 30 days at most.
    """

    run_id: Reference | None = None
    request_id: Reference
    expires_in_seconds: Annotated[float, Field(gt=0, le=MAX_LINK_SECONDS)] | None = None
    for_: Reference | None = None


class HumanTask(OpenModel):
    """A node that waits for a person's work, as `GET /api/v1/flex/tasks` shows it."""

    task_id: Reference
    run_id: Reference
    node_id: NodeId
    capability_id: CapabilityId
    label: str
    attempt: Annotated[int, Field(ge=1)]
    instructions: Annotated[list[str], PAYLOAD] = Field(default_factory=list[str])
    output_schema: JsonSchema | None = None
    bundle: dict[str, Any] = Field(default_factory=dict[str, Any])
    created_at: Timestamp | None = None
    expires_at: Timestamp | None = None


class TaskSubmitBody(Model):
    """The body of `tasks/{id}/submit`; the output, which may be null, is checked by the node's contract."""

    output: Any
    operator: Operator | None = None
    note: Note | None = None


class TaskDeclineBody(Model):
    """The body of `tasks/{id}/decline`: a person says why they will not do it."""

    reason: Text
    operator: Operator | None = None
    note: Note | None = None
