"""Runs: as lists, and each with its nodes, requests and forks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from eventstore.queries.requests import RequestRow, pending_requests
from eventstore.store import EventStore, is_run_id
from runs.event import Event, Json, JsonObject
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
    events = await store.select(Event, "log/plan_in_force", {"run_id": run_id, "until": until})
    return (await store.seals.open(events))[0] if events else None
