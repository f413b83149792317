"""`GET /api/v1/flex/runs/{id}`: one run with all that belongs to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import Field

from eventstore.imported_rows import ImportedRun, imported_run
from eventstore.queries.runs import ForkRow, NodeRow, RunRow, forks_of_run, get_run
from eventstore.sizes import run_bytes
from gateway.deps import GATEWAY
from gateway.endpoint import JSON, UNAUTHORIZED, UNAVAILABLE, DocumentedResponse, Endpoints
from gateway.people.models import hitl_request
from gateway.people.task_service import task_id
from gateway.response import Response, document, json_response, present
from gateway.run_id import PathRunId
from gateway.runs.documentation import RUN_UNKNOWN
from gateway.runs.importing import ImportOrigin
from gateway.runs.listing import RunSummary
from gateway.runs.reuse import ForkReuse
from gateway.runs.waits.facts import RunFacts, facts_of, node_waits
from gateway.runs.waits.model import Wait
from gateway.runs.waits.why import next_at, why_waiting
from runs.errors import RunUnknown
from runs.event import JsonObject
from runs.event_data import ReuseData
from runs.transitions import AWAITING_HUMAN
from schemas.base import NodeId, RunId, Timestamp
from schemas.hitl import HitlRequest
from schemas.payload_marks import SHOWN
from schemas.payloads import ContractError, Erased, ErrorInfo
from schemas.plan import CapabilityId, CapabilityVersion, Label, NodeKind
from schemas.vocabulary import ExecutorType, NodeStatus, RunStatus

ENDPOINTS = Endpoints("runs")


class NodeWait(Response):
    """What a node waits for without anybody working on it, and until when it does at most."""

    kind: Literal["limit", "endpoint", "callback", "version"]
    message: str
    until: Timestamp | None = None


class NodeDetail(Response):
    """A node of the plan and how far it is."""

    id: NodeId
    capability_id: CapabilityId
    capability_version: CapabilityVersion | None = None
    kind: NodeKind
    label: Label
    depends_on: list[NodeId]
    executor_type: ExecutorType
    status: NodeStatus
    attempt: int
    output: Any = None
    error: ErrorInfo | None = None
    validation_errors: list[ContractError] | None = None
    task_id: str | None = None
    next_attempt_at: Timestamp | None = None
    waiting_for: NodeWait | None = None
    started_at: Timestamp | None = None
    finished_at: Timestamp | None = None

    @classmethod
    def of(cls, node: NodeRow, run: RunRow, waiting_for: JsonObject | None = None) -> JsonObject:
        """A node as its row has it. One that completed has its output, null included."""
        return document(
            cls,
            node,
            leave_out=("output", "validation_errors"),
            id=node.node_id,
            **({"output": node.output} if node.status == "completed" else {}),
            **present(
                validation_errors=node.validation_errors or None,
                task_id=_task_id(node, run),
                next_attempt_at=node.due_at,
                waiting_for=waiting_for,
            ),
        )


def _task_id(node: NodeRow, run: RunRow) -> str | None:
    if node.status != AWAITING_HUMAN:
        return None
    return task_id(run.run_id, run.plan_version, node.attempt, node.node_id)


class ForkSummary(Response):
    """A run that was made from the one at hand."""

    run_id: RunId
    kind: Literal["fork", "retry"]
    from_node_id: NodeId | None = None
    operator: str | None = None
    reason: str | None = None
    status: RunStatus
    created_at: Timestamp

    @classmethod
    def of(cls, fork: ForkRow) -> JsonObject:
        """A fork as its row has it."""
        origin = fork.origin
        return document(
            cls,
            fork,
            kind=origin.get("kind"),
            from_node_id=origin.get("fromNodeId"),
            operator=origin.get("operator"),
            reason=origin.get("reason"),
        )


class RunDetail(RunSummary):
    """A run with everything that it is made of.

    `waitingFor` says why it is not moving, or who is moving it: a hundred things at most, those first that keep all of
    it still. `nextAt` is the next moment at which something happens by itself. Of a run that was erased nothing is left
    but its status, its times and its number of events, and in `erased` when, by whom and why.
    """

    envelope: dict[str, Any]
    schema_hash: str | None = None
    deadline_at: Timestamp | None = None
    nodes: list[NodeDetail]
    pending_requests: list[HitlRequest]
    waiting_for: list[Wait] | None = None
    next_at: Timestamp | None = None
    output: Any = None
    origin: Annotated[dict[str, Any] | None, SHOWN] = None
    imported: ImportOrigin | None = None
    reuse: ForkReuse | None = None
    erased: Erased | None = None
    forks: list[ForkSummary]
    stored_bytes: Annotated[
        int, Field(description="What it takes in the log and the read models, as stored, without indexes.")
    ]

    @classmethod
    def in_full(
        cls,
        facts: RunFacts,
        forks: Sequence[ForkRow],
        stored_bytes: int,
        reuse: ReuseData | None = None,
        imported: ImportedRun | None = None,
    ) -> JsonObject:
        """A run as its rows have it. One that completed has its output, null included."""
        row, run = facts.row, facts.row.run
        of_nodes, waits = node_waits(facts), why_waiting(facts)
        return document(
            cls,
            run,
            last_event_id=str(run.head_seq),
            envelope=row.envelope,
            nodes=[NodeDetail.of(node, run, _shown(of_nodes.get(node.node_id))) for node in row.nodes],
            pending_requests=[hitl_request(each) for each in row.requests if each.status == "open"],
            **({"output": row.output} if run.status == "completed" else {}),
            **present(
                origin=row.origin,
                imported=ImportOrigin.of(imported) if imported is not None else None,
                waiting_for=[each.to_wire() for each in waits] or None,
                next_at=next_at(waits),
                reuse=reuse,
            ),
            forks=[ForkSummary.of(fork) for fork in forks],
            stored_bytes=stored_bytes,
        )


def _shown(wait: JsonObject | None) -> JsonObject | None:
    return document(NodeWait, None, **present(**wait)) if wait is not None else None


@ENDPOINTS.get(
    "/api/v1/flex/runs/{run_id}",
    name="showRun",
    needs="runs:read",
    summary="One run with its plan, its nodes, the requests that wait, its output",
    responses=[DocumentedResponse(200, "The run.", {JSON: RunDetail})],
    problems=RUN_UNKNOWN | UNAUTHORIZED | UNAVAILABLE,
)
async def show_run(request: web.Request, run_id: PathRunId) -> web.Response:
    """One run with its plan, nodes, pending requests, output, and the runs that were forked from it."""
    gateway = request.app[GATEWAY]
    row = await get_run(gateway.deps.store, run_id)
    if row is None:
        raise RunUnknown(f"there is no run {run_id}")
    still = row.run.completed_at is not None or row.run.imported_at is not None
    facts = RunFacts(row, gateway.deps.clock()) if still else await facts_of(gateway, row)
    imported = await imported_run(gateway.deps.store, run_id) if row.run.imported_at is not None else None
    forks = await forks_of_run(gateway.deps.store, run_id)
    tombstone: JsonObject | None = None
    if row.run.erased_at is not None:
        reuse, tombstone = None, (await gateway.deps.store.seals.keys([run_id]))[run_id].tombstone
    else:
        reuse = (await gateway.deps.store.load(run_id)).reuse if row.origin is not None else None
    stored_bytes = await run_bytes(gateway.deps.store, run_id)
    shown = RunDetail.in_full(facts, forks, stored_bytes, reuse, imported)
    return json_response(shown | present(erased=tombstone), run_id=run_id)
