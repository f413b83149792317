"""When something that failed is tried again: exponential back-off with jitter, capped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

BASE_DELAY_SECONDS = 0.2
MAX_DELAY_SECONDS = 60.0
MAX_RETRY_AFTER_SECONDS = 3_600.0
"""The longest pause that a service may ask for."""

MAX_LOSSES_IN_A_ROW = 3
"""How often in a row a worker may die or hang over the same work before the work is taken for the cause: `poisoned`."""

MAX_HANDOVERS = 10
"""How often work may be released or lost in all, also by workers that stop gracefully, before it has failed."""


def poison_error(work: str, losses: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """The error code and the message of a run whose work has ended too many of its workers."""
    workers = ", ".join(str(loss.get("worker")) for loss in losses)
    return "poisoned", f"{work} has cost {len(losses)} workers in a row ({workers}); it is not tried again"


def next_attempt_at(now: datetime, failures: int, jitter: float, retry_after_seconds: float = 0) -> datetime:
    """The time of the next try after `failures` (1, 2, …); `jitter` in [0, 1) moves it within half of the delay.

    It is not before `retry_after_seconds`, which a service asked for.
    """
    delay = min(BASE_DELAY_SECONDS * 2 ** (failures - 1), MAX_DELAY_SECONDS) * (0.5 + jitter / 2)
    return now + timedelta(seconds=max(delay, min(retry_after_seconds, MAX_RETRY_AFTER_SECONDS)))
