"""`GET /api/v1/flex/runs/{id}`: one run with all that belongs to it."""

from __future__ import annotations

from aiohttp import web

from eventstore.people import forks_of_run
from eventstore.queries import get_run
from gateway.answers import json_answer
from gateway.deps import GATEWAY
from gateway.middleware import note
from gateway.people.serializers import name_tasks, serialize_fork
from gateway.query import path_run_id
from gateway.runs.serializers import serialize_run_detail
from runs.errors import RunUnknown

ROUTES = web.RouteTableDef()


@ROUTES.get("/api/v1/flex/runs/{run_id}", name="showRun")
async def show_run(request: web.Request) -> web.Response:
    """One run with its plan, nodes, pending requests, output, and the runs that were forked from it."""
    run_id = path_run_id(request)
    note(request, run_id=run_id)
    gateway = request.app[GATEWAY]
    store = gateway.deps.store
    detail = await get_run(store, run_id)
    if detail is None:
        raise RunUnknown(f"there is no run {run_id}")
    shown = serialize_run_detail(detail)
    name_tasks(shown)
    if not detail.run.completed_at and (waits := gateway.waiting_for()):
        shown["waitingFor"] = waits
    shown["forks"] = [serialize_fork(row) for row in await forks_of_run(store, run_id)]
    return json_answer(shown, run_id=run_id)
