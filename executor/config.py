"""The settings of an executor worker."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from schemas.config import Count, Period, Seconds, require_longer
from schemas.json_text import MAX_OUTPUT_BYTES


@dataclass(frozen=True, slots=True)
class ExecutorConfig:
    """Times in seconds, sizes in bytes.

    slots               how many nodes run at the same time
    lease               how long a silent worker keeps its nodes; it must cover several heartbeats
    timeout             for a capability that names none
    grace               how long a cancelled capability may take to clean up before it is abandoned
    drain               how long closing waits for running attempts
    report              how long the append of a result is retried while the database cannot be reached
    watch               how long wake-up messages are collected before the runs in flight are read
    checker             how long a check is retried while the checker's process is unavailable
    log_lines           of one attempt: in all, in one go, and how fast more are allowed
    serves_output       compose outputs even without a capability of the default group
    """

    slots: Count = 64
    lease_seconds: Period = 30.0
    heartbeat_seconds: Period = 5.0
    timeout_seconds: Seconds = 60.0
    grace_seconds: Seconds = 1.0
    drain_seconds: Seconds = 10.0
    report_seconds: Seconds = 120.0
    watch_seconds: Period = 0.1
    checker_seconds: Seconds = 10.0
    register_seconds: Period = 30.0
    output_bytes: Count = MAX_OUTPUT_BYTES
    log_lines: Count = 200
    log_lines_at_once: Count = 20
    log_lines_per_second: Period = 5.0
    serves_output: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError for a lease that would end between two heartbeats."""
        require_longer("lease_seconds", self.lease_seconds, "heartbeat_seconds", self.heartbeat_seconds)
