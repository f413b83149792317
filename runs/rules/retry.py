"""When something that failed is tried again: exponential back-off with jitter, capped."""

from __future__ import annotations

from datetime import datetime, timedelta

BASE_DELAY_SECONDS = 0.2
MAX_DELAY_SECONDS = 60.0
MAX_LOSSES = 10
"""How often a worker may vanish under the same plan or node before it is taken for the cause."""


def next_attempt_at(now: datetime, failures: int, jitter: float) -> datetime:
    """The time of the next try after `failures` (1, 2, …); `jitter` in [0, 1) moves it within half of the delay."""
    delay = min(BASE_DELAY_SECONDS * 2 ** (failures - 1), MAX_DELAY_SECONDS)
    return now + timedelta(seconds=delay * (0.5 + jitter / 2))
