"""Reading from a tail in a test."""

from __future__ import annotations

from eventstore.tail import RunSubscription, RunTail
from runs.event import Event

Tail = RunTail[Event]


async def take(subscription: RunSubscription[Event], count: int, timeout_seconds: float = 5) -> list[Event]:
    """The next `count` events; fails when they do not come."""
    events: list[Event] = []
    while len(events) < count:
        batch = await subscription.next_batch(timeout_seconds)
        assert batch, f"only {len(events)} of {count} came"
        assert [seq for seq, _ in batch] == [event.seq for _, event in batch]
        events += [event for _, event in batch]
    return events
