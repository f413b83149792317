"""Whether tenants compete for the slots of a consumer, so that they have to be served in turn.

A queue of RabbitMQ gives its messages in the order in which they came: behind those of one who floods, others would
wait for all of them. But a hint says no more than that there is work, and what work there is the table says. So where
all slots are taken and work of several tenants waits, a hint counts for the next piece in turn, whichever that is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from eventstore import leases
from eventstore.errors import StoreError
from eventstore.store import EventStore

LOOK_SECONDS = 0.2
"""How often the table is asked while all slots are taken."""

LASTS_SECONDS = 30.0
"""For how long tenants are served in turn after several were seen: a hint that was given for another piece than its own
leaves that piece to a later hint."""

FULL_SECONDS = 1.0
"""For how long a consumer counts as full after its last free slot was taken."""


class Contention:
    """What one consumer knows of it."""

    def __init__(
        self, store: EventStore, queues: Sequence[str], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._queues = tuple(queues)
        self._monotonic = monotonic
        self._full_until = float("-inf")
        self._several_until = float("-inf")
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()

    @property
    def in_turn(self) -> bool:
        """Whether what is served next may have to be the next piece in turn: `several` knows."""
        now = self._monotonic()
        return now < self._full_until and (now < self._several_until or self._is_stale(now))

    def note_full(self) -> None:
        """All slots are taken, or were until now."""
        self._full_until = self._monotonic() + FULL_SECONDS

    async def several(self) -> bool:
        """Whether work of several tenants waits, or did lately; it asks the table where that was not done lately."""
        async with self._looking:
            now = self._monotonic()
            if now >= self._several_until and self._is_stale(now):
                self._looked_at = now
                await self._look()
        return self._monotonic() < self._several_until

    def _is_stale(self, now: float) -> bool:
        return now - self._looked_at >= LOOK_SECONDS

    async def _look(self) -> None:
        try:
            if await leases.several_tenants_wait(self._store, self._queues):
                self._several_until = self._monotonic() + LASTS_SECONDS
        except StoreError as error:
            self._store.outage.failed("turns of tenants", str(error), on_demand=True)
