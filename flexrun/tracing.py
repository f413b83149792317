"""Exports spans over OTLP. Imported only where an endpoint is set, since the libraries are large and optional."""

from __future__ import annotations

import asyncio

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from flexrun import __version__
from telemetry import tracing
from telemetry.tracing import Span

_CLOSING_SECONDS = 3
_KINDS = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "consumer": SpanKind.CONSUMER,
}
_SCOPE = InstrumentationScope("flexrun", __version__)


class SpanExport:
    """Sends the spans of this process in batches, from a thread of its own. What cannot be sent is dropped.

    `endpoint` is the base address of a collector (`http://collector:4318`); None: as `OTEL_EXPORTER_OTLP_…` say.
    """

    def __init__(self, endpoint: str | None, roles: str, worker: str) -> None:
        exporter = (
            OTLPSpanExporter() if endpoint is None else OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")
        )
        self._resource = Resource.create(
            {
                "service.name": "flexrun",
                "service.version": __version__,
                "service.instance.id": worker,
                "flexrun.roles": roles,
            }
        )
        self._processor = BatchSpanProcessor(exporter)
        tracing.record_to(self._pass_on)

    async def close(self) -> None:
        """Send what waits, for some seconds at most, and record nothing more."""
        tracing.record_to(None)
        await asyncio.to_thread(self._processor.force_flush, _CLOSING_SECONDS * 1000)
        await asyncio.to_thread(self._processor.shutdown)

    def _pass_on(self, span: Span) -> None:
        context = _context(span.context)
        parent = (
            None
            if span.parent_id is None
            else SpanContext(context.trace_id, int(span.parent_id, 16), is_remote=True, trace_flags=_SAMPLED)
        )
        self._processor.on_end(
            ReadableSpan(
                name=span.name,
                context=context,
                parent=parent,
                resource=self._resource,
                attributes=dict(span.attributes),
                links=[Link(_context(each)) for each in span.links],
                kind=_KINDS[span.kind],
                status=Status(StatusCode.UNSET)
                if span.error is None
                else Status(StatusCode.ERROR, span.error),
                start_time=int(span.began_at * 1e9),
                end_time=int(max(span.began_at, span.ended_at) * 1e9),
                instrumentation_scope=_SCOPE,
            )
        )


_SAMPLED = TraceFlags(TraceFlags.SAMPLED)


def _context(context: tracing.SpanContext) -> SpanContext:
    return SpanContext(
        int(context.trace_id, 16), int(context.span_id, 16), is_remote=False, trace_flags=_SAMPLED
    )
