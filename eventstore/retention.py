"""Removes finished runs after their time: the log, the read models and all else that belongs to them, whole runs only.

A bundle of runs is one small transaction, so appends never wait for long; a run that is being changed at that moment
is left for the next time. What was removed stays known by its id (`flex_pruned_runs`). A run stays as long as a webhook
has not been told of all of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from eventstore.store import EventStore, is_run_id

EVENTS_AT_ONCE = 300
"""A bundle has about so many events at most: it takes some milliseconds, for which an append may have to wait."""

RUNS_AT_ONCE = 25

REST = 24.0
"""After a bundle, how often as long as its transaction took is rested: a twenty-fifth of the time of one connection is
used, and less work is done when the database is busy, since a transaction takes longer then."""

_CLOCK_MARGIN = timedelta(seconds=1)
"""How far our copy of the database's clock may be off."""

Export = Callable[[str], Awaitable[str]]
"""Writes a run's whole history where it outlives the run, durably, and returns where that is."""


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run that may be removed; `events` is the length of its log."""

    run_id: str
    events: int
    completed_at: datetime


@dataclass(frozen=True, slots=True)
class Prunable:
    """How many runs ended before a time, with how many events, and when the first of them ended."""

    runs: int
    events: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class PrunedRun:
    """A run that was removed: what it came to, the length of its log, and where it was exported to, if it was.

    `head_hash` (hex) is that of its last event; None for a run of a version that had no hashes.
    """

    run_id: str
    status: str
    events: int
    completed_at: datetime
    exported_to: str | None
    pruned_at: datetime
    head_hash: str | None


@dataclass(frozen=True, slots=True)
class PrunedBundle:
    """What one bundle removed; `left` runs were being changed."""

    runs: int
    events: int
    left: int


def ended_before(store: EventStore, older_than_seconds: float) -> datetime:
    """The time so many seconds ago by the database's clock."""
    return store.clock() - timedelta(seconds=older_than_seconds)


async def prunable(store: EventStore, before: datetime) -> Prunable:
    """What `prune` would look at. Raises StoreUnavailable."""
    return (await store.select(Prunable, "retention/count", {"ended_before": before}))[0]


async def pruned(store: EventStore, run_id: str) -> PrunedRun | None:
    """What is known of a run that was removed; None where none of this id was. Raises StoreUnavailable."""
    if not is_run_id(run_id):
        return None
    rows = await store.select(PrunedRun, "retention/pruned", {"run_id": run_id})
    return rows[0] if rows else None


async def prune(
    store: EventStore, before: datetime, *, export: Export | None = None, limit: int | None = None
) -> AsyncGenerator[PrunedBundle]:
    """Remove runs that ended before a time, those that ended first in front, `limit` at most; yields each bundle.

    It can be left at any bundle and called again. After each it rests: as long as finding and exporting its runs took,
    and for its transaction see `REST`. Raises StoreUnavailable, and what `export` raises: the bundle stays then.
    """
    loop = asyncio.get_running_loop()
    place, remaining = ("-infinity", "00000000-0000-0000-0000-000000000000"), limit
    while remaining is None or remaining > 0:
        began = loop.time()
        found = await _candidates(store, before, place, min(remaining or RUNS_AT_ONCE, RUNS_AT_ONCE))
        if not found:
            return
        runs = _bundle(found)
        place = (runs[-1].completed_at.astimezone(UTC).isoformat(), runs[-1].run_id)
        exported = await _exported(store, runs, export)
        ready = loop.time()
        bundle = await _remove(store, before, runs, exported)
        rest_seconds = (ready - began) + REST * (loop.time() - ready)
        remaining = None if remaining is None else remaining - len(runs)
        yield bundle
        if remaining is None or remaining > 0:
            await asyncio.sleep(rest_seconds)


async def _candidates(
    store: EventStore, before: datetime, place: tuple[str, str], limit: int
) -> list[FinishedRun]:
    return await store.select(
        FinishedRun,
        "retention/candidates",
        {"ended_before": before, "after_time": place[0], "after_run": place[1], "limit": limit},
    )


def _bundle(found: Sequence[FinishedRun]) -> Sequence[FinishedRun]:
    """As many from the front as have no more than EVENTS_AT_ONCE events, one at least."""
    events = 0
    for count, run in enumerate(found):
        events += run.events
        if count and events > EVENTS_AT_ONCE:
            return found[:count]
    return found


@dataclass(frozen=True, slots=True)
class _Exported:
    """Which runs were exported to which place (None: nowhere), and since when none of them may have been erased."""

    places: dict[str | None, list[str]]
    since: datetime | None


async def _exported(store: EventStore, runs: Sequence[FinishedRun], export: Export | None) -> _Exported:
    since = store.clock() - _CLOCK_MARGIN if export is not None else None
    places = dict[str | None, list[str]]()
    for run in runs:
        place = await export(run.run_id) if export is not None else None
        places.setdefault(place, []).append(run.run_id)
    return _Exported(places, since)


async def _remove(
    store: EventStore, before: datetime, runs: Sequence[FinishedRun], exported: _Exported
) -> PrunedBundle:
    """Remove runs that are exported; one that is left is exported again the next time.

    One that was erased since is left: its file is written again, with the tombstone.
    """
    removed = set[str]()
    for place, run_ids in exported.places.items():
        rows = await store.fetch(
            "retention/prune",
            {
                "run_ids": run_ids,
                "ended_before": before,
                "exported_to": place,
                "exported_since": exported.since,
            },
        )
        removed |= {str(row[0]) for row in rows}
    events = sum(run.events for run in runs if run.run_id in removed)
    return PrunedBundle(len(removed), events, len(runs) - len(removed))
