"""`GET /api/v1/flex/runs/{id}/diff`: two runs side by side."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any, Literal

from aiohttp import web

from gateway.deps import GATEWAY
from gateway.endpoint import JSON, UNAUTHORIZED, UNAVAILABLE, DocumentedResponse, Endpoints
from gateway.query import Query, query_problem
from gateway.response import Response, document, json_response, present
from gateway.run_id import PathRunId, run_id_value
from gateway.runs.documentation import RUN_UNKNOWN
from gateway.runs.reuse import ForkReuse
from gateway.runs.submit import existing_run
from runs.comparison import Comparison, NodePair, Relation, Verdict, Where, compare_runs
from runs.event import JsonObject
from runs.state import NodeState, RequestState, RunState
from schemas.base import NodeId, RunId, Timestamp, wire_name
from schemas.payload_marks import PAYLOAD
from schemas.plan import CapabilityId, CapabilityVersion
from schemas.usage import RunUsage
from schemas.vocabulary import Decision, NodeStatus, RequestSubject, RunStatus

ENDPOINTS = Endpoints("runs")


class DiffQuery(Query):
    """The second run."""

    other: Annotated[
        str | None, run_id_value("The run to compare with; without it, the one it was made from.")
    ] = None


class JsonChange(Response):
    """A place that differs. A value of more than 2,000 bytes is not shown, but its size."""

    pointer: Annotated[str, PAYLOAD]
    kind: Literal["added", "removed", "changed"]
    a: Any = None
    b: Any = None
    a_bytes: int | None = None
    b_bytes: int | None = None


class ComparedRun(Response):
    """One of the two runs: how it ended, what it took. `seconds` is up to now where it is not over."""

    run_id: RunId
    status: RunStatus
    plan_version: int | None = None
    created_at: Timestamp
    completed_at: Timestamp | None = None
    seconds: float
    attempts: int
    usage: RunUsage | None = None
    error_code: str | None = None

    @classmethod
    def of(cls, state: RunState, now: datetime) -> JsonObject:
        """A run by its state."""
        began, ended = state.created_at or now, state.completed_at or now
        return document(
            cls,
            state,
            leave_out=("usage",),
            seconds=(ended - began).total_seconds(),
            attempts=sum(node.attempt for node in state.nodes.values()),
            **present(usage=state.usage.to_wire(), error_code=(state.error or {}).get("code")),
        )


class ComparedNode(Response):
    """A node as it is in one of the runs; `seconds` are those of its last attempt."""

    status: NodeStatus
    capability_id: CapabilityId
    capability_version: CapabilityVersion | None = None
    attempt: int
    failures: int
    seconds: float | None = None
    validation_errors: int

    @classmethod
    def of(cls, node: NodeState | None) -> JsonObject | None:
        """A node by its state."""
        if node is None:
            return None
        took = (
            (node.finished_at - node.started_at).total_seconds()
            if node.finished_at is not None and node.started_at is not None
            else None
        )
        return document(cls, node, validation_errors=len(node.validation_errors), **present(seconds=took))


class NodeDiff(Response):
    """A node of either plan. `changed` names what differs in the plans, `output` where the outputs differ.

    `reused`: one of the runs took the output over from the other. A `where` of `b` is a node that only b has.
    """

    id: NodeId
    where: Where
    changed: list[str]
    output: list[JsonChange]
    reused: bool
    a: ComparedNode | None = None
    b: ComparedNode | None = None

    @classmethod
    def of(cls, pair: NodePair) -> JsonObject:
        """A pair of nodes."""
        return document(
            cls,
            pair,
            leave_out=("a", "b"),
            changed=[wire_name(name) for name in pair.changed],
            output=[each.to_wire() for each in pair.output],
            **present(a=ComparedNode.of(pair.a), b=ComparedNode.of(pair.b)),
        )


class ComparedDecision(Response):
    """A request of one of the runs; one without a decision is open, or ended with its run."""

    request_id: str
    decision: Decision | None = None
    operator: str | None = None
    note: Annotated[str | None, PAYLOAD] = None

    @classmethod
    def of(cls, request: RequestState | None) -> JsonObject | None:
        """A request by its state."""
        return document(cls, request, request_id=request.id) if request is not None else None


class VerdictDiff(Response):
    """What people said of the same thing in each run."""

    subject: RequestSubject
    node_id: NodeId | None = None
    same: bool
    a: ComparedDecision | None = None
    b: ComparedDecision | None = None

    @classmethod
    def of(cls, verdict: Verdict) -> JsonObject:
        """A pair of requests."""
        sides = present(a=ComparedDecision.of(verdict.a), b=ComparedDecision.of(verdict.b))
        return document(cls, verdict, leave_out=("a", "b"), **sides)


class RunDiff(Response):
    """Two runs side by side: what was asked, planned, made, said and used. Of changes a hundred at most are named.

    `relation` says which of them was made from the other; `reuse` is what that one took over.
    """

    a: ComparedRun
    b: ComparedRun
    relation: Relation
    envelope: list[JsonChange]
    nodes: list[NodeDiff]
    output: list[JsonChange]
    verdicts: list[VerdictDiff]
    reuse: ForkReuse | None = None

    @classmethod
    def of(cls, a: RunState, b: RunState, found: Comparison, now: datetime) -> JsonObject:
        """A comparison of two runs."""
        fork = {"b_from_a": b, "a_from_b": a}.get(found.relation)
        return document(
            cls,
            None,
            a=ComparedRun.of(a, now),
            b=ComparedRun.of(b, now),
            relation=found.relation,
            envelope=[each.to_wire() for each in found.envelope],
            nodes=[NodeDiff.of(each) for each in found.nodes],
            output=[each.to_wire() for each in found.output],
            verdicts=[VerdictDiff.of(each) for each in found.verdicts],
            **present(reuse=fork.reuse if fork is not None else None),
        )


@ENDPOINTS.get(
    "/api/v1/flex/runs/{run_id}/diff",
    name="compareRuns",
    needs="runs:read",
    summary="Two runs side by side",
    description="The run of the path is `b`; `a` is `other`, or the run that it was made from.",
    responses=[DocumentedResponse(200, "What differs.", {JSON: RunDiff})],
    problems={400: "The run was made from no other, and `other` is not given (`query_invalid`)."}
    | RUN_UNKNOWN
    | UNAUTHORIZED
    | UNAVAILABLE,
)
async def compare(request: web.Request, run_id: PathRunId, query: DiffQuery) -> web.Response:
    """Two runs as they are now."""
    gateway = request.app[GATEWAY]
    b = await existing_run(gateway, run_id)
    other = query.other or (b.origin or {}).get("runId")
    if other is None:
        raise query_problem("other", "this run was made from no other; say which one to compare it with.")
    a = await existing_run(gateway, other)
    now = gateway.deps.clock()
    # In a thread: outputs may be large.
    body = await asyncio.to_thread(lambda: RunDiff.of(a, b, compare_runs(a, b), now))
    return json_response(body, run_id=run_id)
