"""Policies: how the work of a run is to be done, and who decides when a person must."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.base import Duration, OpenModel, Reference, TextOrObject, flaw, refused

Urgency = Literal["low", "normal", "high"]


class HitlPolicy(OpenModel):
    """The rules of every request of the run: who may decide, how many must, and what if nobody does."""

    approvers: Annotated[list[Reference], Field(max_length=100)] = Field(default_factory=list[str])
    quorum: Annotated[int, Field(ge=1, le=100)] = 1
    expires_in_seconds: Duration | None = None
    on_expiry: Literal["reject", "approve", "escalate"] = "reject"
    escalate_to: Reference | None = None
    after_escalation: Literal["reject", "approve"] = "reject"
    on_reject: Literal["fail", "replan", "rerun"] = "fail"
    forbid_submitter: bool = False
    urgency: Urgency = "normal"

    @model_validator(mode="after")
    def _escalates_to_somebody(self) -> Self:
        if self.on_expiry == "escalate" and self.escalate_to is None:
            raise refused(flaw("missing", "Say to whom, by a role or a name.", "escalateTo"))
        return self


class RuntimePolicy(OpenModel):
    """A rule that is watched while the run goes on: when `trigger` comes true, `action` is taken."""

    id: Reference | None = None
    trigger: TextOrObject | None = None
    action: TextOrObject | None = None


class Policies(OpenModel):
    """How the work is to be done; keys other than these are kept and handed to the capabilities."""

    planner: TextOrObject | None = None
    runtime: Annotated[list[RuntimePolicy], Field(max_length=100)] = Field(
        default_factory=list[RuntimePolicy]
    )
    requires_hitl_approval: bool | None = None
    hitl: HitlPolicy | None = None
