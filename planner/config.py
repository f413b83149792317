"""The settings of a planner worker."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlannerConfig:
    """Times in seconds.

    `slots`: how many runs are planned at the same time. `lease_seconds`: how long a silent worker keeps a run that it
    plans; it must cover several heartbeats. `timeout_seconds`: for a planner that is not instant. `patience_seconds`:
    how long a plan waits for a capability that nobody has registered, since its worker may only be starting;
    `look_again_seconds` is how often it looks meanwhile. `fresh_seconds`: how old the list of capabilities may be.
    `seen_within_seconds`: leave out those whose workers have been silent for longer; None leaves out none.
    """

    slots: int = 32
    lease_seconds: float = 30.0
    heartbeat_seconds: float = 5.0
    timeout_seconds: float = 60.0
    drain_seconds: float = 10.0
    patience_seconds: float = 10.0
    look_again_seconds: float = 0.25
    fresh_seconds: float = 5.0
    seen_within_seconds: float | None = None
