"""Runs that were removed after their time (`flexrun db prune`): who asks for one is told so, with 410."""

from __future__ import annotations

from eventstore.retention import pruned
from eventstore.store import EventStore
from gateway.errors import RunPruned
from runs.event import rfc3339


async def refuse_pruned(store: EventStore, run_id: str) -> None:
    """Raise RunPruned where a run of this id was removed. Raises StoreUnavailable."""
    found = await pruned(store, run_id.lower())
    if found is None:
        return
    where = f" It was exported to {found.exported_to}." if found.exported_to is not None else ""
    raise RunPruned(
        f"Run {found.run_id} ({found.status}, {found.events} events) ended at {rfc3339(found.completed_at)} and was "
        f"removed after its time, at {rfc3339(found.pruned_at)}.{where}"
    )
