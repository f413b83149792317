"""The settings of an executor worker."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.json_text import MAX_OUTPUT_BYTES


@dataclass(frozen=True, slots=True)
class ExecutorConfig:
    """Times in seconds, sizes in bytes.

    slots               how many nodes run at the same time
    lease               how long a silent worker keeps its nodes; it must cover several heartbeats
    timeout             for a capability that names none
    grace               how long a cancelled capability may take to clean up before it is left to itself
    drain               how long closing waits for what is running
    report              how long a result is offered to a database that does not answer
    watch               how soon a change made by another process is looked at
    checker             how long a check waits for a checker process
    log_lines           of one attempt: in all, in one go, and how fast more are allowed
    serves_output       compose outputs even without a capability of the default group
    """

    slots: int = 64
    lease_seconds: float = 30.0
    heartbeat_seconds: float = 5.0
    timeout_seconds: float = 60.0
    grace_seconds: float = 1.0
    drain_seconds: float = 10.0
    report_seconds: float = 120.0
    watch_seconds: float = 0.1
    checker_seconds: float = 10.0
    register_seconds: float = 30.0
    output_bytes: int = MAX_OUTPUT_BYTES
    log_lines: int = 200
    log_lines_at_once: int = 20
    log_lines_per_second: float = 5.0
    serves_output: bool = False
