"""Deletes rows that were kept for attempts and workers beside the log, once these are gone, and old operations.

An end of an attempt does not delete them itself: that would make each append larger, and what counts against a limit
of starts a minute has to stay for that minute. Tokens of attempts and callbacks are signed and in no table.
"""

from __future__ import annotations

from eventstore.store import EventStore

QUIET_SECONDS = 60.0
"""How long nothing was written to a row before it is deleted."""

WORKER_SILENT_SECONDS = 24 * 3600.0
OPERATIONS_KEPT_SECONDS = 400 * 24 * 3600.0
"""A year and what it takes to look back at it."""

AT_ONCE = 5_000
"""How many rows of each kind are deleted in one go."""


async def tidy(
    store: EventStore,
    *,
    quiet_seconds: float = QUIET_SECONDS,
    worker_silent_seconds: float = WORKER_SILENT_SECONDS,
    operations_kept_seconds: float = OPERATIONS_KEPT_SECONDS,
    limit: int = AT_ONCE,
) -> int:
    """Delete up to `limit` rows of each kind; the largest number that was deleted. Raises StoreUnavailable."""
    ended = {"quiet_seconds": quiet_seconds, "limit": limit}
    silent = {"silent_seconds": worker_silent_seconds, "limit": limit}
    partial_outputs = await store.fetch("tidying/drop_partial_outputs", ended)
    starts = await store.fetch("tidying/drop_starts", ended)
    workers = await store.fetch("tidying/drop_workers", silent)
    processes = await store.fetch("tidying/drop_processes", silent)
    old = {"keep_seconds": operations_kept_seconds, "limit": limit}
    operations = await store.fetch("tidying/drop_operations", old)
    rates = await store.fetch("tidying/drop_rates", ended)
    return max(rows[0][0] for rows in (partial_outputs, starts, workers, processes, operations, rates))
