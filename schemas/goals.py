"""Goal conditions: what must hold of the output before a run completes, beyond its shape."""

from typing import Annotated, Any

from pydantic import StringConstraints

from schemas.base import Model, OpenModel, Reference
from schemas.conditions import AnyCondition
from schemas.payload_marks import PAYLOAD

MAX_GOALS = 20


class GoalCondition(Model):
    """`condition` must hold of the output. It reads `value`: what is at `path` (a JSON pointer) in the facet.

    Without a facet the path begins at the output.
    """

    facet: Reference | None = None
    path: Annotated[str, StringConstraints(max_length=500, pattern=r"^(/.*)?$")] = ""
    condition: AnyCondition


class GoalConditionResult(OpenModel):
    """Whether one goal condition was met. `error` says why it could not be evaluated."""

    facet: str | None = None
    path: str
    expression: Any
    satisfied: bool
    observed_value: Any = None
    error: Annotated[str | None, PAYLOAD] = None
