"""How much each measure does: bounded in count and in time, so that the whole run is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """Counts, and durations in seconds."""

    idle_runs: int = 200
    idle_pause_seconds: float = 0.02
    approvals: int = 100
    concurrency: tuple[int, ...] = (1, 8, 32, 64)
    load_warm_up_seconds: float = 1.5
    load_seconds: float = 6.0
    load_max_runs: int = 20_000
    subscribers: int = 1_000
    fan_out_rounds: int = 50
    fan_out_events: int = 400
    idle_streams: int = 2_000
    waiting_runs: int = 50
    append_seconds: float = 3.0
    dispatch_runs: int = 10
    dispatch_nodes: int = 20
    step_limit_seconds: float = 120.0


FULL = Sizes()
QUICK = Sizes(
    idle_runs=60,
    approvals=30,
    load_warm_up_seconds=0.5,
    load_seconds=2.0,
    load_max_runs=4_000,
    fan_out_rounds=15,
    fan_out_events=100,
    idle_streams=500,
    waiting_runs=10,
    append_seconds=1.0,
    dispatch_runs=3,
)
