"""Counts requests by the endpoint that they are for, never by what callers write into an address."""

from __future__ import annotations

from aiohttp import web

from telemetry.catalogue import HTTP_REQUESTS, HTTP_SECONDS

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_WAITING = ("/events", ".stream", "/claim", "run.resume")
"""Ends of paths whose answers take as long as a run, or as long as there is no work."""


def count_request(request: web.Request, status: int, seconds: float) -> None:
    """Count an answered request."""
    resource = request.match_info.route.resource
    path = "unknown" if resource is None else resource.canonical
    method = request.method if request.method in _METHODS else "other"
    HTTP_REQUESTS.add(method, path, f"{status // 100}xx")
    if not path.endswith(_WAITING):
        HTTP_SECONDS.observe(path, number=seconds)
