"""Erases the data of finished runs: the key is destroyed, and the rows that hold plain data are emptied.

The log stays as it is, sealed for good: its chain and every checkpoint still hold. What an erasure reaches, and what
it does not, is in docs/proof.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from eventstore.sealing import RunKey
from eventstore.store import EventStore
from eventstore.tenancy import EVERY_TENANT, working_for
from schemas.vocabulary import RunStatus

Erasing = Literal["erased", "before", "in_progress", "no_key", "unknown"]
"""What came of it. before: it was erased already · no_key: it began while `FLEXRUN_ERASABLE` was off."""

MOST_FORKS = 1_000
"""How many of the runs that were made from one are named."""


@dataclass(frozen=True, slots=True)
class RunToErase:
    """A run as far as its erasure is concerned; `keyed` says whether it has, or had, a key."""

    run_id: str
    status: RunStatus
    events: int
    completed_at: datetime | None
    keyed: bool
    erased_at: datetime | None
    erased_by: str | None
    reason: str | None

    @property
    def erased(self) -> dict[str, str | None] | None:
        """What stands in place of its data; None where it still has its data."""
        if self.erased_at is None:
            return None
        return RunKey(self.run_id, None, self.erased_at, self.erased_by, self.reason).tombstone


@dataclass(frozen=True, slots=True)
class CopiedTo:
    """A run that was made from another one, and has copies of its data under a key of its own."""

    run_id: str
    status: RunStatus
    erased_at: datetime | None
    keyed: bool


async def erase(store: EventStore, run_id: str, by: str, reason: str | None) -> Erasing:
    """Erase a run, in one transaction. Other processes are told with it. Raises StoreUnavailable."""
    if not await store.visible([run_id]):
        return "unknown"
    with working_for(EVERY_TENANT):  # what waits in queues belongs to nobody
        rows = await store.fetch("erasure/erase", {"run_id": run_id, "by": by, "reason": reason})
    store.forget({run_id})
    return rows[0][0]


async def run_to_erase(store: EventStore, run_id: str) -> RunToErase | None:
    """The run; None where there is none. Raises StoreUnavailable."""
    if not await store.visible([run_id]):
        return None
    rows = await store.select(RunToErase, "erasure/run", {"run_id": run_id})
    return rows[0] if rows else None


async def copied_to(store: EventStore, run_id: str) -> list[CopiedTo]:
    """The runs that were made from this one, and from those, the oldest first. Raises StoreUnavailable."""
    return await store.select(CopiedTo, "erasure/forks", {"run_id": run_id, "limit": MOST_FORKS})
