"""`/metrics` of real processes, read by Prometheus' own parser, after runs whose ends are known."""

from __future__ import annotations

import asyncio
from pathlib import Path
from textwrap import dedent
from typing import Any

import aiohttp
import orjson
import psycopg
import pytest

from eventstore.store import EventStore
from flexrun.client import API, GatewayClient
from flexrun.metrics.page import TARGET, document
from telemetry import catalogue
from telemetry.metrics import OTHER, Counter, Label, LabelValues, declared, label_names
from tests.support.ports import free_port
from tests.support.processes import Setting, Site
from tests.support.scraping import Scrape, scrape, together
from tests.support.sites import reached
from tests.support.waiting import eventually

AUTHORS = """
    from pydantic import BaseModel
    from flexrun_sdk import CapabilityError, Context, capability

    class Ticket(BaseModel):
        text: str

    class Calm(BaseModel):
        word: str

    class Storm(BaseModel):
        word: str

    @capability(id="acme.second-try", facets_out="calm")
    async def second_try(ticket: Ticket, context: Context) -> Calm:
        context.usage(input_tokens=7, output_tokens=3, cost_micros=250_000, currency="EUR", seconds=1.5)
        if context.attempt == 1:
            raise CapabilityError("busy", "not yet")
        return Calm(word="calm")

    @capability(id="acme.hopeless", facets_out="storm")
    async def hopeless(ticket: Ticket, context: Context) -> Storm:
        raise CapabilityError("broken", "never", retryable=False)
"""


def task(facet: str) -> bytes:
    return orjson.dumps(
        {
            "objective": "Calm the ticket",
            "inputs": {"facets": {"ticket": {"text": "It rains in!"}}},
            "outputContract": {"mode": "facets", "facets": [facet]},
        }
    )


class Watched:
    """A site of three processes with health ports."""

    def __init__(self, setting: Setting, folder: Path, module: Path) -> None:
        self.site = Site(setting, folder)
        self.ports = {role: free_port() for role in ("gateway", "planner", "executor")}
        for role, port in self.ports.items():
            own = {"HEALTH_PORT": str(port)} | ({"LOAD": str(module)} if role == "executor" else {})
            self.site.add(role, **own)

    async def of(self, role: str) -> Scrape:
        return await scrape(f"http://127.0.0.1:{self.ports[role]}")

    async def all(self) -> Scrape:
        return together(await asyncio.gather(*(self.of(role) for role in self.ports)))


@pytest.fixture(name="module")
def fixture_module(tmp_path: Path) -> Path:
    path = tmp_path / "authors.py"
    path.write_text(dedent(AUTHORS))
    return path


async def test_what_runs_have_done_is_counted_by_the_processes_that_did_it(
    setting: Setting, tmp_path: Path, module: Path
) -> None:
    watched = Watched(setting, tmp_path / "site", module)
    async with watched.site, GatewayClient(watched.site.urls[0]) as client:
        ended = [
            await client.start_run(task("calm")),
            await client.start_run(task("storm")),
            await client.start_run(task("calm")),
        ]
        for run_id in ended:
            await reached(client, run_id, "completed", "failed")
        found = await watched.all()
        assert found.value("flexrun_runs_started_total", kind="new") == 3
        assert found.value("flexrun_runs_finished_total", outcome="completed") == 2
        assert found.value("flexrun_runs_finished_total", outcome="failed") == 1
        assert found.value("flexrun_run_duration_seconds_count", outcome="completed") == 2
        tried = {"capability": "acme.second-try"}
        assert found.value("flexrun_node_attempts_total", result="completed", **tried) == 2
        assert found.value("flexrun_node_attempts_total", result="failed", **tried) == 2
        assert found.value("flexrun_retries_total", **tried) == 2
        assert found.value("flexrun_node_attempts_total", result="failed", capability="acme.hopeless") == 1
        assert found.value("flexrun_retries_total", capability="acme.hopeless") == 0
        assert found.value("flexrun_node_duration_seconds_count", **tried) == 2
        assert found.value("flexrun_usage_tokens_total", direction="input", **tried) == 28
        assert found.value("flexrun_usage_tokens_total", direction="output", **tried) == 12
        assert found.value("flexrun_usage_cost_total", currency="EUR", **tried) == 1.0
        assert found.value("flexrun_usage_seconds_total", **tried) == 6.0
        assert found.value("flexrun_plans_total", result="generated") == 3
        assert found.value("flexrun_planning_duration_seconds_count", result="planned") >= 3
        assert found.value("flexrun_append_duration_seconds_count") >= 9
        assert found.value("flexrun_append_batch_appends_sum") == found.value(
            "flexrun_append_duration_seconds_count"
        )
        assert found.value("flexrun_contract_checks_total", result="checked") >= 2
        assert found.value("flexrun_sandbox_call_duration_seconds_count") >= 2
        accepted = {"method": "POST", "path": f"{API}/runs", "status": "2xx"}
        assert (await watched.of("gateway")).value("flexrun_http_requests_total", **accepted) == 3
        executor = await watched.of("executor")
        assert executor.value("flexrun_worker_slots", role="executor", state="limit") == 64
        assert executor.value("flexrun_process_info", roles="executor") == 1
        assert executor.value("process_cpu_seconds_total") > 0


async def test_what_waits_is_what_the_database_says(database_url: str, tmp_path: Path, module: Path) -> None:
    setting = Setting(database_url)
    watched = Watched(setting, tmp_path / "site", module)
    async with watched.site, GatewayClient(watched.site.urls[0]) as client:
        await watched.site.of_role("executor")[0].stop()
        run_id = await client.start_run(task("calm"))
        store = await EventStore.open(database_url)
        try:
            await store.fetch("messages/send", {"queue": "hitl", "body": b"no message of ours"})
        finally:
            await store.close()

        async def shown() -> bool:
            found = await watched.of("gateway")
            return (
                found.value("flexrun_runs", status="running") == 1
                and found.value("flexrun_work_due") == 1
                and found.value("flexrun_work_oldest_due_seconds") > 0
                and found.value("flexrun_dead_letters", place="database") == 1
                and found.value("flexrun_roles_missing", role="executor") == 1
                and found.value("flexrun_database_sampled") == 1
            )

        await eventually(shown)
        assert (await watched.of("gateway")).value("flexrun_dead_lettered_total", queue="hitl") == 1
        address = f"{watched.site.urls[0]}{API}/runs/{run_id}/events"
        async with (
            aiohttp.ClientSession() as session,
            session.get(address, headers={"Accept": "text/event-stream"}) as stream,
        ):
            await stream.content.readany()
            assert (await watched.of("gateway")).value("flexrun_streams_open") == 1


async def test_the_public_port_wants_a_token_where_there_are_tokens(
    database_url: str, tmp_path: Path
) -> None:
    secret = "a-token-of-sixteen"
    site = Site(Setting(database_url, extra={"TOKENS": f"{secret}=ann"}), tmp_path)
    site.add("gateway")
    site.add("gateway", METRICS_OPEN="true")
    async with site, aiohttp.ClientSession() as session:
        closed, opened = site.urls
        async with session.get(f"{closed}/metrics") as answer:
            assert answer.status == 401
        assert (await scrape(closed, secret)).has("flexrun_process_info")
        assert (await scrape(opened)).has("flexrun_process_info")


async def test_metrics_are_there_while_the_database_is_not(tmp_path: Path) -> None:
    port = free_port()
    address = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    process = Site(Setting(address, extra={"HEALTH_PORT": str(port)}), tmp_path).add("planner")
    process.launch()
    try:

        async def shown() -> bool:
            try:
                return (await scrape(f"http://127.0.0.1:{port}")).has("flexrun_process_info")
            except aiohttp.ClientError:
                return False

        await eventually(shown)
    finally:
        await process.stop()


def test_the_page_is_what_the_catalogue_says() -> None:
    assert TARGET.read_text(encoding="utf-8") == document(), "make docs"


def test_names_follow_prometheus_conventions() -> None:
    for metric in declared(catalogue):
        assert metric.name.startswith("flexrun_")
        assert metric.name.endswith("_total") == isinstance(metric, Counter), metric.name
        assert len(set(label_names(metric))) == len(metric.labels)


def test_labels_that_strangers_choose_are_bounded() -> None:
    counter = Counter("flexrun_test_total", "", [Label("capability", LabelValues(3))])
    for number in range(1000):
        counter.add(f"cap-{number}")
    sums: dict[Any, float] = dict(counter.sums())
    assert sums == {("cap-0",): 1, ("cap-1",): 1, ("cap-2",): 1, (OTHER,): 997}


async def test_no_count_grows_with_the_number_of_stored_runs(database_url: str) -> None:
    """Each part of the statements goes along an index: none scans a table, however large it has become."""
    from eventstore.statements import statement  # noqa: PLC0415

    asked = {
        "metrics/runs": {"statuses": ["running"], "limit": 10},
        "metrics/work": {"limit": 10, "queues": 10},
        "metrics/waiting": {"limit": 10},
    }
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute("set enable_seqscan = off")
        for name, parameters in asked.items():
            cursor = await connection.execute(f"explain {statement(name).decode()}", parameters)  # type: ignore[arg-type]
            plan = "\n".join(line for (line,) in await cursor.fetchall())
            for table in (
                "flex_runs",
                "flex_events",
                "flex_work",
                "flex_dead_letters",
                "flex_webhook_deliveries",
            ):
                assert f"Seq Scan on {table}" not in plan, plan
