"""Deliveries for the process that makes them: fed from the log, queued in lanes, claimed, finished, deleted.

A lane is the queue of one run at one webhook. A claim is a lease on the lane, so that its deliveries go out in the
order of the log and never two at a time. All times are the database's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eventstore.store import EventStore
from eventstore.webhooks import DeliveryStatus
from runs.event import Event


@dataclass(frozen=True, slots=True)
class Fed:
    """The result of a feed. `more`: there is more to read at once. `held_back`: an open transaction hides stored
    events."""

    webhooks: int
    written: int
    more: bool
    held_back: bool


@dataclass(frozen=True, slots=True)
class _Lane:
    hook_id: str
    url: str
    secret: bytes
    attempt: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """The next delivery of a lane that this process has claimed; `attempt` counts from 1, lost attempts included.

    The event is without its detail, which no frame shows.
    """

    hook_id: str
    url: str
    secret: bytes
    attempt: int
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryAttempt:
    """The result of an attempt. `retry_seconds`: the time until the next try of a failed one, None for no further
    try."""

    delivered: bool
    response_status: int | None = None
    error: str | None = None
    retry_seconds: float | None = None


async def feed(store: EventStore, limit: int) -> Fed:
    """Read the log further, at most `limit` events for each webhook, and write the deliveries."""
    return (await store.select(Fed, "webhooks/feed", {"limit": limit}))[0]


async def claim(
    store: EventStore, worker: str, lease_seconds: float, slots: int, busy: Mapping[str, int]
) -> list[Claimed]:
    """Take what is due: for each webhook up to `slots`, less those that are `busy` with it (webhook id → how many).

    Lanes whose claim was lost with the connection are due again when the lease is over.
    """
    parameters: dict[str, Any] = {"worker": worker, "lease_seconds": lease_seconds}
    lanes = await store.fetch("webhooks/claim_lanes", parameters | _slots(slots, busy))
    if not lanes:
        return []
    hook_ids, run_ids = zip(*lanes, strict=True)
    found = await store.query(
        "webhooks/claimed_deliveries",
        {"hook_ids": list(hook_ids), "run_ids": list(run_ids), "worker": worker},
    )
    events = await store.seals.open(found.read(Event))
    return [
        Claimed(lane.hook_id, lane.url, lane.secret, lane.attempt, event)
        for lane, event in zip(found.read(_Lane), events, strict=True)
    ]


async def next_due_seconds(store: EventStore, slots: int, busy: Mapping[str, int]) -> float | None:
    """In how many seconds a claim would find something, negative if at once; None when nothing waits."""
    return (await store.fetch("webhooks/next_delivery", _slots(slots, busy)))[0][0]


async def record_attempt(
    store: EventStore, claimed: Claimed, worker: str, attempt: DeliveryAttempt, give_up_seconds: float
) -> DeliveryStatus | None:
    """Store the result and release the lane; the delivery's status now, None where the lane belongs to another worker.

    A failure is final where no retry is asked for, or where that would be later than `give_up_seconds` after it
    was queued.
    """
    rows = await store.fetch(
        "webhooks/record_attempt",
        {
            "hook_id": claimed.hook_id,
            "run_id": claimed.event.run_id,
            "seq": claimed.event.seq,
            "worker": worker,
            "attempt": claimed.attempt,
            "delivered": attempt.delivered,
            "response_status": attempt.response_status,
            "error": attempt.error,
            "retry_seconds": attempt.retry_seconds,
            "give_up_seconds": give_up_seconds,
        },
    )
    return rows[0][0] if rows else None


async def release(store: EventStore, worker: str) -> None:
    """Release every lane of `worker`."""
    await store.fetch("webhooks/release_lanes", {"worker": worker})


async def disable(store: EventStore, hook_id: str, reason: str) -> None:
    """Disable a webhook: no more deliveries begin, and `tidy` gives up those that wait."""
    await store.fetch("webhooks/disable", {"id": hook_id, "reason": reason})


async def tidy(store: EventStore, keep_seconds: float, bundle: int = 1000) -> int:
    """Give up what waits for disabled webhooks; drop idle lanes, deliveries finished long ago, removed webhooks.

    Each at most `bundle` rows at a time; the largest number of rows that one of them met.
    """
    parameters = {"limit": bundle, "keep_seconds": keep_seconds}
    duties = (
        "webhooks/abandon_deliveries",
        "webhooks/drop_idle_lanes",
        "webhooks/drop_finished_deliveries",
        "webhooks/drop_removed_deliveries",
    )
    met = [(await store.fetch(name, parameters))[0][0] for name in duties]
    await store.fetch("webhooks/drop_removed", {})
    return max(met)


def _slots(slots: int, busy: Mapping[str, int]) -> dict[str, Any]:
    return {"slots": slots, "busy_hooks": list(busy), "busy_slots": list(busy.values())}
