"""Reading the whole log, every run, in one order that never changes.

Positions are assigned before commits happen, so a reader in order of position alone skips a transaction that commits
late. This one reads in order of (transaction, position) and stops at the oldest transaction that is still open. The
price: a write transaction that idles anywhere in the database server stalls it. `lag` measures that, and our own
connections have an `idle_in_transaction_session_timeout`. Streams of single runs do not depend on it: they go by seq.
"""

from __future__ import annotations

from dataclasses import dataclass

from eventstore.store import EventStore
from runs.event import Event


@dataclass(frozen=True, slots=True, order=True)
class LogCursor:
    """A place in the whole log: the transaction and the position of the last event read. Keep both."""

    xid: int
    position: int


LOG_BEGIN = LogCursor(0, 0)


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event and its place in the whole log."""

    cursor: LogCursor
    event: Event


@dataclass(frozen=True, slots=True)
class LogLag:
    """What is stored and not yet readable here: how many events, and the age of the oldest in seconds."""

    events: int
    seconds: float


async def read_log(
    store: EventStore, cursor: LogCursor, limit: int = 500
) -> tuple[list[LoggedEvent], LogCursor]:
    """Up to `limit` events after `cursor`, and the cursor of the last one (the same one where there is nothing new)."""
    rows = await store.query(
        "log/read_whole", {"xid": str(cursor.xid), "position": cursor.position, "limit": limit}
    )
    events = await store.seals.open(rows.read(Event))
    found = [LoggedEvent(place, event) for place, event in zip(rows.read(LogCursor), events, strict=True)]
    return found, found[-1].cursor if found else cursor


async def lag(store: EventStore) -> LogLag:
    """What open transactions hide from the readers of the whole log."""
    return (await store.select(LogLag, "log/lag", {}))[0]
