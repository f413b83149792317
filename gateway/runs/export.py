"""`GET /api/v1/flex/runs/{id}/export`: a run as one file, which docs/proof.md describes."""

from __future__ import annotations

from contextlib import aclosing

from aiohttp import web

from eventstore.exported import export_header, exported
from gateway.deps import GATEWAY
from gateway.endpoint import UNAUTHORIZED, UNAVAILABLE, DocumentedResponse, Endpoints
from gateway.run_id import PathRunId
from gateway.runs.documentation import RUN_UNKNOWN

ENDPOINTS = Endpoints("runs")

GZIP = "application/gzip"


@ENDPOINTS.get(
    "/api/v1/flex/runs/{run_id}/export",
    name="exportRun",
    needs=("runs:read", "runs:payload"),
    summary="A run as one file",
    description="gzip-compressed JSON lines: a header, then each event with what readers are not shown (the envelope,"
    " the plan, votes), in the form that its hash covers. A run in progress is exported up to its last event.",
    responses=[DocumentedResponse(200, "The file.", {GZIP: None})],
    problems=RUN_UNKNOWN | UNAUTHORIZED | UNAVAILABLE,
)
async def export_run(request: web.Request, run_id: PathRunId) -> web.StreamResponse:
    """The whole history of a run, sent as it is read."""
    deps = request.app[GATEWAY].deps
    header = await export_header(deps.store, run_id, deps.version)
    response = web.StreamResponse(
        headers={
            "Content-Type": GZIP,
            "Content-Disposition": f'attachment; filename="{run_id}.jsonl.gz"',
            "X-Run-Id": run_id,
        }
    )
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    async with aclosing(exported(deps.store, header)) as pieces:
        async for piece in pieces:
            await response.write(piece)
    await response.write_eof()
    return response
