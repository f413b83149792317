"""`/openapi.json`: the description of all endpoints, open to everyone who may connect."""

from __future__ import annotations

import asyncio

import orjson
from aiohttp import web

from gateway.deps import GATEWAY
from gateway.operations.openapi import openapi_document
from gateway.operations.openapi30 import openapi_30_document

ROUTES = web.RouteTableDef()


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
