"""The registry of capabilities, as the workers last registered them."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from eventstore.store import EventStore
from runs.event import JsonObject, rfc3339


async def register(store: EventStore, descriptors: Sequence[JsonObject], worker: str) -> None:
    """Register the capabilities of `worker`. A descriptor's `id` is its key; the last registration wins."""
    rows = [{"capability_id": descriptor["id"], "descriptor": descriptor} for descriptor in descriptors]
    await store.fetch("capabilities/register", {"rows": orjson.dumps(rows).decode(), "worker": worker})


async def list_capabilities(
    store: EventStore, *, seen_within_seconds: float | None = None
) -> list[JsonObject]:
    """The descriptors, by id, each with `worker`, `registeredAt` and `lastSeenAt` beside what was registered."""
    rows = await store.fetch("capabilities/list", {"seen_within_seconds": seen_within_seconds})
    return [
        {
            **descriptor,
            "worker": worker,
            "registeredAt": rfc3339(registered_at),
            "lastSeenAt": rfc3339(seen_at),
        }
        for descriptor, worker, registered_at, seen_at in rows
    ]
