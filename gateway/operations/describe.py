"""`/openapi.json`: the description of all endpoints, open to everyone who may connect."""

from __future__ import annotations

import orjson
from aiohttp import web

from gateway.deps import GATEWAY
from gateway.endpoint import ENDPOINTS as ALL_ENDPOINTS
from gateway.endpoint import JSON, DocumentedResponse, Endpoints
from gateway.operations.openapi import openapi_document
from gateway.operations.openapi30 import openapi_30_document

ENDPOINTS = Endpoints("operations")


@ENDPOINTS.get(
    "/openapi.json",
    name="describe",
    summary="This document",
    responses=[DocumentedResponse(200, "OpenAPI 3.1.", {JSON: None})],
    open=True,
)
async def describe(request: web.Request) -> web.Response:
    """All endpoints, as OpenAPI 3.1."""
    document = openapi_document(request.app[ALL_ENDPOINTS], request.app[GATEWAY].deps.version)
    return web.Response(body=orjson.dumps(document), content_type=JSON)


@ENDPOINTS.get(
    "/openapi-3.0.json",
    name="describe30",
    summary="This document, for tools that read no OpenAPI 3.1",
    responses=[DocumentedResponse(200, "OpenAPI 3.0.", {JSON: None})],
    open=True,
)
async def describe_30(request: web.Request) -> web.Response:
    """All endpoints, as OpenAPI 3.0."""
    document = openapi_30_document(request.app[ALL_ENDPOINTS], request.app[GATEWAY].deps.version)
    return web.Response(body=orjson.dumps(document), content_type=JSON)
