"""Health and readiness: open to everyone who may connect."""

from __future__ import annotations

import structlog
from aiohttp import web

from gateway.answers import json_answer
from gateway.deps import GATEWAY
from gateway.problems import unavailable

ROUTES = web.RouteTableDef()

log = structlog.get_logger("gateway")


@ROUTES.get("/healthz", name="health")
async def health(_request: web.Request) -> web.Response:
    """The process answers; nothing else is looked at."""
    return json_answer({"status": "ok"})


@ROUTES.get("/readyz", name="readiness")
async def readiness(request: web.Request) -> web.Response:
    """Whether a run could be started here and finished now; what is missing for that is named.

    A role that no process plays is named too and does not count: its processes may be restarting, and runs wait.
    """
    gateway = request.app[GATEWAY]
    if gateway.stopping:
        raise unavailable("not_ready", "This gateway is stopping.")
    found = await gateway.readiness.found()
    if not found.ready:
        raise unavailable("not_ready", f"Not ready: {'; '.join((*found.database, *found.broker))}.")
    return json_answer(
        {
            "status": "degraded" if found.missing else "ready",
            "database": "ok",
            "broker": "none" if gateway.deps.broker is None else "ok",
            "missingRoles": list(found.missing),
            "version": gateway.deps.version,
        }
    )
