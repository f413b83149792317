"""The settings of a planner worker."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from schemas.config import Count, Period, Seconds, require_longer


@dataclass(frozen=True, slots=True)
class PlannerConfig:
    """Times in seconds.

    `slots`: how many runs are planned at the same time. `lease_seconds`: how long a silent worker keeps a run that it
    plans; it must cover several heartbeats. `timeout_seconds`: for a planner that is not instant. `patience_seconds`:
    how long a plan waits for a capability that no worker has registered, since its worker may only be starting;
    `look_again_seconds` is how often it looks meanwhile. `fresh_seconds`: how old the list of capabilities may be.
    `seen_within_seconds`: leave out those whose workers have been silent for longer; None leaves out none.
    """

    slots: Count = 32
    lease_seconds: Period = 30.0
    heartbeat_seconds: Period = 5.0
    timeout_seconds: Seconds = 60.0
    drain_seconds: Seconds = 10.0
    patience_seconds: Seconds = 10.0
    look_again_seconds: Period = 0.25
    fresh_seconds: Seconds = 5.0
    seen_within_seconds: Seconds | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a lease that would end between two heartbeats."""
        require_longer("lease_seconds", self.lease_seconds, "heartbeat_seconds", self.heartbeat_seconds)
