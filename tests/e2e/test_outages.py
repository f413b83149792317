"""What operators see of an outage: few lines, each JSON with role and worker, and one at its end."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
import pytest

from flexrun.client import API, GatewayClient
from tests.support.postgres_server import PostgresServer
from tests.support.processes import FlexrunProcess, Setting, Site
from tests.support.sites import CommandLine, envelope, log_of, reached
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import DEADLINE_SECONDS, eventually

EVENTS = {"Accept": "text/event-stream"}


@pytest.fixture
async def server() -> AsyncIterator[PostgresServer]:
    """A Postgres that can be stopped."""
    server = PostgresServer()
    await server.start()
    try:
        yield server
    finally:
        await server.close()


@pytest.fixture
async def rabbit(amqp_url: str) -> AsyncIterator[TcpProxy]:
    """A proxy to RabbitMQ that can be closed."""
    parts = urlsplit(amqp_url)
    async with TcpProxy(parts.hostname or "", parts.port or 5672) as proxy:
        yield proxy


def _lines(process: FlexrunProcess) -> list[dict[str, Any]]:
    """Every line of its log. Raises where one is not JSON."""
    return [orjson.loads(line) for line in process.log_path.read_bytes().splitlines()]


def _count(process: FlexrunProcess, event: str) -> int:
    return sum(line["event"] == event for line in _lines(process))


async def _all_say(site: Site, event: str, times: int = 1) -> None:
    await eventually(
        lambda: all(_count(each, event) >= times for each in site.processes.values()), 60, describe=event
    )


async def test_an_outage_is_a_few_lines_with_role_and_worker(
    server: PostgresServer, rabbit: TcpProxy, amqp_url: str, broker_namespace: str, tmp_path: Path
) -> None:
    setting = Setting(server.url, rabbit.url(amqp_url), broker_namespace, extra={"LOG_FORMAT": "json"})
    site = Site(setting, tmp_path)
    site.add_all(gateway=1, planner=1, executor=1)
    async with site:
        rabbit.refusing = True
        rabbit.cut()
        await _all_say(site, "broker_away", 3)
        rabbit.refusing = False
        await _all_say(site, "broker_back")
        await server.stop()
        await _all_say(site, "database_away", 3)
        await server.start()
        await _all_say(site, "database_back")
    for process in site.processes.values():
        lines = _lines(process)
        (worker,) = {line["worker"] for line in lines}
        assert {line["role"] for line in lines} == {process.name.partition("-")[0]}
        assert worker.count(":") == 2
        for what in ("broker", "database"):
            away = [line for line in lines if line["event"] == f"{what}_away"]
            gaps = [line["next_line_in_seconds"] for line in away]
            assert gaps[:3] == [1, 2, 4], "said at doubling gaps"
            back = next(line for line in lines if line["event"] == f"{what}_back")
            assert back["message"] == f"back after {back['away_seconds']:g} s"
            assert back["failures"] > len(away), "attempts are not lines"
        troubled = [line for line in lines if line["level"] not in ("info", "debug")]
        others = [line for line in troubled if not line["event"].endswith(("_away", "readiness_changed"))]
        assert others == []


async def test_runs_go_on_without_the_broker_and_show_that_it_is_away(
    database_url: str, rabbit: TcpProxy, amqp_url: str, broker_namespace: str, tmp_path: Path
) -> None:
    setting = Setting(database_url, rabbit.url(amqp_url), broker_namespace, extra={"PING_SECONDS": "0.2"})
    site = Site(setting, tmp_path)
    site.add_all(gateway=1)
    async with site, GatewayClient(site.urls[0]) as client:
        rabbit.refusing = True
        rabbit.cut()
        run_id = await client.start_run(envelope("linkedin-variants"))

        async def told() -> list[dict[str, Any]]:
            waits = await _waiting_for(client, run_id) or []
            assert [each["kind"] for each in waits] == ["broker", "worker"]
            return waits

        shown: list[dict[str, Any]] = await eventually(told, 30)
        assert shown[0]["since"].endswith("Z")
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{site.urls[0]}{API}/runs/{run_id}/events", headers=EVENTS) as stream,
        ):
            await _comment(stream, b": waiting for the broker")
            said = await CommandLine(site.urls[0], tmp_path).run("runs", "show", run_id)
            assert "the broker has not been reached since" in said.out
            workers = [site.add(role) for role in ("planner", "executor", "executor")]
            for worker in workers:
                worker.launch()
            assert (
                await reached(client, run_id, "completed", timeout_seconds=3 * DEADLINE_SECONDS)
                == "completed"
            )
            assert await _waiting_for(client, run_id) is None, "a run that is over waits for nothing"
        events = await log_of(client, run_id)
        starts = [each["nodeId"] for each in events if each["type"] == "node_start"]
        assert len(starts) == len(set(starts)), "nothing was begun twice"
        rabbit.refusing = False
        for worker in workers:
            await worker.ready()
        other = await client.start_run(envelope("linkedin-variants"))
        await reached(client, other, "completed")
        assert await _waiting_for(client, other) is None


async def _waiting_for(client: GatewayClient, run_id: str) -> list[dict[str, Any]] | None:
    return (await client.call("GET", f"{API}/runs/{run_id}")).get("waitingFor")


async def _comment(stream: aiohttp.ClientResponse, wanted: bytes) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (line := await stream.content.readline()).strip() != wanted:
            assert line, "the stream ended"
