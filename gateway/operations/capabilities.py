"""`GET /api/v1/flex/capabilities`: what the workers can do."""

from __future__ import annotations

from aiohttp import web

from eventstore.capabilities import list_capabilities
from gateway.deps import GATEWAY
from gateway.endpoint import JSON, UNAUTHORIZED, UNAVAILABLE, DocumentedResponse, Endpoints
from gateway.response import Response, json_response
from schemas.capability import CapabilityDescriptor

ENDPOINTS = Endpoints("capabilities")


class CapabilityList(Response):
    """What the workers of this system can do."""

    capabilities: list[CapabilityDescriptor]


@ENDPOINTS.get(
    "/api/v1/flex/capabilities",
    name="listCapabilities",
    summary="What the workers can do",
    responses=[DocumentedResponse(200, "The registered capabilities.", {JSON: CapabilityList})],
    problems=UNAUTHORIZED | UNAVAILABLE,
)
async def capabilities(request: web.Request) -> web.Response:
    """Every capability that a worker has registered, with when it was last seen."""
    return json_response({"capabilities": await list_capabilities(request.app[GATEWAY].deps.store)})
