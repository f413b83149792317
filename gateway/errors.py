"""What the gateway refuses by rules of its own. They know no HTTP: `gateway.problems` says what is answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Self

from schemas.problem import Located


class GatewayError(Exception):
    """`code` is for programs, the text for people; `errors` are the places in the body that are wrong."""

    code: ClassVar[str] = "refused"

    def __init__(self, detail: str, *, errors: Sequence[Located] = ()) -> None:
        super().__init__(detail)
        self.errors = errors


class NotFound(GatewayError):
    """There is nothing by this id."""


class CapabilityUnknown(NotFound):
    """No capability is registered by an id, or none in this version."""

    code = "capability_unknown"

    @classmethod
    def by(cls, capability_id: str, version: str | None = None) -> Self:
        """For the one that a path names."""
        of_version = f" in version {version[:50]!r}" if version is not None else ""
        return cls(f"No capability {capability_id[:200]!r} is registered{of_version}.")


class RunPruned(GatewayError):
    """The run was removed after its time."""

    code = "run_pruned"


class RunDiffers(GatewayError):
    """There is, or was, a run of this id with another history than that of the file."""

    code = "run_differs"


class RunInProgress(GatewayError):
    """The run is not over, as this asks for."""

    code = "run_in_progress"


class RunNotErasable(GatewayError):
    """The run began without a key."""

    code = "run_not_erasable"


class NotPermitted(GatewayError):
    """The caller's token lacks the role for this."""

    code = "not_permitted"


class LimitReached(GatewayError):
    """There may be no more of these."""


class PlanInvalid(GatewayError):
    """The nodes of a fork make no plan that can be run, or none that the house allows."""

    code = "plan_invalid"


class TokenRefused(GatewayError):
    """The token opens nothing here. The text may be told to whoever sent it."""

    code = "unauthorized"


class TokenMissing(GatewayError):
    """There is no token, and one is needed."""

    code = "unauthorized"


class TooManyWrongTokens(GatewayError):
    """So many wrong tokens came from one address that this one is not looked at."""

    code = "too_many_wrong_tokens"

    def __init__(self, detail: str, *, retry_after_seconds: int) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class ProxyNotTrusted(GatewayError):
    """What only a trusted proxy may say came from elsewhere."""

    code = "proxy_not_trusted"


class IdentityUnavailable(GatewayError):
    """Who calls cannot be told just now."""

    code = "identity_unavailable"
