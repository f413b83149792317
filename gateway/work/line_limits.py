"""How many lines the workers at this gateway may write into the logs of their runs."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from eventstore.task_tokens import TaskKey

LINES = 200
LINES_AT_ONCE = 20
LINES_PER_SECOND = 5.0
MAX_ATTEMPTS = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float
    written: int = 0


class LineLimits:
    """For each attempt: so many lines in all, in one go, and in a second; as in the executor."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._buckets: OrderedDict[TaskKey, _Bucket] = OrderedDict()

    def admit(self, task: TaskKey) -> bool:
        """Whether this attempt may write one more line now."""
        now = self._monotonic()
        bucket = self._buckets.setdefault(task, _Bucket(LINES_AT_ONCE, now))
        self._buckets.move_to_end(task)
        if len(self._buckets) > MAX_ATTEMPTS:
            self._buckets.popitem(last=False)
        bucket.tokens = min(LINES_AT_ONCE, bucket.tokens + (now - bucket.filled_at) * LINES_PER_SECOND)
        bucket.filled_at = now
        if bucket.tokens < 1 or bucket.written >= LINES:
            return False
        bucket.tokens -= 1
        bucket.written += 1
        return True
