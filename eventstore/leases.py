"""Who is at work on what, and until when. Leases are the one thing in the read models that is not in the log.

No statement here waits for more than one row: those that touch several pass over rows that a commit is just changing.
All times are the database's, so that the clocks of workers do not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from eventstore.reader import Rows
from eventstore.store import EventStore, is_run_id
from runs.outstanding import TIMER_QUEUE

HeldWork = tuple[str, str, str, int]
"""(run id, kind, reference, attempt)"""


@dataclass(frozen=True, slots=True)
class WorkRow:
    """A row of `flex_work`. `due_at` is never None: it is the moment at which the work became outstanding, or later."""

    run_id: str
    kind: str
    ref: str
    queue: str
    attempt: int
    started: bool
    due_at: datetime
    worker: str | None
    lease_until: datetime | None


def _work(rows: Rows) -> list[WorkRow]:
    return [WorkRow(*row) for row in rows]


async def claim(
    store: EventStore, queues: Sequence[str], worker: str, lease_seconds: float, limit: int
) -> list[WorkRow]:
    """Take up to `limit` pieces of free, due work, the oldest first. Doing it begins with an append, as always."""
    rows = await store.fetch(
        "claim_work",
        {"queues": list(queues), "worker": worker, "lease_seconds": lease_seconds, "limit": limit},
    )
    return sorted(_work(rows), key=lambda row: row.due_at)


async def release(store: EventStore, rows: Iterable[WorkRow], worker: str) -> None:
    """Give back claims that were not started; those that are started or have passed to others are left alone."""
    rows = list(rows)
    await store.fetch(
        "release_work",
        {
            "run_ids": [row.run_id for row in rows],
            "kinds": [row.kind for row in rows],
            "refs": [row.ref for row in rows],
            "worker": worker,
        },
    )


async def extend(store: EventStore, worker: str, lease_seconds: float) -> set[HeldWork]:
    """The heartbeat: extend all that `worker` holds, in one statement, and say what that is.

    Work that is missing in the answer has been taken away: stop doing it.
    """
    rows = await store.fetch("extend_leases", {"worker": worker, "lease_seconds": lease_seconds})
    return {(run_id, kind, ref, attempt) for run_id, kind, ref, attempt in rows}


async def expired(store: EventStore, limit: int = 200) -> list[WorkRow]:
    """Started work whose lease is over, the longest first. Claims that never started are simply freed on the way."""
    await store.fetch("free_expired_claims", {})
    return _work(await store.fetch("expired_leases", {"limit": limit}))


async def due_timers(store: EventStore, limit: int = 200) -> list[WorkRow]:
    """Request expiries and deadlines whose time has come."""
    return _work(await store.fetch("due_timers", {"queue": TIMER_QUEUE, "limit": limit}))


async def unclaimed(store: EventStore, older_than_seconds: float, limit: int = 500) -> list[WorkRow]:
    """Due work that nobody has taken for so long since it was last hinted at; it counts as hinted at now."""
    return _work(
        await store.fetch(
            "unclaimed_work",
            {"older_than_seconds": older_than_seconds, "limit": limit, "timer_queue": TIMER_QUEUE},
        )
    )


async def next_due_at(store: EventStore) -> datetime | None:
    """When the next retry, expiry or deadline falls due; None when nothing is scheduled."""
    return (await store.fetch("next_due_at", {}))[0][0]


async def record_failure(store: EventStore, run_id: str, kind: str, ref: str) -> int:
    """Count an unforeseen failure of this work: how many there are now; 0 where there is no such work."""
    if not is_run_id(run_id):
        return 0
    rows = await store.fetch("record_failure", {"run_id": run_id, "kind": kind, "ref": ref})
    return rows[0][0] if rows else 0
