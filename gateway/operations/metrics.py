"""The metrics of this process, in Prometheus' format: see docs/metrics.md."""

from __future__ import annotations

from aiohttp import web

from gateway.deps import GATEWAY
from gateway.endpoint import UNAUTHORIZED, DocumentedResponse, Endpoints
from gateway.middleware import METRICS
from gateway.problems import unavailable

ENDPOINTS = Endpoints("operations")


@ENDPOINTS.get(
    METRICS,
    name="metrics",
    needs="runs:read",
    operator=True,
    summary="The metrics of this process, for Prometheus",
    description="Asks for a token where there are tokens, unless `FLEXRUN_METRICS_OPEN` is set.",
    responses=[DocumentedResponse(200, "Text that Prometheus reads.", {"text/plain": None})],
    problems=UNAUTHORIZED | {503: "This gateway has no metrics (`no_metrics`)."},
)
async def metrics(request: web.Request) -> web.Response:
    """All metrics of now. Where the database is away, those that it is asked for are missing."""
    answer = request.app[GATEWAY].deps.metrics
    if answer is None:
        raise unavailable("no_metrics", "This gateway was started without metrics.")
    body, media_type = await answer(request.headers.get("Accept", ""))
    return web.Response(body=body, headers={"Content-Type": media_type, "Cache-Control": "no-store"})
