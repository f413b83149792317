"""Back-pressure: how much unstarted work there is in the whole system, sampled while runs are started."""

from __future__ import annotations

import asyncio
import time

from eventstore import leases
from eventstore.errors import StoreError
from eventstore.store import EventStore
from eventstore.tenancy import for_every_tenant
from gateway.problems import RETRY_AFTER_SECONDS, ProblemError


class BacklogGauge:
    """Samples the backlog at most every `sample_seconds`, and not at all while no run is started.

    A run is judged by the sample that the one before it had taken, so that it never waits for one; only a full
    backlog is looked at again first.
    """

    def __init__(self, store: EventStore, limit: int, sample_seconds: float) -> None:
        self._store = store
        self.limit = limit
        self._sample_seconds = sample_seconds
        self._pending = 0
        self._sampled_at = float("-inf")
        self._sampling: asyncio.Task[None] | None = None

    async def check(self) -> None:
        """Raise the 503 while `limit` pieces of work wait, or more."""
        if self._pending >= self.limit:
            self.refresh()
            if self._sampling is not None:
                await asyncio.shield(self._sampling)
        if self._pending >= self.limit:
            raise self._full()

    def refresh(self) -> None:
        """Have a new sample taken, unless the last one is young."""
        if self._sampling is None and time.monotonic() - self._sampled_at >= self._sample_seconds:
            self._sampling = asyncio.create_task(self._sample(), context=for_every_tenant())

    async def _sample(self) -> None:
        try:
            # Counting stops somewhere beyond the limit: a larger number would change nothing, and cost more.
            self._pending = await leases.backlog(self._store, limit=2 * self.limit)
        except StoreError as error:
            self._store.outage.failed("backlog", str(error), on_demand=True)
        finally:
            self._sampled_at = time.monotonic()
            self._sampling = None

    def _full(self) -> ProblemError:
        return ProblemError(
            503,
            "backlog_full",
            f"{self._pending} pieces of work are waiting and the limit is {self.limit}; try again a little later.",
            headers={
                "Retry-After": str(RETRY_AFTER_SECONDS),
                "X-Backlog-Pending": str(self._pending),
                "X-Backlog-Limit": str(self.limit),
            },
        )
