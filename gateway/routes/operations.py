"""Health, readiness and the description of all doors: open to anyone who may connect."""

from __future__ import annotations

import asyncio

import orjson
import structlog
from aiohttp import web

from gateway.answers import json_answer
from gateway.deps import GATEWAY
from gateway.openapi import openapi_document
from gateway.openapi30 import openapi_30_document
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


@ROUTES.get("/openapi.json", name="describe")
async def describe(request: web.Request) -> web.Response:
    """All doors, as OpenAPI 3.1."""
    return web.Response(
        body=orjson.dumps(await asyncio.to_thread(openapi_document, request.app[GATEWAY].deps.version)),
        content_type="application/json",
    )


@ROUTES.get("/openapi-3.0.json", name="describe30")
async def describe_30(request: web.Request) -> web.Response:
    """All doors, as OpenAPI 3.0."""
    return web.Response(
        body=orjson.dumps(await asyncio.to_thread(openapi_30_document, request.app[GATEWAY].deps.version)),
        content_type="application/json",
    )
