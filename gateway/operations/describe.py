"""`/openapi.json`: the description of all endpoints, open to everyone who may connect."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from aiohttp import web

from gateway.deps import GATEWAY
from gateway.endpoint import ENDPOINTS as ALL_ENDPOINTS
from gateway.endpoint import JSON, DocumentedResponse, Endpoint, Endpoints
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
    return await _described(request, openapi_document)


@ENDPOINTS.get(
    "/openapi-3.0.json",
    name="describe30",
    summary="This document, for tools that read no OpenAPI 3.1",
    responses=[DocumentedResponse(200, "OpenAPI 3.0.", {JSON: None})],
    open=True,
)
async def describe_30(request: web.Request) -> web.Response:
    """All endpoints, as OpenAPI 3.0."""
    return await _described(request, openapi_30_document)


async def _described(
    request: web.Request, describe_as: Callable[[Sequence[Endpoint], str], dict[str, Any]]
) -> web.Response:
    """Made on a thread: the first one takes longer than a loop may stand still."""
    version = request.app[GATEWAY].deps.version
    document = await asyncio.to_thread(describe_as, request.app[ALL_ENDPOINTS], version)
    return web.Response(body=orjson.dumps(document), content_type=JSON)
