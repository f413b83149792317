"""`POST /api/v1/flex/work/{token}/callback`: the result of a service that has answered 202.

The token in the address is the right to report, once: it names the attempt, and works at every gateway. It may come
before the executor has recorded the 202.
"""

from __future__ import annotations

from typing import Annotated

from aiohttp import web

from eventstore.leases import CALLBACK
from gateway.deps import GATEWAY
from gateway.endpoint import JSON, UNAVAILABLE, DocumentedResponse, Endpoints
from gateway.response import Response, json_response
from gateway.work.report import ReportStatus
from gateway.work.task_path import FORGED, OF_AN_OUTPUT, OF_ATTEMPT, PathToken, read_task
from runs.errors import StaleAttempt
from schemas.payloads import ContractError
from schemas.work import CapabilityResult

ENDPOINTS = Endpoints("work")


class CallbackTaken(Response):
    """What the callback came to. `errors` are those of the node's contract, with `output_invalid`."""

    status: ReportStatus
    errors: list[ContractError] | None = None


@ENDPOINTS.post(
    "/api/v1/flex/work/{token}/callback",
    name="callBack",
    unrecorded=OF_ATTEMPT,
    summary="The result of a service that has answered 202",
    description=(
        "The body is what the service would have answered with 200. The address is the bundle's `callbackUrl`; its"
        " token is all that the caller needs, and it works once."
    ),
    responses=[DocumentedResponse(200, "The result was taken.", {JSON: CallbackTaken})],
    problems={
        400: "The body is no result (`invalid_body`, `invalid_json`).",
        404: "The run is not here any more (`run_unknown`).",
        409: "The attempt is over: called back before, timed out, or ended with its run.",
    }
    | FORGED
    | UNAVAILABLE,
    open=True,
)
async def call_back(
    request: web.Request, token: PathToken, result: Annotated[CapabilityResult, OF_AN_OUTPUT]
) -> web.Response:
    """Apply the result, if the attempt still waits for it."""
    gateway = request.app[GATEWAY]
    task = await read_task(request, token, CALLBACK)
    report = await gateway.shield_write(gateway.work.reports.apply(task, result))
    if not report.outcome.events:
        raise StaleAttempt(f"attempt {task.attempt} of node {task.node_id} has been called back already")
    answer = {"status": report.status, **({"errors": list(report.errors)} if report.errors else {})}
    return json_response(answer, run_id=task.run_id)
