"""What the doors ask of the read models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from eventstore.store import EventStore, is_run_id
from runs.event import Json, JsonObject
from runs.outstanding import TIMER_QUEUE
from schemas.vocabulary import RequestKind, RequestSubject

MAX_BACKLOG = 1_000_000
_LAST_RUN_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as a list shows it. `client_id` is `metadata.clientId` of its envelope, `run_label` `metadata.runLabel`."""

    run_id: str
    status: str
    head_seq: int
    objective: str
    thread_id: str | None
    schema_hash: str | None
    error: JsonObject | None
    plan_version: int | None
    client_id: str | None
    run_label: str | None
    submitted_by: str | None
    correlation_id: str | None
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    deadline_at: datetime | None


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node of the plan in force. `context` is the bundle of its last attempt, without other nodes' outputs."""

    node_id: str
    capability_id: str
    kind: str
    label: str
    queue: str
    executor_type: str
    depends_on: list[str]
    status: str
    attempt: int
    failures: int
    losses: int
    due_at: datetime | None
    context: JsonObject | None
    output: Json
    error: JsonObject | None
    validation_errors: list[JsonObject] | None
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A question to people, and some facts of its run. `status`: open, resolved, or cancelled (its run is over).

    `brief_id` is `briefId` in the envelope's metadata or inputs.
    """

    request_id: str
    run_id: str
    thread_id: str | None
    node_id: str | None
    kind: RequestKind
    subject: RequestSubject
    status: str
    payload: JsonObject
    rules: JsonObject
    votes: list[JsonObject]
    proposal: JsonObject | None
    decision: str | None
    operator: str | None
    note: str | None
    created_at: datetime
    expires_at: datetime | None
    resolved_at: datetime | None
    run_status: str
    plan_version: int | None
    objective: str
    run_updated_at: datetime
    brief_id: str | None


@dataclass(frozen=True, slots=True)
class RunDetailRow:
    """A run with everything that belongs to it; `requests` are those that wait."""

    run: RunRow
    envelope: JsonObject
    output: Json
    origin: JsonObject | None
    nodes: list[NodeRow]
    requests: list[RequestRow]


@dataclass(frozen=True, slots=True)
class _Documents:
    """What lists of runs leave out."""

    envelope: JsonObject
    output: Json
    origin: JsonObject | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilters:
    """Which runs to list; None does not filter."""

    statuses: Sequence[str] | None = None
    thread_id: str | None = None
    run_label: str | None = None
    client_id: str | None = None


@dataclass(frozen=True, slots=True)
class RunCursor:
    """Where a list of runs goes on: after this run (they come newest first)."""

    created_at: datetime
    run_id: str


async def list_runs(
    store: EventStore, filters: RunFilters, *, after: RunCursor | None = None, limit: int = 50
) -> list[RunRow]:
    """Up to `limit` runs, newest first. A full page goes on after the cursor of its last run."""
    parameters: dict[str, Any] = {
        "statuses": None if filters.statuses is None else list(filters.statuses),
        "thread_id": filters.thread_id,
        "run_label": filters.run_label,
        "client_id": filters.client_id,
        "created_before": after.created_at if after is not None else None,
        "run_before": after.run_id if after is not None else _LAST_RUN_ID,
        "limit": limit,
    }
    if filters.thread_id is not None:
        return await store.select(RunRow, "runs/list_by_thread", parameters)
    if filters.statuses is not None:
        return await store.select(RunRow, "runs/list_by_status", parameters)
    return await store.select(RunRow, "runs/list", parameters)


async def find_by_thread(store: EventStore, thread_id: str, limit: int = 50) -> list[RunRow]:
    """The runs of a thread, newest first."""
    return await list_runs(store, RunFilters(thread_id=thread_id), limit=limit)


async def get_run(store: EventStore, run_id: str) -> RunDetailRow | None:
    """Everything about one run; None where there is no such run."""
    if not is_run_id(run_id):
        return None
    found = await store.query("runs/get", {"run_id": run_id})
    if not found.rows:
        return None
    documents = found.read(_Documents)[0]
    return RunDetailRow(
        run=found.read(RunRow)[0],
        envelope=documents.envelope,
        output=documents.output,
        origin=documents.origin,
        nodes=await store.select(NodeRow, "runs/nodes", {"run_id": run_id}),
        requests=await pending_requests(store, run_id=run_id),
    )


@dataclass(frozen=True, slots=True)
class RequestCursor:
    """Where a list of requests goes on: after this one (they come oldest first)."""

    created_at: datetime
    request_id: str


async def pending_requests(
    store: EventStore,
    *,
    run_id: str | None = None,
    thread_id: str | None = None,
    client_id: str | None = None,
    names: Sequence[str] | None = None,
    after: RequestCursor | None = None,
    limit: int = 100,
) -> list[RequestRow]:
    """What waits for a person, oldest first, from a cursor on: everywhere, in a thread, or (all of it) in one run.

    With `names` (a person's name and roles) only what such a person may decide.
    """
    parameters: dict[str, Any] = {
        "run_id": run_id,
        "thread_id": thread_id,
        "client_id": client_id,
        "names": None if names is None else list(names),
        "created_after": after.created_at if after is not None else None,
        "request_after": after.request_id if after is not None else "",
        "limit": limit,
    }
    if run_id is not None:
        name = "people/pending_requests_of_run"
        if not is_run_id(run_id):
            return []
    else:
        name = "people/pending_requests_of_thread" if thread_id is not None else "people/pending_requests"
    return await store.select(RequestRow, name, parameters)


async def get_request(store: EventStore, request_id: str) -> RequestRow | None:
    """One request, open or not; None where there is no such request."""
    rows = await store.select(RequestRow, "people/get_request", {"request_id": request_id})
    return rows[0] if rows else None


async def backlog(store: EventStore, limit: int = MAX_BACKLOG) -> int:
    """How many pieces of due work nobody has taken; counted up to `limit`, so that asking stays cheap."""
    return (await store.fetch("work/backlog", {"timer_queue": TIMER_QUEUE, "limit": limit}))[0][0]


async def applied_version(store: EventStore) -> int:
    """The number of the last migration that ran in this database."""
    return (await store.fetch("migrations/applied_version", {}))[0][0]
