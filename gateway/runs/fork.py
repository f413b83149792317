"""`POST /api/v1/flex/runs/{id}/retry` and `/fork`: a new run from what another one had done."""

from __future__ import annotations

from aiohttp import web

from gateway.answers import json_answer
from gateway.body import expect_continue
from gateway.deps import GATEWAY
from gateway.middleware import caller, note
from gateway.people.bodies import read_model
from gateway.query import path_run_id
from gateway.runs.fork_service import Forked, Forks, as_sent
from gateway.runs.idempotency import idempotency_key
from schemas.control import ForkBody, OperatorBody

ROUTES = web.RouteTableDef()

PATH = "/api/v1/flex/runs"


@ROUTES.post(PATH + "/{run_id}/retry", name="retryRun", expect_handler=expect_continue)
async def retry_run(request: web.Request) -> web.Response:
    """A new run that begins at the failed nodes; nothing ever follows the `complete` of the old one."""
    gateway, run_id = request.app[GATEWAY], path_run_id(request)
    body = await read_model(request, OperatorBody, optional=True)
    actor = caller(request)
    key = idempotency_key(request, actor.name, {"retry": run_id, "body": as_sent(body)})
    return _answer(request, await gateway.carry_out(Forks(gateway, actor).retry(run_id, body, key)))


@ROUTES.post(PATH + "/{run_id}/fork", name="forkRun", expect_handler=expect_continue)
async def fork_run(request: web.Request) -> web.Response:
    """A new run that keeps what was completed before a node, with other inputs, policies or remaining nodes."""
    gateway, run_id = request.app[GATEWAY], path_run_id(request)
    body = await read_model(request, ForkBody, optional=True)
    actor = caller(request)
    key = idempotency_key(request, actor.name, {"fork": run_id, "body": as_sent(body)})
    return _answer(request, await gateway.carry_out(Forks(gateway, actor).fork(run_id, body, key)))


def _answer(request: web.Request, forked: Forked) -> web.Response:
    state = forked.state
    note(request, run_id=state.run_id)
    path = f"{PATH}/{state.run_id}"
    body = {
        "runId": state.run_id,
        "status": state.status,
        "threadId": state.thread_id,
        "origin": state.origin,
        "eventsUrl": f"{path}/events",
    }
    status = 201 if forked.created else 200
    return json_answer(body, status=status, run_id=state.run_id, headers={"Location": path})
