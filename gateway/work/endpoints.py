"""`/api/v1/flex/work`: the worker protocol. A worker claims work, and reports about each attempt under its token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from aiohttp import web

from eventstore.task_tokens import TaskKey
from gateway.deps import GATEWAY
from gateway.endpoint import (
    JSON,
    MAY_BE_EMPTY,
    UNAUTHORIZED,
    UNAVAILABLE,
    DocumentedResponse,
    Endpoints,
)
from gateway.middleware import bind_log_fields
from gateway.people.documentation import BODY_INVALID
from gateway.problems import ProblemError, unavailable
from gateway.response import Response, json_response
from gateway.scopes import CALLER
from gateway.work.handed_out import HandedOut
from gateway.work.matcher import TooManyPolls
from gateway.work.report import Report, ReportStatus
from gateway.work.task_path import FORGED, OF_AN_OUTPUT, OF_ATTEMPT, PathToken, read_task
from schemas.base import NodeId, RunId, Timestamp
from schemas.plan import CapabilityId, CapabilityVersion
from schemas.work import AskBody, ClaimBody, CompleteBody, DeltaBody, FailBody, HeartbeatBody, LogBody

ENDPOINTS = Endpoints("work")

WORKER_STOPPED = "worker_stopped"
"""The code of a worker that stops in the middle of an attempt."""

_BASE = "/api/v1/flex/work"


class WorkTask(Response):
    """An attempt that a worker is given: its token, what it is about, and until when an output counts.

    `traceparent` is the span of the attempt, for spans of the worker below it.
    """

    token: str
    run_id: RunId
    node_id: NodeId
    attempt: int
    capability_id: CapabilityId
    capability_version: CapabilityVersion | None = None
    bundle: dict[str, Any]
    lease_seconds: float
    deadline: Timestamp
    traceparent: str


class WorkTasks(Response):
    """What a claim got; [] where no work came in time."""

    tasks: list[WorkTask]


class HeartbeatAnswer(Response):
    """`cancelled`: the attempt is over, and nothing that is reported about it counts any more."""

    lease_seconds: float
    cancelled: bool


class ReportAnswer(Response):
    """What the report came to. Where the output breaks the node's contract, `errors` say how."""

    status: ReportStatus
    errors: list[dict[str, Any]] | None = None


class Shown(Response):
    """Whether the piece was taken."""

    ok: bool


class LineAnswer(Response):
    """The line is in the run's log."""

    ok: Literal[True]


_OVER = {
    404: "There is no such run (`run_unknown`).",
    409: "The attempt is over (`stale_attempt`), or its run (`run_finished`): the report changes nothing.",
}
_REPORT = BODY_INVALID | FORGED | _OVER | UNAVAILABLE
_REPORTED = [DocumentedResponse(200, "Taken.", {JSON: ReportAnswer})]


@ENDPOINTS.post(
    f"{_BASE}/claim",
    name="claimWork",
    needs="work:claim",
    across_tenants=True,
    unrecorded="the log of each run has who took its work",
    no_payload="what a worker gets is its work",
    summary="Claim attempts for a worker, waiting for them if there are none",
    responses=[DocumentedResponse(200, "Attempts, or none.", {JSON: WorkTasks})],
    problems=BODY_INVALID
    | UNAUTHORIZED
    | {403: "The caller may not claim work (`not_permitted`)."}
    | {404: "A capability is not registered (`capability_unknown`); `errors` has each."}
    | {409: "The home of a capability is not `worker` (`not_for_workers`)."}
    | {503: "Too many workers wait here (`too_many_claims`), or the database is away (`store_unavailable`)."},
)
async def claim_work(request: web.Request, body: ClaimBody) -> web.StreamResponse:
    """Attempts of what this worker can do, the oldest first; it waits for up to `waitSeconds`."""
    gateway = request.app[GATEWAY]
    try:
        given = await gateway.work.claim(body, request[CALLER].tenant)
    except TooManyPolls:
        raise unavailable("too_many_claims", "Too many workers wait at this gateway.") from None
    bind_log_fields(request, worker=body.worker_id, tasks=len(given))
    return await _deliver(request, given)


async def _deliver(request: web.Request, given: Sequence[HandedOut]) -> web.StreamResponse:
    """Send the answer here, to know whether it could be: what nobody received is taken back at once."""
    parts = [part for each in given for part in (b",", each.text)][1:]
    response = web.Response(body=b"".join((b'{"tasks":[', *parts, b"]}\n")), content_type="application/json")
    delivered = False
    try:
        if request.transport is None or request.transport.is_closing():
            raise ConnectionResetError("the worker has left")
        await response.prepare(request)
        await response.write_eof()
        delivered = True
    finally:
        if not delivered:
            request.app[GATEWAY].work.take_back(given)
    return response


@ENDPOINTS.post(
    f"{_BASE}/{{token}}/heartbeat",
    name="heartbeatOfWork",
    unrecorded=OF_ATTEMPT,
    summary="Say that a worker is still at an attempt",
    description="A worker that sends none for `leaseSeconds` is taken for lost, and the node runs again elsewhere.",
    responses=[DocumentedResponse(200, "Heard.", {JSON: HeartbeatAnswer})],
    problems=BODY_INVALID | FORGED | UNAVAILABLE,
    open=True,
)
async def heartbeat(
    request: web.Request, token: PathToken, _body: Annotated[HeartbeatBody, MAY_BE_EMPTY]
) -> web.Response:
    """Extends the lease of this attempt, and says whether to stop working on it."""
    work = request.app[GATEWAY].work
    task = await read_task(request, token)
    alive = await work.heartbeat(task)
    return json_response({"leaseSeconds": task.lease_seconds, "cancelled": not alive}, run_id=task.run_id)


@ENDPOINTS.post(
    f"{_BASE}/{{token}}/complete",
    name="completeWork",
    unrecorded=OF_ATTEMPT,
    summary="Report an attempt's output",
    description="The output is checked by the contract of its node. The same output may be reported again.",
    responses=_REPORTED,
    problems=_REPORT,
    open=True,
)
async def complete(
    request: web.Request, token: PathToken, body: Annotated[CompleteBody, OF_AN_OUTPUT]
) -> web.Response:
    """An output, checked by the node's contract like any other."""
    gateway = request.app[GATEWAY]
    task = await read_task(request, token)
    reports = gateway.work.reports
    return _answer(task, await gateway.shield_write(reports.complete(task, body.output, body.usage)))


@ENDPOINTS.post(
    f"{_BASE}/{{token}}/fail",
    name="failWork",
    unrecorded=OF_ATTEMPT,
    summary="Report that an attempt has failed",
    description="With the code `worker_stopped` it is given back: another worker takes over at once.",
    responses=_REPORTED,
    problems=_REPORT,
    open=True,
)
async def fail(request: web.Request, token: PathToken, body: FailBody) -> web.Response:
    """The attempt has no output; whether it is tried again says the contract of its node."""
    gateway = request.app[GATEWAY]
    task = await read_task(request, token)
    given_back = body.error.code == WORKER_STOPPED
    failing = gateway.work.reports.fail(task, body.error, body.usage, gives_back=given_back)
    return _answer(task, await gateway.shield_write(failing))


@ENDPOINTS.post(
    f"{_BASE}/{{token}}/ask",
    name="askAboutWork",
    unrecorded=OF_ATTEMPT,
    summary="Ask a person; the next attempt has the answer",
    responses=_REPORTED,
    problems=_REPORT,
    open=True,
)
async def ask(request: web.Request, token: PathToken, body: AskBody) -> web.Response:
    """A question to a person, which ends this attempt."""
    gateway = request.app[GATEWAY]
    task = await read_task(request, token)
    return _answer(task, await gateway.shield_write(gateway.work.reports.ask(task, body, body.usage)))


@ENDPOINTS.post(
    f"{_BASE}/{{token}}/log",
    name="logOfWork",
    unrecorded=OF_ATTEMPT,
    summary="Write a line for people into the run's log",
    responses=[DocumentedResponse(200, "Written.", {JSON: LineAnswer})],
    problems=_REPORT | {429: "The attempt has written too many lines (`too_many_lines`)."},
    open=True,
)
async def log(request: web.Request, token: PathToken, body: LogBody) -> web.Response:
    """A `log` event of this attempt."""
    gateway = request.app[GATEWAY]
    task = await read_task(request, token)
    if not gateway.work.lines.admit(task):
        detail = "This attempt has written too many lines, or too fast; the line is left out."
        raise ProblemError(429, "too_many_lines", detail, headers={"Retry-After": "1"})
    await gateway.shield_write(gateway.work.reports.log(task, body.message, body.level))
    return json_response({"ok": True}, run_id=task.run_id)


@ENDPOINTS.post(
    f"{_BASE}/{{token}}/delta",
    name="deltaOfWork",
    unrecorded=OF_ATTEMPT,
    summary="Show a piece of the output that is being made",
    description="Readers with `?deltas=true` see it at once, as `node_delta`; it is not kept.",
    responses=[
        DocumentedResponse(200, "Taken; `ok` is false where the attempt has shown too much.", {JSON: Shown})
    ],
    problems=BODY_INVALID | FORGED | UNAVAILABLE,
    open=True,
)
async def delta(request: web.Request, token: PathToken, body: DeltaBody) -> web.Response:
    """A piece of text, or JSON Patch operations."""
    task = await read_task(request, token)
    key = (task.run_id, task.node_id, task.attempt)
    gateway = request.app[GATEWAY]
    protected = (await gateway.deps.store.load(task.run_id)).protected
    taken = not protected and gateway.partial_outputs.add(key, body.text, body.patch)
    return json_response({"ok": taken}, run_id=task.run_id)


def _answer(task: TaskKey, report: Report) -> web.Response:
    body: dict[str, Any] = {"status": report.status}
    if report.errors:
        body["errors"] = list(report.errors)
    return json_response(body, run_id=task.run_id)
