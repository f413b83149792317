"""The rules under which people decide: who may, how many must, and what happens without a decision."""

from typing import Annotated, Any

from pydantic import Field

from schemas.base import Duration, Model, Reference
from schemas.vocabulary import AfterEscalation, ExpiryAction, RejectAction, Urgency

MAX_APPROVERS = 100


class HitlPolicy(Model):
    """The rules of every request of the run: who may decide, how many must, and what if no decision comes in time.

    With `plan` a person approves each plan before any of its nodes starts.
    """

    approvers: Annotated[list[Reference], Field(max_length=MAX_APPROVERS)] = Field(default_factory=list[str])
    quorum: Annotated[int, Field(ge=1, le=100)] = 1
    expires_in_seconds: Duration | None = None
    on_expiry: ExpiryAction = "reject"
    escalate_to: Reference | None = None
    after_escalation: AfterEscalation = "reject"
    on_reject: RejectAction = "fail"
    forbid_submitter: bool = False
    urgency: Urgency = "normal"
    plan: bool = False

    def to_wire(self) -> dict[str, Any]:
        """The rules that were set; what is left out has its default."""
        return self.model_dump(by_alias=True, exclude_unset=True)

    def over(self, base: "HitlPolicy | None") -> "HitlPolicy":
        """These rules laid over those of `base`, key by key."""
        if base is None:
            return self
        fields = base.model_fields_set | self.model_fields_set
        values = {
            name: getattr(self if name in self.model_fields_set else base, name) for name in sorted(fields)
        }
        return HitlPolicy.model_construct(_fields_set=fields, **values)
