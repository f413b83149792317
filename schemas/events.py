"""FlexEvent, the frame that a client reads."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from schemas import payloads
from schemas.base import NodeId, OpenModel, Reference, RunId, Timestamp
from schemas.parsing import validate_document
from schemas.refusal import DocumentRefused, FieldProblem
from schemas.vocabulary import EventType

PAYLOADS: Mapping[EventType, type[OpenModel]] = MappingProxyType(
    {
        "start": payloads.StartPayload,
        "plan_requested": payloads.PlanRequestedPayload,
        "plan_rejected": payloads.PlanRejectedPayload,
        "plan_generated": payloads.PlanGeneratedPayload,
        "plan_updated": payloads.PlanUpdatedPayload,
        "node_start": payloads.NodeStartPayload,
        "node_complete": payloads.NodeCompletePayload,
        "node_error": payloads.NodeErrorPayload,
        "validation_error": payloads.ValidationErrorPayload,
        "hitl_request": payloads.HitlRequestPayload,
        "hitl_expiring": payloads.HitlExpiringPayload,
        "hitl_resolved": payloads.HitlResolvedPayload,
        "run_paused": payloads.RunPausedPayload,
        "run_resumed": payloads.RunResumedPayload,
        "priority_changed": payloads.PriorityChangedPayload,
        "policy_triggered": payloads.PolicyTriggeredPayload,
        "log": payloads.LogPayload,
        "complete": payloads.CompletePayload,
    }
)


ERASED_MEMBER = "erased"
"""The member that every payload of an erased run has, see `payloads.ErasedPayload`, and no other payload."""


class FlexEvent(OpenModel):
    """One frame of a run's stream; `id` is the seq as text, `payload` depends on the `type`.

    Every event of a run that was erased has an ErasedPayload: `{"erased": {at, by, reason}}`.
    """

    type: EventType
    id: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,18}$")]
    timestamp: Timestamp
    run_id: RunId
    node_id: NodeId | None = None
    correlation_id: Reference | None = None
    plan_version: Annotated[int, Field(ge=1)] | None = None
    message: str | None = None
    payload: dict[str, Any]

    @property
    def seq(self) -> int:
        """The frame's number within its run, from 1."""
        return int(self.id)


class NodeDelta(OpenModel):
    """A piece of what a running attempt has made so far. It has no `id`, is no part of the log, and may be left out."""

    type: Literal["node_delta"]
    run_id: RunId
    node_id: NodeId
    payload: payloads.NodeDeltaPayload


def check_frame(frame: Any) -> FlexEvent:
    """The frame as a model, its payload checked too; raises DocumentRefused with pointers into the frame."""
    event = validate_document(FlexEvent, frame)
    try:
        model = payloads.ErasedPayload if ERASED_MEMBER in event.payload else PAYLOADS[event.type]
        validate_document(model, event.payload)
    except DocumentRefused as refusal:
        inside = [
            FieldProblem(each.code, "/payload" + each.pointer, each.message) for each in refusal.problems
        ]
        raise DocumentRefused(inside, refusal.omitted) from None
    return event
