"""`GET /api/v1/flex/capabilities`: what the workers can do."""

from __future__ import annotations

from aiohttp import web

from eventstore.capabilities import list_capabilities
from gateway.answers import json_answer
from gateway.deps import GATEWAY

ROUTES = web.RouteTableDef()


@ROUTES.get("/api/v1/flex/capabilities", name="listCapabilities")
async def capabilities(request: web.Request) -> web.Response:
    """Every capability that a worker has registered, with when it was last seen."""
    return json_answer({"capabilities": await list_capabilities(request.app[GATEWAY].deps.store)})
