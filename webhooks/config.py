"""The settings of the deliverer of webhooks."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from schemas.config import Count, Period, Seconds, require_longer

BACKOFF_SECONDS = (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 28_800)
"""The pauses after the first, the second, … failure: eleven attempts in a little less than a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhooksConfig:
    """Limits and times; durations are in seconds."""

    allow_private: bool = False
    """Whether loopback, link-local, private and reserved addresses may be called."""

    slots: Count = 8
    """Deliveries that this process makes at a time for one webhook; they are of different runs."""

    request_seconds: Period = 15.0
    """How long a receiver may take from the connection to its status line."""

    lease_seconds: Period = 45.0
    """When a delivery of a process that died is taken over; well beyond `request_seconds`."""

    backoff_seconds: tuple[Seconds, ...] = BACKOFF_SECONDS
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.2
    """The share by which a pause may be longer or shorter, so that failures do not come back all at once."""

    retry_after_limit_seconds: Seconds = 3_600.0
    """The longest `Retry-After` that is heeded."""

    give_up_seconds: Seconds = 86_400.0
    """A delivery that has waited longer, for whatever reason, is tried once more at most."""

    keep_seconds: Seconds = 7 * 86_400.0
    """How long finished deliveries can be looked at."""

    poll_seconds: Period = 1.0
    """How often to look where no wake-up came."""

    quiet_seconds: Seconds = 0.01
    """The least time between two looks that found something: what happens meanwhile is taken together."""

    feed_events: Count = 1_000
    """How much of the log one look takes in."""

    tidy_seconds: Period = 60.0
    drain_seconds: Seconds = 10.0
    """How long a shutdown waits for deliveries under way."""

    def __post_init__(self) -> None:
        """Raise ValueError for a lease that would end while a receiver may still answer."""
        require_longer("lease_seconds", self.lease_seconds, "request_seconds", self.request_seconds)

    def pause_seconds(self, attempt: int, chance: float) -> float | None:
        """The pause after failed `attempt` (from 1), `chance` in [0, 1) deciding the jitter; None after the last."""
        if attempt > len(self.backoff_seconds):
            return None
        return self.backoff_seconds[attempt - 1] * (1 + self.jitter * (2 * chance - 1))
