"""Back-pressure: how much unstarted work there is in the whole system, looked at now and then."""

from __future__ import annotations

import asyncio
import time

from eventstore import queries
from eventstore.store import EventStore
from gateway.problems import RETRY_AFTER_SECONDS, ProblemError


class BacklogGauge:
    """Samples the backlog at most every `sample_seconds`, and not at all while nobody asks."""

    def __init__(self, store: EventStore, limit: int, sample_seconds: float) -> None:
        self._store = store
        self._limit = limit
        self._sample_seconds = sample_seconds
        self._pending = 0
        self._sampled_at = float("-inf")
        self._sampling: asyncio.Task[None] | None = None

    async def check(self) -> None:
        """Raise the 503 while more than `limit` pieces of work wait.

        A new sample is taken beside the request, which is judged by the one before; only where that says no is it
        worth waiting for.
        """
        if time.monotonic() - self._sampled_at >= self._sample_seconds and self._sampling is None:
            self._sampling = asyncio.ensure_future(self._sample())
        if self._pending < self._limit:
            return
        if self._sampling is not None:
            await asyncio.shield(self._sampling)
        if self._pending >= self._limit:
            raise self._full()

    async def _sample(self) -> None:
        try:
            self._pending = await queries.backlog(self._store)
            self._sampled_at = time.monotonic()
        finally:
            self._sampling = None

    def _full(self) -> ProblemError:
        return ProblemError(
            503,
            "backlog_full",
            f"{self._pending} pieces of work are waiting and the limit is {self._limit}; try again a little later.",
            headers={
                "Retry-After": str(RETRY_AFTER_SECONDS),
                "X-Backlog-Pending": str(self._pending),
                "X-Backlog-Limit": str(self._limit),
            },
        )
