"""The bodies of the doors that steer a run: abort, pause, resume, retry, fork, and the tasks of people."""

from typing import Annotated, Any

from pydantic import Field

from schemas.base import (
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
)
from schemas.envelope import Policies
from schemas.plan import CapabilityId, PlanNode


class OperatorBody(Model):
    """The body of `runs/{id}/abort`, `/pause`, `/resume` and `/retry`; it may be left out altogether."""

    reason: Note | None = None
    operator: Operator | None = None


class ForkBody(OperatorBody):
    """The body of `runs/{id}/fork`: a new run that keeps what was completed before `fromNodeId`.

    `inputs` and `policies` are laid over those of the original; `nodes` replace the plan's remaining nodes
    (queue and agent type are those of the capability unless they are said there).
    """

    from_node_id: NodeId | None = None
    inputs: dict[str, Any] | None = None
    policies: Policies | None = None
    nodes: Annotated[list[PlanNode], Field(min_length=1, max_length=1_000)] | None = None


class RunResumeBody(Model):
    """The body of `POST /api/v1/flex/run.resume`, which goes on with a waiting run and streams the rest."""

    run_id: Reference
    expected_plan_version: PlanVersion | None = None
    operator: Operator | None = None
    note: Note | None = None
    payload: dict[str, Any] | None = None


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
    instructions: list[str] = Field(default_factory=list[str])
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
