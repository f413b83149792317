"""Tasks: nodes that wait for the work of a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from eventstore.queries.payload import WholeRun, whole_runs
from eventstore.store import EventStore, is_run_id
from eventstore.tenancy import tenant_of_scope
from runs.event import JsonObject
from schemas.vocabulary import RunStatus

_FIRST_RUN_ID = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A node that waits for a person's work. `context` is its bundle without other nodes' outputs.

    `expires_at` is the end of the time for it; None where there is none, and while the run is paused.
    """

    run_id: str
    node_id: str
    capability_id: str
    label: str
    attempt: int
    context: JsonObject
    started_at: datetime
    thread_id: str | None
    plan_version: int
    objective: str
    client_id: str | None
    run_status: RunStatus
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class TaskCursor:
    """The last task of a page: the next page begins after it (longest waiting first)."""

    started_at: datetime
    run_id: str
    node_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilters:
    """Which tasks to list; None does not filter. `names` are those of one person: their name and roles."""

    run_id: str | None = None
    thread_id: str | None = None
    client_id: str | None = None
    names: Sequence[str] | None = None


async def human_tasks(
    store: EventStore, filters: TaskFilters, *, after: TaskCursor | None = None, limit: int = 100
) -> list[TaskRow]:
    """Up to `limit` tasks of one tenant, longest waiting first, from a cursor on; those of one run all at once."""
    parameters: dict[str, Any] = {
        "run_id": filters.run_id,
        "thread_id": filters.thread_id,
        "client_id": filters.client_id,
        "names": None if filters.names is None else list(filters.names),
        "started_after": after.started_at if after is not None else None,
        "run_after": after.run_id if after is not None else _FIRST_RUN_ID,
        "node_after": after.node_id if after is not None else "",
        "limit": limit,
    }
    if filters.run_id is not None and not is_run_id(filters.run_id):
        return []
    name = "people/tasks" if filters.run_id is None else "people/tasks_of_run"
    tenant = {"tenant": tenant_of_scope()} if filters.run_id is None else {}
    rows = await store.select(TaskRow, name, parameters | tenant)
    whole = await whole_runs(store, rows)
    return [_whole_task(row, whole[row.run_id]) if row.run_id in whole else row for row in rows]


def _whole_task(row: TaskRow, whole: WholeRun) -> TaskRow:
    node = whole.nodes.get(row.node_id)
    if node is None or node["context"] is None:
        return row
    return replace(row, objective=whole.run["objective"], label=node["label"], context=node["context"])
