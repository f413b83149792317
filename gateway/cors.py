"""Which pages may call from a browser."""

from __future__ import annotations

import re

from aiohttp import web
from multidict import CIMultiDict

from gateway.problems import ProblemError, allowed_methods
from schemas.addresses import is_loopback

_FORWARDED = ("forwarded", "via", "x-real-ip")
_PORT = re.compile(r":[0-9]*$")
_ALLOWED_HEADERS = (
    "Authorization, Cache-Control, Content-Type, Idempotency-Key, Last-Event-ID, X-Correlation-Id,"
    " X-Flexrun-Tenant"
)
_EXPOSED_HEADERS = "X-Correlation-Id, X-Run-Id, Location, Retry-After, X-Backlog-Pending, X-Backlog-Limit"


def allow_origin(request: web.Request, headers: CIMultiDict[str], origins: tuple[str, ...]) -> bool:
    """Add what tells a browser that this page may read the answer; False where it may not, or is no other page."""
    origin = request.headers.get("Origin")
    if not origins or origin is None:
        return False
    headers.add("Vary", "Origin")
    if "*" not in origins and origin not in origins:
        return False
    headers["Access-Control-Allow-Origin"] = "*" if "*" in origins else origin
    headers["Access-Control-Expose-Headers"] = _EXPOSED_HEADERS
    return True


def preflight_answer(request: web.Request) -> web.Response | None:
    """The answer to a browser that asks before it calls; None for every other request."""
    if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
        return None
    headers = {
        "Access-Control-Allow-Methods": "GET, HEAD, POST, DELETE",
        "Access-Control-Allow-Headers": _ALLOWED_HEADERS,
        "Access-Control-Max-Age": "600",
    }
    return web.Response(status=204, headers=headers)


def options_answer(request: web.Request) -> web.Response | None:
    """The answer to a plain OPTIONS: what the endpoint takes; None for other methods, and without an endpoint."""
    unmatched = request.match_info.http_exception
    if request.method != "OPTIONS" or not isinstance(unmatched, web.HTTPMethodNotAllowed):
        return None
    return web.Response(status=204, headers={"Allow": allowed_methods(unmatched)})


def require_local_caller(request: web.Request, origins: tuple[str, ...]) -> None:
    """Where no token is asked for, refuse callers that are not on this machine.

    Listening on loopback does not: any page that a browser here shows may post to 127.0.0.1, one that owns a name may
    point it there, and a proxy on this machine brings in the callers of a network. Raises ProblemError (403).
    """
    forwarded = [
        name
        for name in request.headers
        if name.lower() in _FORWARDED or name.lower().startswith("x-forwarded-")
    ]
    if forwarded:
        detail = (
            "Without tokens configured this gateway answers to callers on its own machine only, and this request was"
            f" forwarded ({forwarded[0]}); set FLEXRUN_TOKENS."
        )
        raise ProblemError(403, "forwarded_not_allowed", detail)
    if not is_loopback(_PORT.sub("", request.host)):
        detail = f"Without tokens configured this gateway answers to localhost only, not to {request.host}."
        raise ProblemError(403, "host_not_allowed", detail)
    origin = request.headers.get("Origin")
    if origin is None or origin in origins or origin.partition("://")[2] == request.host:
        return
    detail = "Pages of this origin may not call; FLEXRUN_CORS_ORIGINS names those that may."
    raise ProblemError(403, "origin_not_allowed", detail)
