"""What a policy asks about: its request refers to an event, whose payload is filled in when one request is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from eventstore.queries.requests import RequestRow
from eventstore.store import EventStore
from runs.event import JsonObject


async def with_policy_context(store: EventStore, row: RequestRow) -> RequestRow:
    """The request with the payload of the event that its `additionalContext.eventId` names. Raises StoreUnavailable.

    For one request at a time: a list of all that wait shows the references alone.
    """
    context = row.payload.get("additionalContext")
    if row.subject != "policy" or not isinstance(context, dict):
        return row
    shown = cast(JsonObject, context)
    event_id = str(shown.get("eventId", ""))
    if not event_id.isdigit():
        return row
    events = await store.read(row.run_id, after=int(event_id) - 1, until=int(event_id))
    if not events:
        return row
    return replace(row, payload={**row.payload, "additionalContext": {**shown, "payload": events[0].payload}})
