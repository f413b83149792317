"""Plans and outputs are claimed before they start, so that a process that dies or hangs in one is charged to it.

Planning and composing are one append with their result: the log does not show that they started. Work found in
the table is claimed by that query. Work from a hint is claimed by name (`leases.take`), in the statement
that reads the run; in a process with a supervisor that outlives it, work from its own commits is noted in memory
that they share (`broker.journal`), which costs no statement. A claim whose worker sends no heartbeat any more is
charged to the work by `broker.keeper`.

A dead worker is charged to all work that it had claimed. So a suspect (work charged before) is claimed only while no
other suspect is in flight here: suspects lost together would be lost together again until all are poisoned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import structlog

from broker.interface import Handle, WorkHint
from broker.journal import Journal
from eventstore import leases
from eventstore.background import end_background, start_background
from eventstore.batch import Commit
from eventstore.errors import StoreUnavailable
from eventstore.leases import WorkRow
from eventstore.store import EventStore
from eventstore.turns import Turns
from runs.outstanding import outstanding
from schemas.vocabulary import WorkKind

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

COUNTED_BEFORE = frozenset({"plan", "output"})
"""The kinds of work whose claim is not an event of its own."""


@dataclass(slots=True)
class Claims:
    """The claims of one consumer, `claimant`, with heartbeats while they are in flight."""

    store: EventStore
    claimant: str
    seconds: float
    journal: Journal | None = None
    _held: set[WorkHint] = field(default_factory=set[WorkHint])
    _noted: set[WorkHint] = field(default_factory=set[WorkHint])
    _leftover: set[WorkHint] = field(default_factory=set[WorkHint])
    _beating: asyncio.Task[None] | None = None
    _turns: Turns = field(default_factory=Turns)
    _one_suspect: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.store.on_commit(self._on_commit)

    def guarded(self, handle: Handle) -> Handle:
        """`handle`, called for a plan or an output only once that is claimed or noted."""

        async def guard(hint: WorkHint) -> asyncio.Task[None] | None:
            if hint.claimed or hint.kind not in COUNTED_BEFORE:
                return await handle(hint)
            if hint in self._held or hint in self._noted:
                return self._elsewhere(hint)  # a query claimed it between its commit and this hint
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
        """Whether this is in flight here without a claim; a claim made meanwhile is released when it ends."""
        return hint in self._noted

    async def _claim(self, hint: WorkHint, handle: Handle) -> asyncio.Task[None] | None:
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
        return self._elsewhere(hint)

    @staticmethod
    def _elsewhere(hint: WorkHint) -> None:
        _log.debug("hint_claimed_elsewhere", run_id=hint.run_id, kind=hint.kind, attempt=hint.attempt)

    async def _take(self, hint: WorkHint, *, suspects: bool) -> bool:
        work = (hint.run_id, hint.kind, hint.ref, hint.attempt)
        return await leases.take(self.store, work, self.claimant, self.seconds, suspects=suspects)

    async def query(self, queues: Sequence[str], limit: int, *, has_suspect: bool) -> list[WorkRow]:
        """Claim due work of these queues, at most `limit`, of tenants in turn. Raises StoreUnavailable."""
        return await leases.claim(
            self.store,
            queues,
            self.claimant,
            self.seconds,
            limit,
            turns=self._turns,
            has_suspect=has_suspect,
        )

    def hold(self, hint: WorkHint) -> None:
        """Extend the lease of this claimed hint until it is released."""
        self._held.add(hint)
        if self._beating is None:
            self._beating = start_background("claims", self._keep_beating())

    def begun(self, hint: WorkHint) -> None:
        """The work has started: another part extends its lease from now on."""
        self._held.discard(hint)

    async def release(self, *hints: WorkHint) -> None:
        """Release the claims that are not started or gone; later, if the database is unavailable."""
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
        """Forget work that this process has just finished: its claim is gone with it and needs no release."""
        run_id = commit.after.run_id
        held = [hint for hint in self._held if hint.run_id == run_id]
        if held:
            left = outstanding(commit.after)
            for hint in held:
                work = left.get((cast("WorkKind", hint.kind), hint.ref))
                if work is None or work.started or work.attempt != hint.attempt:
                    self._held.discard(hint)

    async def close(self) -> None:
        """Release all claims that are left: a graceful stop is not a loss."""
        if self._beating is not None:
            await end_background(self._beating)
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


def claimed_hint(row: WorkRow) -> WorkHint:
    """The hint of work that a query has claimed."""
    return WorkHint(row.run_id, row.kind, row.ref, row.attempt, row.queue, claimed=True)
