"""What the gateway refuses by rules of its own. They know no HTTP: `gateway.problems` says what is answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from schemas.problem import Located


class GatewayError(Exception):
    """`code` is for programs, the text for people; `errors` are the places in the body that are wrong."""

    code: ClassVar[str] = "refused"

    def __init__(self, detail: str, *, errors: Sequence[Located] = ()) -> None:
        super().__init__(detail)
        self.errors = errors


class NotFound(GatewayError):
    """There is nothing by this id."""


class NotPermitted(GatewayError):
    """The caller's token lacks the role for this."""

    code = "not_permitted"


class LimitReached(GatewayError):
    """There may be no more of these."""


class PlanInvalid(GatewayError):
    """The nodes of a fork make no plan that can be run, or none that the house allows."""

    code = "plan_invalid"
