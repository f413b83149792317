"""The circuit breaker of an endpoint, shared by all processes through `flex_capabilities`.

Closed: it is called. After FAILURES_IN_A_ROW it is open: nobody calls it before `open_until`. Then it is half-open: the
first who asks takes the one probe. A call that works closes it, a probe that fails opens it for twice as long.
"""

from __future__ import annotations

from datetime import datetime

from eventstore.capabilities import CapabilityRow
from eventstore.store import EventStore

FAILURES_IN_A_ROW = 5
FIRST_OPEN_SECONDS = 5.0
LONGEST_OPEN_SECONDS = 60.0
PROBE_SECONDS = 60.0
"""How long a probe may take, before another process probes too."""


def is_failing(row: CapabilityRow) -> bool:
    """Whether the endpoint is not to be called but by a probe."""
    return row.failures >= FAILURES_IN_A_ROW


async def call_failed(
    store: EventStore,
    capability_id: str,
    version: str,
    *,
    probed: bool,
) -> datetime | None:
    """Count a failed call; until when the endpoint is not called, None where it still is."""
    parameters = {
        "capability_id": capability_id,
        "version": version,
        "threshold": FAILURES_IN_A_ROW,
        "first_seconds": FIRST_OPEN_SECONDS,
        "longest_seconds": LONGEST_OPEN_SECONDS,
        "probed": probed,
    }
    rows = await store.fetch("capabilities/call_failed", parameters)
    return rows[0][1] if rows else None


async def call_worked(store: EventStore, capability_id: str, version: str) -> bool:
    """Close the breaker; False where it had counted nothing."""
    rows = await store.fetch("capabilities/call_worked", {"capability_id": capability_id, "version": version})
    return bool(rows)


async def take_probe(store: EventStore, capability_id: str, version: str) -> bool:
    """Whether the caller may make the one call by which the endpoint is tried."""
    parameters = {
        "capability_id": capability_id,
        "version": version,
        "threshold": FAILURES_IN_A_ROW,
        "seconds": PROBE_SECONDS,
    }
    return bool(await store.fetch("capabilities/probe", parameters))


async def return_probe(store: EventStore, capability_id: str, version: str) -> None:
    """The probe that was taken tells nothing of the endpoint: another may be made at once."""
    parameters = {"capability_id": capability_id, "version": version, "threshold": FAILURES_IN_A_ROW}
    await store.fetch("capabilities/return_probe", parameters)
