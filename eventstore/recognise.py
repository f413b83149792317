"""Whether events are in the log already: asked when the answer to their append was lost with the connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from eventstore.connection import Connection
from eventstore.statements import statement
from runs.event import Event


def event_of(row: tuple[Any, ...]) -> Event:
    """The event of a row of `read_events.sql` and its kin."""
    return Event(*row)


async def is_stored(connection: Connection, events: Sequence[Event]) -> bool:
    """Whether the log holds exactly these events at their places. Raises psycopg.Error."""
    first, last = events[0], events[-1]
    cursor = await connection.execute(
        statement("log/read"),
        {"run_id": first.run_id, "after": first.seq - 1, "until": last.seq, "limit": len(events)},
    )
    found = [event_of(row) for row in await cursor.fetchall()]
    return [_identity(event) for event in found] == [_identity(event) for event in events]


def _identity(event: Event) -> tuple[object, ...]:
    facts = orjson.loads(orjson.dumps([event.payload, event.detail]))
    return (event.seq, event.type, event.node_id, event.recorded_at, facts)
