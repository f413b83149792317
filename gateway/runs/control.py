"""`POST /api/v1/flex/runs/{id}/abort`, `/pause`, `/resume`: an operator's hands on one run."""

from __future__ import annotations

from aiohttp import web

from gateway.answers import json_answer
from gateway.body import expect_continue
from gateway.deps import GATEWAY
from gateway.middleware import caller, note
from gateway.operators import operator_text
from gateway.people.bodies import read_model
from gateway.query import path_run_id
from runs.commands import AbortRun, ControlRun, PauseRun, ResumeRun
from schemas.control import OperatorBody

ROUTES = web.RouteTableDef()


@ROUTES.post("/api/v1/flex/runs/{run_id}/abort", name="abortRun", expect_handler=expect_continue)
async def abort_run(request: web.Request) -> web.Response:
    """End the run now; a second abort changes nothing, and a run that is over otherwise answers 409."""
    return await _control(request, AbortRun)


@ROUTES.post("/api/v1/flex/runs/{run_id}/pause", name="pauseRun", expect_handler=expect_continue)
async def pause_run(request: web.Request) -> web.Response:
    """Start nothing new in this run; what is being worked on may finish."""
    return await _control(request, PauseRun)


@ROUTES.post("/api/v1/flex/runs/{run_id}/resume", name="resumeRun", expect_handler=expect_continue)
async def resume_run(request: web.Request) -> web.Response:
    """Go on after a pause; 409 for a run that is not paused."""
    return await _control(request, ResumeRun)


async def _control(request: web.Request, command_type: type[ControlRun]) -> web.Response:
    gateway = request.app[GATEWAY]
    run_id = path_run_id(request)
    note(request, run_id=run_id)
    body = await read_model(request, OperatorBody, optional=True)
    command = command_type(
        now=gateway.deps.clock(),
        actor=caller(request),
        reason=body.reason,
        claimed_operator=operator_text(body.operator),
    )
    outcome = await gateway.carry_out(gateway.deps.handler.execute(run_id, command))
    state = outcome.state
    return json_answer(
        {"runId": run_id, "status": state.status, "lastEventId": str(state.seq)}, run_id=run_id
    )
