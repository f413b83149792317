"""`/docs`: the API in a browser."""

from __future__ import annotations

from aiohttp import web

from gateway.endpoint import HTML, DocumentedResponse, Endpoints
from gateway.operations import docs_page
from gateway.query import Parameter

ENDPOINTS = Endpoints("operations")


@ENDPOINTS.get(
    "/docs",
    name="browse",
    summary="This document in a browser",
    responses=[DocumentedResponse(200, "Swagger UI.", {HTML: None})],
    open=True,
)
async def browse(_request: web.Request) -> web.Response:
    """Swagger UI over `/openapi.json`."""
    return await docs_page.page()


@ENDPOINTS.get(
    "/docs/{version}/{file}",
    name="browseAsset",
    summary="A script or style sheet of `/docs`",
    reads=[
        Parameter("version", "path", "A digest of these files: browsers keep them."),
        Parameter("file", "path", "The name of the file."),
    ],
    responses=[DocumentedResponse(200, "The file.", {"text/css": None, "text/javascript": None})],
    problems={404: "There is no such file in the version that runs (`not_found`)."},
    open=True,
)
async def browse_asset(request: web.Request) -> web.Response:
    """A script or style sheet of that page, whose address changes with its content."""
    gzipped = "gzip" in request.headers.get("Accept-Encoding", "")
    return await docs_page.asset(request.match_info["version"], request.match_info["file"], gzipped=gzipped)
