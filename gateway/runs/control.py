"""`POST /api/v1/flex/runs/{id}/abort`, `/pause`, `/resume`: an operator's commands to one run."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web

from gateway.deps import GATEWAY
from gateway.endpoint import (
    JSON,
    MAY_BE_EMPTY,
    UNAUTHORIZED,
    UNAVAILABLE,
    DocumentedResponse,
    Endpoints,
)
from gateway.middleware import caller
from gateway.operators import operator_text
from gateway.response import Response, document, json_response
from gateway.run_id import PathRunId
from gateway.runs.documentation import RUN_UNKNOWN
from runs.commands import AbortRun, ControlRun, PauseRun, ResumeRun, SetPriority
from schemas.base import RunId
from schemas.control import OperatorBody, PriorityBody
from schemas.vocabulary import Priority, RunStatus

ENDPOINTS = Endpoints("control")

Body = Annotated[OperatorBody, MAY_BE_EMPTY]


class RunControlled(Response):
    """A run after an operator's command."""

    run_id: RunId
    status: RunStatus
    last_event_id: str


_DONE = [DocumentedResponse(200, "Done, or done before.", {JSON: RunControlled})]
_PROBLEMS = (
    {400: "The body is not an OperatorBody (`invalid_json`, `invalid_body`)."}
    | {409: "The run is over already (`run_finished`)."}
    | RUN_UNKNOWN
    | UNAUTHORIZED
    | UNAVAILABLE
)


@ENDPOINTS.post(
    "/api/v1/flex/runs/{run_id}/abort",
    name="abortRun",
    needs="runs:control",
    summary="End a run now",
    responses=_DONE,
    problems=_PROBLEMS,
)
async def abort_run(request: web.Request, run_id: PathRunId, body: Body) -> web.Response:
    """End the run now; a second abort changes nothing, and a run that is over otherwise answers 409."""
    return await _control(request, run_id, body, AbortRun)


@ENDPOINTS.post(
    "/api/v1/flex/runs/{run_id}/pause",
    name="pauseRun",
    needs="runs:control",
    summary="Start nothing new in a run",
    responses=_DONE,
    problems=_PROBLEMS,
)
async def pause_run(request: web.Request, run_id: PathRunId, body: Body) -> web.Response:
    """Start nothing new in this run; what is being worked on may finish."""
    return await _control(request, run_id, body, PauseRun)


@ENDPOINTS.post(
    "/api/v1/flex/runs/{run_id}/resume",
    name="resumeRun",
    needs="runs:control",
    summary="Go on after a pause",
    responses=_DONE,
    problems=_PROBLEMS | {409: "The run is not paused (`not_waiting`, `run_finished`)."},
)
async def resume_run(request: web.Request, run_id: PathRunId, body: Body) -> web.Response:
    """Continue after a pause; 409 for a run that is not paused."""
    return await _control(request, run_id, body, ResumeRun)


class RunPrioritized(RunControlled):
    """A run with its priority."""

    priority: Priority


@ENDPOINTS.post(
    "/api/v1/flex/runs/{run_id}/priority",
    name="setRunPriority",
    summary="Have a run go before others, or take its turn again",
    description="With `high` what of the run waits goes to the front of its queues on RabbitMQ; on Postgres, and for"
    " remote workers, before all that became due after the run was created. What is being worked on goes on.",
    needs="runs:control",
    responses=[DocumentedResponse(200, "Done, or done before.", {JSON: RunPrioritized})],
    problems=_PROBLEMS | {400: "The body is not a PriorityBody (`invalid_json`, `invalid_body`)."},
)
async def set_priority(request: web.Request, run_id: PathRunId, body: PriorityBody) -> web.Response:
    """Change the priority of a run that is not over; the one that it has changes nothing."""
    gateway = request.app[GATEWAY]
    command = SetPriority(
        now=gateway.deps.clock(),
        actor=caller(request),
        reason=body.reason,
        claimed_operator=operator_text(body.operator),
        priority=body.priority,
    )
    state = (await gateway.shield_write(gateway.deps.handler.execute(run_id, command))).state
    return json_response(document(RunPrioritized, state, last_event_id=str(state.seq)), run_id=run_id)


async def _control(
    request: web.Request, run_id: str, body: OperatorBody, command_type: type[ControlRun]
) -> web.Response:
    gateway = request.app[GATEWAY]
    command = command_type(
        now=gateway.deps.clock(),
        actor=caller(request),
        reason=body.reason,
        claimed_operator=operator_text(body.operator),
    )
    state = (await gateway.shield_write(gateway.deps.handler.execute(run_id, command))).state
    return json_response(document(RunControlled, state, last_event_id=str(state.seq)), run_id=run_id)
