"""The rows of an imported run: those of its log, without anything that somebody could work on or answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from eventstore.projection import Sections
from eventstore.replay import replay
from eventstore.store import EventStore, is_run_id
from runs.event import Event


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """Where a run was imported from: the installation and the version that exported it, as the file says."""

    run_id: str
    imported_at: datetime
    imported_by: str
    installation: str | None
    flexrun: str
    exported_at: datetime
    events: int
    head_hash: str | None


async def imported_run(store: EventStore, run_id: str) -> ImportedRun | None:
    """None for a run that was made here, or is not there. Raises StoreUnavailable."""
    if not is_run_id(run_id):
        return None
    rows = await store.select(ImportedRun, "imports/get", {"run_id": run_id})
    return rows[0] if rows else None


def whole_rows(run_id: str, commits: Sequence[Sequence[Event]], imports: Mapping[str, datetime]) -> Sections:
    """Whole rows of a run, from its events by commit; `imports` says when the runs were imported that were."""
    if run_id not in imports:
        return replay(run_id, commits)
    return imported_rows(run_id, (event for commit in commits for event in commit), imports[run_id])


def imported_rows(run_id: str, events: Iterable[Event], imported_at: datetime | None) -> Sections:
    """Whole rows as `replay` makes them, with each event as a commit of its own: all were stored in one.

    Its requests are cancelled and it has no work, however far it had come when it was exported.
    """
    rows = replay(run_id, ([event] for event in events))
    for run in rows["starts"]:
        run["imported_at"] = imported_at
    for request in rows["requests"]:
        if request["status"] == "open":
            request["status"] = "cancelled"
    return {**rows, "work": []}
