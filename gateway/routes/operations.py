"""Health, readiness and the description of all doors: open to anyone who may connect."""

from __future__ import annotations

import asyncio

import orjson
import structlog
from aiohttp import web

from eventstore import queries
from eventstore.errors import StoreError
from eventstore.migrate import migrations
from gateway.answers import json_answer
from gateway.deps import GATEWAY, Gateway
from gateway.openapi import openapi_document
from gateway.problems import unavailable

ROUTES = web.RouteTableDef()

log = structlog.get_logger("gateway")


@ROUTES.get("/healthz", name="health")
async def health(_request: web.Request) -> web.Response:
    """The process answers; nothing else is looked at."""
    return json_answer({"status": "ok"})


@ROUTES.get("/readyz", name="readiness")
async def readiness(request: web.Request) -> web.Response:
    """Whether requests should be sent here: the database answers, is migrated, and no shutdown has begun.

    The broker is reported and does not count: without it runs are still accepted, and the keeper re-sends their work.
    """
    gateway = request.app[GATEWAY]
    if gateway.streams.closing:
        raise unavailable("not_ready", "This gateway is shutting down.")
    await _require_database(gateway)
    broker = gateway.deps.broker
    broker_state = "none" if broker is None else "ok" if broker.healthy else "unavailable"
    return json_answer(
        {"status": "ready", "database": "ok", "broker": broker_state, "version": gateway.deps.version}
    )


@ROUTES.get("/openapi.json", name="describe")
async def describe(request: web.Request) -> web.Response:
    """All doors, as OpenAPI 3.1."""
    return web.Response(
        body=orjson.dumps(openapi_document(request.app[GATEWAY].deps.version)),
        content_type="application/json",
    )


async def _require_database(gateway: Gateway) -> None:
    try:
        async with asyncio.timeout(gateway.config.ready_seconds):
            version = await queries.applied_version(gateway.deps.store)
    except (StoreError, TimeoutError) as error:
        log.warning("not ready", reason=str(error) or "the database is too slow to answer")
        detail = "The database does not answer, or was never prepared (flexrun db migrate)."
        raise unavailable("not_ready", detail) from None
    needed = migrations()[-1].number
    if version < needed:
        detail = f"The database is at schema version {version} and needs {needed}: run flexrun db migrate."
        raise unavailable("not_ready", detail)
