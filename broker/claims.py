"""Plans and outputs are counted before they are begun, so that a process that dies or hangs over them is charged.

Planning and composing are one append with their result: the log does not show that they were begun. What is found in
the table is claimed there from the start. What comes by a hint is claimed by name (`leases.take`), in the statement
that reads the run; in a process with a supervisor that outlives it, what comes from its own commits is noted in memory
that they share (`broker.journal`), which costs no statement. A claim whose worker is not heard of any more is charged
to the work by `broker.keeper`.

A dead worker is charged to all that it had claimed. So a suspect, which has been charged before, is claimed only while
no other suspect is at work here: those that were lost together would be lost together until all are poisoned.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import cast

import structlog

from broker.interface import Handle, WorkHint
from broker.journal import Journal
from eventstore import leases
from eventstore.background import start_background
from eventstore.batch import Commit
from eventstore.errors import StoreUnavailable
from eventstore.store import EventStore
from runs.outstanding import outstanding
from schemas.vocabulary import WorkKind

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

COUNTED_BEFORE = frozenset({"plan", "output"})
"""The kinds of work whose claim is not an event of its own."""


@dataclass(slots=True)
class Claims:
    """The claims of one consumer, `claimant`, kept alive while they are at work."""

    store: EventStore
    claimant: str
    seconds: float
    journal: Journal | None = None
    _held: set[WorkHint] = field(default_factory=set[WorkHint])
    _noted: set[WorkHint] = field(default_factory=set[WorkHint])
    _leftover: set[WorkHint] = field(default_factory=set[WorkHint])
    _beating: asyncio.Task[None] | None = None
    _one_suspect: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.store.on_commit(self._on_commit)

    def guarded(self, handle: Handle) -> Handle:
        """`handle`, which is called for a plan or an output once that is counted."""

        async def guard(hint: WorkHint) -> asyncio.Task[None] | None:
            if hint.claimed or hint.kind not in COUNTED_BEFORE:
                return await handle(hint)
            if self.journal is not None and (place := self.journal.begin(hint)) is not None:
                self._noted.add(hint)
                try:
                    return await handle(hint)
                finally:
                    self.journal.end(place)
                    self._noted.discard(hint)
                    await self.release(hint)
            return await self._claim(hint, handle)

        return guard

    def is_noted(self, hint: WorkHint) -> bool:
        """Whether this is at work here without a claim; one that is made meanwhile is given back when it ends."""
        return hint in self._noted

    async def _claim(self, hint: WorkHint, handle: Handle) -> asyncio.Task[None] | None:
        if hint not in self._held:
            self.hold(hint)
            try:
                if await self._take(hint, suspects=False):
                    return await handle(hint)
                async with self._one_suspect:
                    if await self._take(hint, suspects=True):
                        return await handle(hint)
                self._held.discard(hint)
            finally:
                await self.release(hint)
        _log.debug("hint_claimed_elsewhere", run_id=hint.run_id, kind=hint.kind, attempt=hint.attempt)
        return None

    async def _take(self, hint: WorkHint, *, suspects: bool) -> bool:
        work = (hint.run_id, hint.kind, hint.ref, hint.attempt)
        return await leases.take(self.store, work, self.claimant, self.seconds, suspects=suspects)

    def hold(self, hint: WorkHint) -> None:
        """This is claimed: keep the claim until it is released."""
        self._held.add(hint)
        if self._beating is None:
            self._beating = start_background("claims", self._keep_beating())

    def begun(self, hint: WorkHint) -> None:
        """The work is started, and its lease is somebody's who keeps it alive."""
        self._held.discard(hint)

    async def release(self, *hints: WorkHint) -> None:
        """Give back those that are not started or gone. Where the database is away, that is done later."""
        held = [hint for hint in hints if hint in self._held]
        self._held.difference_update(held)
        if held:
            await self._release(held)

    async def _release(self, hints: list[WorkHint]) -> None:
        try:
            await leases.release(self.store, hints, self.claimant)
        except StoreUnavailable as outage:
            self._leftover.update(hints)
            self.store.outage.failed("claims", outage.reason, on_demand=True)

    def _on_commit(self, commit: Commit) -> None:
        """Forget what this process has just done: the claim went with the work, and need not be given back."""
        run_id = commit.after.run_id
        held = [hint for hint in self._held if hint.run_id == run_id]
        if held:
            left = outstanding(commit.after)
            for hint in held:
                work = left.get((cast("WorkKind", hint.kind), hint.ref))
                if work is None or work.started or work.attempt != hint.attempt:
                    self._held.discard(hint)

    async def close(self) -> None:
        """Give back all that is left: who stops in good order has not died of it."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
        left = list(self._held | self._leftover)
        self._held.clear()
        if left:
            await self._release(left)

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(self.seconds / 4)
            if self._leftover:
                leftover, self._leftover = self._leftover, set()
                await self._release(list(leftover))
            if self._held:
                try:
                    await leases.extend(self.store, self.claimant, self.seconds)
                    self.store.outage.worked("claims")
                except StoreUnavailable as outage:
                    self.store.outage.failed("claims", outage.reason, on_demand=True)
