"""A collector of spans: OTLP over HTTP, as an OpenTelemetry collector receives it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True)
class Received:
    """A span, with the roles of the process that sent it; ids are hexadecimal, `parent_id` is '' for none."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    roles: str
    attributes: dict[str, str]
    links: list[tuple[str, str]]
    failed: bool
    seconds: float


@dataclass
class OtlpReceiver:
    """Where to send spans, and those that came."""

    url: str = ""
    spans: list[Received] = field(default_factory=list[Received])

    def named(self, prefix: str, run_id: str | None = None) -> list[Received]:
        """Those whose name begins so, of one run or of all."""
        return [
            span
            for span in self.spans
            if span.name.startswith(prefix) and run_id in (None, span.attributes.get("flexrun.run_id"))
        ]

    async def take(self, request: web.Request) -> web.Response:
        sent = ExportTraceServiceRequest.FromString(await request.read())
        for of_resource in sent.resource_spans:
            resource = {each.key: each.value.string_value for each in of_resource.resource.attributes}
            for of_scope in of_resource.scope_spans:
                for span in of_scope.spans:
                    self.spans.append(
                        Received(
                            span.name,
                            span.trace_id.hex(),
                            span.span_id.hex(),
                            span.parent_span_id.hex(),
                            resource["flexrun.roles"],
                            {
                                each.key: each.value.string_value or str(each.value.int_value)
                                for each in span.attributes
                            },
                            [(each.trace_id.hex(), each.span_id.hex()) for each in span.links],
                            span.status.code == 2,
                            (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
                        )
                    )
        return web.Response(
            body=ExportTraceServiceResponse().SerializeToString(), content_type="application/x-protobuf"
        )


@asynccontextmanager
async def otlp_receiver() -> AsyncIterator[OtlpReceiver]:
    """A receiver on a free port."""
    receiver = OtlpReceiver()
    app = web.Application()
    app.router.add_post("/v1/traces", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield receiver
    finally:
        await runner.cleanup()
