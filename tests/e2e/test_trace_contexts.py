"""W3C context in and out where there is no request: tools, queues, workers; and which traces are sent."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

import aio_pika
import orjson
import pytest

from broker.rabbitmq.topology import Topology
from executor.homes.mcp_connection import connection
from flexrun.client import API, GatewayClient
from flexrun.trace_sampling import sampler_of
from schemas.homes import McpHome
from telemetry.tracing import SpanContext
from tests.support.otlp_receiver import otlp_receiver
from tests.support.processes import FlexrunProcess, Setting, Site
from tests.support.sites import envelope, only_request, reached
from tests.support.waiting import eventually

CALLER = SpanContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
SERVER = """
    from typing import Any
    from mcp.server.mcpserver import Context, MCPServer

    server = MCPServer("traced")

    @server.tool()
    async def whose(context: Context[Any, Any]) -> dict[str, Any]:
        return {"traceparent": dict(context.request_context.meta or {}).get("traceparent")}

    server.run()
"""
WORKER = """
    from pydantic import BaseModel
    from flexrun_sdk import capability

    class Name(BaseModel):
        name: str

    class Greeting(BaseModel):
        text: str

    @capability(id="beside.greet", facets_in={"person": "person_name"}, facets_out="greeting_text")
    def greet(person: Name) -> Greeting:
        return Greeting(text=person.name)
"""
GREETED = {
    "objective": "Greet Ada",
    "inputs": {"facets": {"person_name": {"name": "Ada"}}},
    "outputContract": {"mode": "facets", "facets": ["greeting_text"]},
}


async def test_a_tool_finds_the_span_of_its_call(tmp_path: Path) -> None:
    file = tmp_path / "traced.py"
    file.write_text(dedent(SERVER))
    home = McpHome.model_validate(
        {"type": "mcp", "tool": "whose", "command": [sys.executable, str(file)]}, by_alias=True
    )
    async with connection(home) as opened:
        result = await opened.call("whose", {}, 10, CALLER.traceparent)
        assert result.structured_content == {"traceparent": CALLER.traceparent}
        without = await opened.call("whose", {}, 10)
        assert without.structured_content == {"traceparent": None}


async def test_a_decision_by_a_queue_continues_the_trace_of_its_sender(
    database_url: str, amqp_url: str, broker_namespace: str, tmp_path: Path
) -> None:
    async with otlp_receiver() as collector:
        site = Site(Setting(database_url, amqp_url, broker_namespace, 15), tmp_path)
        site.add("up", TRACES_ENDPOINT=collector.url)
        async with site, GatewayClient(site.urls[0]) as client:
            run_id = await client.start_run(envelope("linkedin-approval"))
            await reached(client, run_id, "awaiting_hitl")
            request = await only_request(client, run_id)
            decision = {
                "runId": run_id,
                "requestId": request["requestId"],
                "responses": [{"responseType": "approval"}],
                "operator": "bob",
            }
            message = aio_pika.Message(orjson.dumps(decision), headers={"traceparent": CALLER.traceparent})
            async with await aio_pika.connect(amqp_url) as link, link.channel() as channel:
                queue = Topology(broker_namespace).queue("hitl")
                await channel.default_exchange.publish(message, routing_key=queue)
            await reached(client, run_id, "completed")
        (received,) = collector.named("receive hitl")
        assert (received.trace_id, received.parent_id) == (CALLER.trace_id, CALLER.span_id)


async def test_the_report_of_a_worker_is_below_its_attempt(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "greetings.py"
    file.write_text(dedent(WORKER))
    async with otlp_receiver() as collector:
        own = {"FLEXRUN_PORT": "0", "FLEXRUN_TRACES_ENDPOINT": collector.url}
        environment = Setting(database_url, lease_seconds=15).environment() | own
        process = FlexrunProcess("up", ["up", "--worker", str(file)], environment, tmp_path, fresh=True)
        await process.start()
        try:
            async with GatewayClient(process.url) as client:

                async def accepted() -> str:
                    shown = await client.call("GET", f"{API}/capabilities")
                    assert "beside.greet" in str(shown)
                    return await client.start_run(orjson.dumps(GREETED))

                run_id = await eventually(accepted)
                await reached(client, run_id, "completed")
        finally:
            await process.stop()
        (attempt,) = collector.named("node ", run_id)
        (report,) = collector.named(f"POST {API}/work/{{token}}/complete")
        assert (report.trace_id, report.parent_id) == (attempt.trace_id, attempt.span_id)


@pytest.mark.parametrize(
    ("sampler", "argument", "without", "sampled", "unsampled"),
    [
        ("", "", True, True, False),
        ("parentbased_always_on", "", True, True, False),
        ("parentbased_always_off", "", False, True, False),
        ("parentbased_traceidratio", "0", False, True, False),
        ("parentbased_traceidratio", "1", True, True, False),
        ("always_on", "", True, True, True),
        ("always_off", "", False, False, False),
        ("traceidratio", "0", False, False, False),
        ("traceidratio", "half", True, True, True),
        ("unknown", "", True, True, False),
    ],
)
def test_the_sampler_is_that_of_opentelemetry(
    sampler: str, argument: str, without: bool, sampled: bool, unsampled: bool
) -> None:
    samples = sampler_of({"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument})
    parents = (None, CALLER, SpanContext(CALLER.trace_id, CALLER.span_id, sampled=False))
    assert [samples(CALLER.trace_id, each) for each in parents] == [without, sampled, unsampled]


def test_a_part_of_the_traces_is_the_same_in_every_process() -> None:
    half = sampler_of({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"})
    low, high = "f" * 16 + "7" + "f" * 15, "0" * 16 + "8" + "0" * 15
    assert (half(low, None), half(high, None)) == (True, False)


async def test_a_run_that_is_not_sampled_sends_no_spans_and_its_trace_goes_on(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    async with otlp_receiver() as collector:
        site = Site(Setting(database_url, lease_seconds=15), tmp_path)
        site.add("up", TRACES_ENDPOINT=collector.url)
        async with site, GatewayClient(site.urls[0]) as client:
            quiet = await client.start_run(envelope("linkedin-variants"))
            document = orjson.loads(envelope("linkedin-variants"))
            headers = {"traceparent": CALLER.traceparent}
            loud = (await client.call("POST", f"{API}/runs", document, headers))["runId"]
            for each in (quiet, loud):
                await reached(client, each, "completed")
        assert collector.named("run", quiet) == []
        assert collector.named("run", loud)
        assert {span.trace_id for span in collector.spans} == {CALLER.trace_id}
