"""The API in a browser."""

from __future__ import annotations

from aiohttp import web

from gateway.operations import docs_page

ROUTES = web.RouteTableDef()


@ROUTES.get("/docs", name="browse")
async def browse(_request: web.Request) -> web.Response:
    """Swagger UI over `/openapi.json`."""
    return await docs_page.page()


@ROUTES.get("/docs/{version}/{file}", name="browseAsset")
async def browse_asset(request: web.Request) -> web.Response:
    """A script or style sheet of that page, whose address changes with its content."""
    gzipped = "gzip" in request.headers.get("Accept-Encoding", "")
    return await docs_page.asset(request.match_info["version"], request.match_info["file"], gzipped=gzipped)
