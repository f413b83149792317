"""`GET /api/v1/flex/runs/{id}`: one run with all that belongs to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import Field

from eventstore.limits import ParkedRow, parked_of_run
from eventstore.queries.runs import ForkRow, NodeRow, RunDetailRow, RunRow, forks_of_run, get_run
from eventstore.sizes import run_bytes
from gateway.deps import GATEWAY, Gateway
from gateway.endpoint import JSON, UNAUTHORIZED, UNAVAILABLE, DocumentedResponse, Endpoints
from gateway.people.models import hitl_request
from gateway.people.task_service import task_id
from gateway.response import Response, document, json_response, present
from gateway.run_id import PathRunId
from gateway.runs.documentation import RUN_UNKNOWN
from gateway.runs.listing import RunSummary
from gateway.runs.reuse import ForkReuse
from gateway.runs.version_waits import version_waits
from runs.errors import RunUnknown
from runs.event import JsonObject
from runs.event_data import ReuseData
from runs.transitions import AWAITING_HUMAN
from schemas.base import NodeId, RunId, Timestamp
from schemas.hitl import HitlRequest
from schemas.payloads import ContractError, ErrorInfo
from schemas.plan import CapabilityId, CapabilityVersion, Label, NodeKind
from schemas.vocabulary import ExecutorType, NodeStatus, RunStatus

ENDPOINTS = Endpoints("runs")


class NodeWait(Response):
    """What a node waits for without anybody working on it, and until when it does at most."""

    kind: Literal["limit", "endpoint", "callback", "version"]
    message: str
    until: Timestamp | None = None

    @classmethod
    def of(cls, parked: ParkedRow) -> JsonObject:
        """A wait as its row has it."""
        return document(cls, parked, message=parked.words, until=parked.lease_until)


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


class Wait(Response):
    """A server that the gateway has not reached since then; runs go on, slower or when it is back."""

    kind: Literal["broker", "database"]
    since: Timestamp


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
    """A run with everything that it is made of."""

    envelope: dict[str, Any]
    schema_hash: str | None = None
    deadline_at: Timestamp | None = None
    nodes: list[NodeDetail]
    pending_requests: list[HitlRequest]
    waiting_for: list[Wait] | None = None
    output: Any = None
    origin: dict[str, Any] | None = None
    reuse: ForkReuse | None = None
    forks: list[ForkSummary]
    stored_bytes: Annotated[
        int, Field(description="What it takes in the log and the read models, as stored, without indexes.")
    ]

    @classmethod
    def in_full(
        cls,
        row: RunDetailRow,
        forks: Sequence[ForkRow],
        stored_bytes: int,
        waiting_for: Sequence[JsonObject],
        waits: Mapping[str, JsonObject],
        reuse: ReuseData | None = None,
    ) -> JsonObject:
        """A run as its rows have it. One that completed has its output, null included."""
        run = row.run
        return document(
            cls,
            run,
            last_event_id=str(run.head_seq),
            envelope=row.envelope,
            nodes=[NodeDetail.of(node, run, waits.get(node.node_id)) for node in row.nodes],
            pending_requests=[hitl_request(each) for each in row.requests if each.status == "open"],
            **({"output": row.output} if run.status == "completed" else {}),
            **present(origin=row.origin, waiting_for=waiting_for or None, reuse=reuse),
            forks=[ForkSummary.of(fork) for fork in forks],
            stored_bytes=stored_bytes,
        )


@ENDPOINTS.get(
    "/api/v1/flex/runs/{run_id}",
    name="showRun",
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
    waiting_for = [] if row.run.completed_at else gateway.waiting_for()
    waits = {} if row.run.completed_at else await _waits(gateway, row)
    forks = await forks_of_run(gateway.deps.store, run_id)
    reuse = (await gateway.deps.store.load(run_id)).reuse if row.origin is not None else None
    stored_bytes = await run_bytes(gateway.deps.store, run_id)
    return json_response(
        RunDetail.in_full(row, forks, stored_bytes, waiting_for, waits, reuse), run_id=run_id
    )


async def _waits(gateway: Gateway, row: RunDetailRow) -> dict[str, JsonObject]:
    """Node id → what it waits for."""
    parked = await parked_of_run(gateway.deps.store, row.run.run_id)
    await gateway.capabilities.current()
    versions = version_waits(gateway.capabilities, row.nodes)
    waits: dict[str, JsonObject] = {
        node_id: {"kind": "version", "message": words} for node_id, words in versions.items()
    }
    return waits | {each.ref: NodeWait.of(each) for each in parked}
