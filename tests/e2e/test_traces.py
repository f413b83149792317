"""Spans of real processes, as a collector gets them: one tree from the caller's request to the service called."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from textwrap import dedent

import orjson
from aiohttp import web

from eventstore.store import EventStore
from flexrun.client import API, GatewayClient
from telemetry.tracing import SpanContext, parse_traceparent
from tests.support.http_service import ServiceCall, http_service, register_service
from tests.support.otlp_receiver import OtlpReceiver, otlp_receiver
from tests.support.processes import Setting, Site
from tests.support.sites import reached
from tests.support.waiting import eventually

CALLER = SpanContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")

AUTHORS = """
    from pydantic import BaseModel
    from flexrun_sdk import capability

    class Ticket(BaseModel):
        text: str

    class Sun(BaseModel):
        word: str

    @capability(id="acme.dear-sun", facets_out="sun", cost={"micros": 900})
    def dear_sun(ticket: Ticket) -> Sun:
        return Sun(word="dear")
"""
TASK = {
    "objective": "Let the sun shine",
    "inputs": {"facets": {"ticket": {"text": "It rains in!"}}},
    "outputContract": {"mode": "facets", "facets": ["sun"]},
}


class FailsFirst:
    """A service that has an error of its own at the first call."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, _call: ServiceCall) -> web.StreamResponse:
        self.calls += 1
        if self.calls == 1:
            return web.json_response({"error": {"code": "busy", "message": "not yet"}})
        return web.json_response({"output": {"word": "shines"}})


async def test_one_tree_over_gateway_planner_executor_and_the_service_that_was_called(
    setting: Setting, tmp_path: Path
) -> None:
    module = tmp_path / "authors.py"
    module.write_text(dedent(AUTHORS))
    async with otlp_receiver() as collector, http_service(FailsFirst()) as service:
        site = Site(setting, tmp_path / "site")
        for role in ("gateway", "planner", "executor"):
            site.add(role, LOAD=str(module), TRACES_ENDPOINT=collector.url)
        async with site, GatewayClient(site.urls[0]) as client:
            store = await EventStore.open(setting.database_url)
            try:
                await register_service(
                    store, "acme.sun", service.url, facetsIn=["ticket"], facetsOut=["sun"], cost={"micros": 1}
                )
            finally:
                await store.close()
            answer = await client.call("POST", f"{API}/runs", TASK, {"traceparent": CALLER.traceparent})
            run_id = answer["runId"]
            await reached(client, run_id, "completed")
            forked = (await client.call("POST", f"{API}/runs/{run_id}/fork", {"reason": "again"}))["runId"]
            await reached(client, forked, "completed")
        # A process that stops sends what it has.
        assert_one_tree(collector, run_id, [call.headers["traceparent"] for call in service.calls])
        (fork,) = collector.named("run", forked)
        (original,) = collector.named("run", run_id)
        assert fork.links == [(original.trace_id, original.span_id)]


def assert_one_tree(collector: OtlpReceiver, run_id: str, sent: list[str]) -> None:
    """The spans of a run whose one node was tried twice, below the request that brought CALLER."""
    (request,) = [span for span in collector.named(f"POST {API}/runs") if span.parent_id == CALLER.span_id]
    (run,), (plan,) = collector.named("run", run_id), collector.named("plan", run_id)
    first, second = sorted(
        collector.named("node ", run_id), key=lambda span: span.attributes["flexrun.attempt"]
    )
    assert {span.trace_id for span in (request, run, plan, first, second)} == {CALLER.trace_id}
    assert run.parent_id == request.span_id
    assert [span.parent_id for span in (plan, first, second)] == [run.span_id] * 3
    assert (request.roles, plan.roles, first.roles) == ("gateway", "planner", "executor")
    assert (first.failed, second.failed, run.failed) == (True, False, False)
    assert (first.links, second.links) == ([], [(first.trace_id, first.span_id)])
    assert first.attributes["flexrun.capability_id"] == "acme.sun"
    calls = {span.span_id: span for span in collector.named("call service")}
    named = [parse_traceparent(each) for each in sent[:2]]
    assert [each.trace_id for each in named if each] == [CALLER.trace_id] * 2
    assert [calls[each.span_id].parent_id for each in named if each] == [first.span_id, second.span_id]
    assert run.seconds >= second.seconds > 0
    assert max(Counter(span.span_id for span in collector.spans).values()) == 1


async def test_a_caller_that_does_not_sample_gets_no_spans_and_its_trace_goes_on(
    database_url: str, tmp_path: Path
) -> None:
    module = tmp_path / "authors.py"
    module.write_text(dedent(AUTHORS))
    async with otlp_receiver() as collector:
        site = Site(Setting(database_url, extra={"LOAD": str(module)}), tmp_path / "site")
        site.add("up", TRACES_ENDPOINT=collector.url)
        unsampled = SpanContext(CALLER.trace_id, CALLER.span_id, sampled=False)
        async with site, GatewayClient(site.urls[0]) as client:
            quiet = await client.call("POST", f"{API}/runs", TASK, {"traceparent": unsampled.traceparent})
            loud = await client.call("POST", f"{API}/runs", TASK, {"traceparent": "00-no-trace-01"})
            for each in (quiet, loud):
                await reached(client, each["runId"], "completed")
        assert collector.named("run", loud["runId"])
        assert collector.named("run", quiet["runId"]) == []
        assert CALLER.trace_id not in {span.trace_id for span in collector.spans}


async def test_runs_do_not_wait_for_a_collector_that_is_away(database_url: str, tmp_path: Path) -> None:
    module = tmp_path / "authors.py"
    module.write_text(dedent(AUTHORS))
    site = Site(Setting(database_url, extra={"LOAD": str(module)}), tmp_path / "site")
    site.add("up", TRACES_ENDPOINT="http://127.0.0.1:9")
    async with site, GatewayClient(site.urls[0]) as client:
        run_id = await client.start_run(orjson.dumps(TASK))
        assert await eventually(lambda: reached(client, run_id, "completed")) == "completed"


def test_what_is_no_traceparent_starts_a_trace_of_its_own() -> None:
    assert parse_traceparent(CALLER.traceparent) == CALLER
    zeros = ("00-" + "0" * 32 + "-b7ad6b7169203331-01", f"00-{CALLER.trace_id}-" + "0" * 16 + "-01")
    for text in (None, "", "ff" + CALLER.traceparent[2:], CALLER.traceparent.upper(), "00-1-2-01", *zeros):
        assert parse_traceparent(text) is None
