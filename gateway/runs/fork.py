"""`POST /api/v1/flex/runs/{id}/retry` and `/fork`: a new run from what another one had done."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from aiohttp import web

from gateway.deps import GATEWAY
from gateway.endpoint import JSON, MAY_BE_EMPTY, UNAUTHORIZED, DocumentedResponse, Endpoints
from gateway.middleware import bind_log_fields, caller
from gateway.response import Response, document, json_response, present
from gateway.run_id import PathRunId
from gateway.runs.documentation import CORRELATION_ID, KEY, RUN_REFUSED, RUN_UNKNOWN
from gateway.runs.fork_service import Forked, Forks, as_sent
from gateway.runs.idempotency import idempotency_key
from gateway.runs.reuse import ForkReuse
from gateway.runs.start import PATH
from schemas.base import RunId
from schemas.control import ForkBody, OperatorBody
from schemas.payload_marks import SHOWN
from schemas.vocabulary import RunStatus

ENDPOINTS = Endpoints("control")

_PROBLEMS = UNAUTHORIZED | RUN_UNKNOWN | RUN_REFUSED


class RunForked(Response):
    """A run that was made from another one, which `origin` names. One that is planned anew has no `reuse` yet."""

    run_id: RunId
    status: RunStatus
    thread_id: str | None
    origin: Annotated[dict[str, Any], SHOWN]
    reuse: ForkReuse | None = None
    events_url: str


@ENDPOINTS.post(
    "/api/v1/flex/runs/{run_id}/retry",
    name="retryRun",
    needs="runs:control",
    summary="A new run that begins at the failed nodes of this one",
    headers=[KEY, CORRELATION_ID],
    responses=[
        DocumentedResponse(201, "The new run.", {JSON: RunForked}),
        DocumentedResponse(200, "The new run was there already.", {JSON: RunForked}),
    ],
    problems=_PROBLEMS | {409: "The run did not fail and was not aborted (`not_ready`)."},
)
async def retry_run(
    request: web.Request, run_id: PathRunId, body: Annotated[OperatorBody, MAY_BE_EMPTY]
) -> web.Response:
    """A new run that begins at the failed nodes; nothing ever follows the `complete` of the old one."""
    gateway, actor = request.app[GATEWAY], caller(request)
    key = idempotency_key(request, actor.name, {"retry": run_id, "body": as_sent(body)})
    return _answer(request, await gateway.shield_write(_forks(request).retry(run_id, body, key)))


@ENDPOINTS.post(
    "/api/v1/flex/runs/{run_id}/fork",
    name="forkRun",
    needs="runs:control",
    summary="A new run that keeps what this one completed before a node",
    description="With other inputs, policies, nodes, plan or contract; `reuse` says what was taken over, and why the"
    " rest was not. With another contract, or other rules for the planner, it is planned anew, and reuses what its plan"
    " has unchanged.",
    headers=[KEY, CORRELATION_ID],
    responses=[
        DocumentedResponse(201, "The new run.", {JSON: RunForked}),
        DocumentedResponse(200, "The Idempotency-Key had made it already.", {JSON: RunForked}),
    ],
    problems=_PROBLEMS
    | {
        403: "The fork would loosen rules of approval, and this person may not decide in the run (`not_allowed`).",
        422: "The changed plan cannot be run (`plan_invalid`, `response_invalid`), or the key was used otherwise.",
    },
)
async def fork_run(
    request: web.Request, run_id: PathRunId, body: Annotated[ForkBody, MAY_BE_EMPTY]
) -> web.Response:
    """A new run that keeps what was completed before a node, with other inputs, policies or remaining nodes."""
    gateway, actor = request.app[GATEWAY], caller(request)
    key = idempotency_key(request, actor.name, {"fork": run_id, "body": as_sent(body)})
    return _answer(request, await gateway.shield_write(_forks(request).fork(run_id, body, key)))


def _forks(request: web.Request) -> Forks:
    gateway = request.app[GATEWAY]
    return Forks(
        gateway,
        caller(request),
        partial(gateway.limiter.check_contract, request),
        partial(gateway.limiter.admit_start, request),
    )


def _answer(request: web.Request, forked: Forked) -> web.Response:
    state = forked.state
    bind_log_fields(request, run_id=state.run_id)
    path = f"{PATH}/{state.run_id}"
    return json_response(
        document(
            RunForked, state, leave_out=("reuse",), events_url=f"{path}/events", **present(reuse=state.reuse)
        ),
        status=201 if forked.created else 200,
        run_id=state.run_id,
        headers={"Location": path},
    )
