"""Lists of runs: filters, of which one walks an index of its own, and pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, get_args

from eventstore.queries.runs import RunRow, with_objectives
from eventstore.store import EventStore
from eventstore.tenancy import tenant_of_scope
from runs.transitions import TERMINAL
from schemas.vocabulary import RunStatus

WINDOW_RUNS = 10_000
"""How many runs a page looks at where filters are left that the walked index does not know."""

WaitFilter = Literal["person", "task", "paused", "timer", "worker", "lease", "limit", "endpoint", "callback"]
WAIT_FILTERS: tuple[WaitFilter, ...] = get_args(WaitFilter)

_LAST_RUN_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"
_OPEN: tuple[str, ...] = tuple(each for each in get_args(RunStatus) if each not in TERMINAL)
_WALKS = {
    "thread_id": "thread",
    "error_code": "error",
    "run_label": "label",
    "submitted_by": "submitter",
    "capability_id": "capability",
    "client_id": "client",
}
"""Filters with an index of their own, those that likely match the fewest runs first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilters:
    """Which runs to list; None does not filter.

    `objective` is a part of the objective in any case, `capability_id` that of a node of the plan in force. Runs were
    created at `created_after` or later, and before `created_before`. `waiting_for` is what an open run waits for:
    `worker` is work that is due and that nobody has taken, `lease` work that somebody has. `imported`: only runs that
    were imported, or only those that were not.
    """

    statuses: Sequence[str] | None = None
    thread_id: str | None = None
    run_label: str | None = None
    client_id: str | None = None
    submitted_by: str | None = None
    error_code: str | None = None
    capability_id: str | None = None
    objective: str | None = None
    waiting_for: WaitFilter | None = None
    imported: bool | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class RunCursor:
    """The last run that a page has looked at: the next page begins after it (newest first)."""

    created_at: datetime
    run_id: str


@dataclass(frozen=True, slots=True)
class RunPage:
    """Runs, newest first. `after` is where the next page begins; None where there is none. A page may be empty."""

    runs: list[RunRow]
    after: RunCursor | None


@dataclass(frozen=True, slots=True)
class _Place:
    created_at: datetime
    run_id: str
    nth: int
    kept: bool


async def list_runs(
    store: EventStore, filters: RunFilters, *, after: RunCursor | None = None, limit: int = 50
) -> RunPage:
    """Up to `limit` runs of one tenant after a cursor.

    Filters without an index are looked for in WINDOW_RUNS runs a page.
    """
    parameters = list_parameters(filters, after, limit)
    found = await store.query("runs/list", parameters)
    rows, places = found.read(RunRow), found.read(_Place)
    kept = [(row, place) for row, place in zip(rows, places, strict=True) if place.kept][:limit]
    end: _Place | None = None
    if len(kept) == limit:
        end = kept[-1][1]
    elif places and places[-1].nth == parameters["window"]:
        end = places[-1]
    return RunPage(
        await with_objectives(store, [row for row, _ in kept]),
        RunCursor(end.created_at, end.run_id) if end is not None else None,
    )


def list_parameters(filters: RunFilters, after: RunCursor | None, limit: int) -> dict[str, Any]:
    """The parameters of `runs/list`: which index to walk, and how far."""
    parameters: dict[str, Any] = {each.name: getattr(filters, each.name) for each in fields(filters)}
    statuses = None if filters.statuses is None else list(filters.statuses)
    if filters.waiting_for is not None:
        statuses = [each for each in statuses or _OPEN if each in _OPEN]
    walked = next((name for name in _WALKS if parameters[name] is not None), None)
    walk = "created"
    if walked is not None:
        walk = _WALKS[walked]
    elif filters.imported:
        walked, walk = "imported", "imported"
    elif statuses is not None:
        walk = "status" if len(statuses) == 1 else "statuses"
    known = {walked, "created_after", "created_before", "statuses" if walk.startswith("status") else None}
    left = [name for name, value in parameters.items() if value is not None and name not in known]
    before = filters.created_before
    if after is not None and (before is None or after.created_at < before):
        before, run_before = after.created_at, after.run_id
    else:
        run_before = _LAST_RUN_ID if before is None else "00000000-0000-0000-0000-000000000000"
    return parameters | {
        "statuses": statuses,
        "walk": walk,
        "tenant": tenant_of_scope(),
        "created_before": before,
        "run_before": run_before,
        "window": WINDOW_RUNS if left else limit,
        "limit": limit + 1,
    }
