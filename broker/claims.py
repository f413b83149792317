"""Plans and outputs are claimed in the database before they are begun, once they have been delivered before.

Planning and composing are one append with their result, so that a process that dies or hangs over them leaves no
trace in the log. The first delivery goes without a claim, because a claim costs as much as the append. A hint that
comes again may be what its last consumer died of: from then on the work is claimed first, and a claim whose worker is
not heard of any more is charged to the work (`broker.keeper`). What is found in the table is claimed from the start.

A dead worker is charged to all that it had claimed. So a suspect, which has been charged before, is claimed only while
no other suspect is at work here: those that were lost together would be lost together until all are poisoned.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import structlog

from broker.interface import Handle, WorkHint
from eventstore import leases
from eventstore.background import start_background
from eventstore.errors import StoreUnavailable
from eventstore.store import EventStore

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

CLAIMED_BEFORE = frozenset({"plan", "output"})
"""The kinds of work whose claim is not an event of its own."""


@dataclass(slots=True)
class Claims:
    """The claims of one consumer, `claimant`, kept alive while they are at work."""

    store: EventStore
    claimant: str
    seconds: float
    _held: set[WorkHint] = field(default_factory=set[WorkHint])
    _leftover: set[WorkHint] = field(default_factory=set[WorkHint])
    _beating: asyncio.Task[None] | None = None
    _one_suspect: asyncio.Lock = field(default_factory=asyncio.Lock)

    def guarded(self, handle: Handle) -> Handle:
        """`handle`, which for a plan or an output that comes again is called under a claim."""

        async def guard(hint: WorkHint) -> asyncio.Task[None] | None:
            if not hint.again or hint.kind not in CLAIMED_BEFORE:
                return await handle(hint)
            if await self._take(hint, suspects=False):
                return await self._at_work(hint, handle)
            async with self._one_suspect:
                if await self._take(hint, suspects=True):
                    return await self._at_work(hint, handle)
            _log.debug("hint_claimed_elsewhere", run_id=hint.run_id, kind=hint.kind, attempt=hint.attempt)
            return None

        return guard

    async def _take(self, hint: WorkHint, *, suspects: bool) -> bool:
        work = (hint.run_id, hint.kind, hint.ref, hint.attempt)
        return await leases.take(self.store, work, self.claimant, self.seconds, suspects=suspects)

    async def _at_work(self, hint: WorkHint, handle: Handle) -> asyncio.Task[None] | None:
        self.hold(hint)
        try:
            return await handle(hint)
        finally:
            await self.release(hint)

    def hold(self, hint: WorkHint) -> None:
        """This is claimed: keep the claim until it is released."""
        self._held.add(hint)
        if self._beating is None:
            self._beating = start_background("claims", self._keep_beating())

    def begun(self, hint: WorkHint) -> None:
        """The work is started, and its lease is somebody's who keeps it alive."""
        self._held.discard(hint)

    async def release(self, *hints: WorkHint) -> None:
        """Give claims back, but for work that is started or gone. Where the database is away, that is done later."""
        self._held.difference_update(hints)
        try:
            await leases.release(self.store, hints, self.claimant)
        except StoreUnavailable as outage:
            self._leftover.update(hints)
            self.store.outage.failed("claims", outage.reason, on_demand=True)

    async def close(self) -> None:
        """Give back all that is left: who stops in good order has not died of it."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
        if self._held or self._leftover:
            await self.release(*self._held, *self._leftover)

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(self.seconds / 4)
            if self._leftover:
                leftover, self._leftover = self._leftover, set()
                await self.release(*leftover)
            if self._held:
                try:
                    await leases.extend(self.store, self.claimant, self.seconds)
                    self.store.outage.worked("claims")
                except StoreUnavailable as outage:
                    self.store.outage.failed("claims", outage.reason, on_demand=True)
