"""The span of a request, below that of its caller where the caller names one (`traceparent`)."""

from __future__ import annotations

import time
from dataclasses import dataclass

from aiohttp import web

from telemetry import tracing
from telemetry.tracing import Span, SpanContext, new_trace, parse_traceparent

_SERVER_FAULT = 500


@dataclass(frozen=True, slots=True)
class RequestSpan:
    """A span that has begun."""

    context: SpanContext
    parent_id: str | None


def begin_span(request: web.Request) -> RequestSpan:
    """Work in a span of this request from now on."""
    parent = parse_traceparent(request.headers.get("traceparent"))
    span = RequestSpan(new_trace(parent), None if parent is None else parent.span_id)
    tracing.current.set(span.context)
    return span


def end_span(request: web.Request, span: RequestSpan, status: int, seconds: float) -> None:
    """Record it: named by the endpoint's path, never by what callers write into an address."""
    resource, now = request.match_info.route.resource, time.time()
    path = "unknown" if resource is None else resource.canonical
    tracing.record(
        Span(
            name=f"{request.method} {path}",
            context=span.context,
            parent_id=span.parent_id,
            began_at=now - seconds,
            ended_at=now,
            kind="server",
            attributes={
                "http.request.method": request.method,
                "http.route": path,
                "http.response.status_code": status,
            },
            error=str(status) if status >= _SERVER_FAULT else None,
        )
    )
