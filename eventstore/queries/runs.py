"""Runs: as lists, and each with its nodes, requests and forks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from eventstore.queries.payload import WholeRun, lacks_payload, whole_runs
from eventstore.queries.requests import RequestRow, open_requests_of
from eventstore.store import EventStore, is_run_id
from runs.event import Event, Json, JsonObject
from schemas.tenant import DEFAULT_TENANT
from schemas.vocabulary import NodeStatus, RunStatus


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as a list shows it. `client_id` is `metadata.clientId` of its envelope, `run_label` `metadata.runLabel`.

    `usage` is a `schemas.usage.RunUsage`; None where no attempt has reported what it used. `imported_at` is None for a
    run that was made here, `erased_at` for one that has its data.
    """

    run_id: str
    status: RunStatus
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
    usage: JsonObject | None
    imported_at: datetime | None = None
    erased_at: datetime | None = None
    tenant: str = DEFAULT_TENANT


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node of the plan in force. `context` is the bundle of its last attempt, without other nodes' outputs."""

    node_id: str
    capability_id: str
    capability_version: str | None
    kind: str
    label: str
    queue: str
    executor_type: str
    depends_on: list[str]
    status: NodeStatus
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
class RunDetailRow:
    """A run with its nodes and its open requests."""

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


async def get_run(store: EventStore, run_id: str) -> RunDetailRow | None:
    """One run with its nodes and open requests; None where there is no such run."""
    if not is_run_id(run_id) or not await store.visible([run_id]):
        return None
    found = await store.query("runs/get", {"run_id": run_id})
    if not found.rows:
        return None
    documents, run = found.read(_Documents)[0], found.read(RunRow)[0]
    whole = await whole_runs(store, [run]) if run.erased_at is None else {}
    row = RunDetailRow(
        run=run,
        envelope=documents.envelope,
        output=documents.output,
        origin=documents.origin,
        nodes=await store.select(NodeRow, "runs/nodes", {"run_id": run_id}),
        requests=await open_requests_of(store, run_id, whole),
    )
    return _whole_detail(row, whole[run_id]) if whole else row


def _whole_detail(row: RunDetailRow, whole: WholeRun) -> RunDetailRow:
    run = whole.run
    return replace(
        row,
        run=replace(row.run, objective=run["objective"], error=run["error"]),
        envelope=run["envelope"],
        output=run["output"],
        origin=run["origin"],
        nodes=[
            _whole_node(node, whole.nodes[node.node_id]) for node in row.nodes if node.node_id in whole.nodes
        ],
    )


def _whole_node(node: NodeRow, whole: JsonObject) -> NodeRow:
    names = ("label", "context", "output", "error", "validation_errors")
    return replace(node, **{name: whole[name] for name in names})


async def with_objectives(store: EventStore, rows: list[RunRow]) -> list[RunRow]:
    """Rows of a list, with the objectives and errors of protected runs from their first and last events."""
    lacking = {row.run_id: row for row in rows if lacks_payload(row) and row.erased_at is None}
    if not lacking:
        return rows
    first = await store.read_many(dict.fromkeys(lacking, 0), limit_each=1)
    ended = {run_id: row.head_seq - 1 for run_id, row in lacking.items() if row.error is not None}
    last = await store.read_many(ended, limit_each=1) if ended else {}
    return [_with_objective(row, first.get(row.run_id), last.get(row.run_id)) for row in rows]


def _with_objective(row: RunRow, first: list[Event] | None, last: list[Event] | None) -> RunRow:
    if first is None:
        return row
    envelope: JsonObject = (first[0].detail or {}).get("envelope") or {}
    error = row.error if last is None else last[0].payload.get("error", row.error)
    return replace(row, objective=envelope.get("objective", row.objective), error=error)


@dataclass(frozen=True, slots=True)
class ForkRow:
    """A run that was forked from another one; `origin` says how, from where, by whom and why."""

    run_id: str
    status: RunStatus
    origin: JsonObject
    created_at: datetime


async def forks_of_run(store: EventStore, run_id: str, limit: int = 100) -> list[ForkRow]:
    """The runs that name this one as their origin, oldest first."""
    return await store.select(ForkRow, "runs/forks", {"run_id": run_id, "limit": limit})


async def plan_in_force(store: EventStore, run_id: str, until: int) -> Event | None:
    """The event that gave the run the plan it had at seq `until`; None before there was one."""
    if not await store.visible([run_id]):
        return None
    events = await store.select(Event, "log/plan_in_force", {"run_id": run_id, "until": until})
    return (await store.seals.open(events))[0] if events else None
