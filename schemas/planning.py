"""How a run was planned, where a language model was to propose the plan."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import OpenModel
from schemas.payload_marks import PAYLOAD
from schemas.plan import Diagnostic
from schemas.usage import Usage


class PlanningTry(OpenModel):
    """One question to the model. `code` is `plan_accepted`, `plan_refused`, or why there was no answer."""

    code: str
    diagnostics: list[Diagnostic] = Field(default_factory=list[Diagnostic])
    usage: Usage | None = None


class Planning(OpenModel):
    """`planner` made the plan, and `code` and `reason` say why it was this one.

    `usage` is what all tries of this planning attempt used together; the usage of the run contains it.
    """

    planner: Literal["model", "contract"]
    code: str
    reason: Annotated[str, PAYLOAD]
    model: str
    tries: Annotated[list[PlanningTry], Field(max_length=20)] = Field(default_factory=list[PlanningTry])
    usage: Usage | None = None
