"""The drills of servers that are away: the broker is down, the database fails over."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from flexrun.client import GatewayClient
from tests.support.cli import Done, run
from tests.support.doctors import doctor, found, troubles
from tests.support.postgres_server import PostgresServer
from tests.support.processes import Setting, Site
from tests.support.rabbit_server import RabbitServer, find_rabbitmq
from tests.support.scraping import scrape
from tests.support.sites import decide, envelope, only_request, reached
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import DEADLINE_SECONDS, eventually

PATIENCE_SECONDS = 3 * DEADLINE_SECONDS
AWAY_SECONDS = float(os.environ.get("DRILL_AWAY_SECONDS", "7"))
"""How long the broker is away: past several tries of every process to reach it, and a minute where it is asked for."""


async def _well(site: Site) -> bool:
    assert troubles(await doctor(site.setting)) == []
    return True


@pytest.mark.skipif(find_rabbitmq() is None, reason="RabbitMQ is not installed")
async def test_a_broker_that_is_down_is_named_and_runs_go_on_without_it(
    database_url: str, tmp_path: Path
) -> None:
    async with RabbitServer() as rabbit:
        site = Site(Setting(database_url, rabbit.url, extra={"LOG_FORMAT": "json"}), tmp_path)
        site.add_all(gateway=1, planner=1, executor=1)
        async with site, GatewayClient(site.urls[0]) as client:
            asked = await client.start_run(envelope("linkedin-approval"))
            await reached(client, asked, "awaiting_hitl")
            await rabbit.stop()
            assert troubles(await doctor(site.setting)) == [("broker", "server")]
            # Runs are accepted, worked on and decided meanwhile.
            await reached(client, await client.start_run(envelope("linkedin-variants")), "completed")
            request = await only_request(client, asked)
            decided = await run("hitl", "approve", request["requestId"], "--url", site.urls[0])
            assert decided.status == 0, decided.err
            await reached(client, asked, "completed")

            async def away_for_long() -> bool:
                scraped = await scrape(site.urls[0])
                return scraped.value("flexrun_outage_seconds", server="broker") > AWAY_SECONDS

            await eventually(away_for_long, AWAY_SECONDS + DEADLINE_SECONDS)
            await rabbit.start()
            await eventually(lambda: _well(site), PATIENCE_SECONDS)
            await reached(client, await client.start_run(envelope("linkedin-variants")), "completed")


async def test_database_connections_that_are_cut_are_named_and_come_back(
    database_url: str, tmp_path: Path
) -> None:
    parts = urlsplit(database_url)
    async with TcpProxy(parts.hostname or "", parts.port or 5432) as proxy:
        site = Site(Setting(proxy.url(database_url)), tmp_path)
        site.add_all(gateway=1, planner=1, executor=1)
        async with site, GatewayClient(site.urls[0]) as client:
            run_id = await client.start_run(envelope("linkedin-approval"))
            await reached(client, run_id, "awaiting_hitl")
            proxy.refusing = True
            proxy.cut()
            await _named_as_away(site)
            proxy.refusing = False
            await eventually(lambda: _well(site), PATIENCE_SECONDS)
            await decide(client, await only_request(client, run_id))
            await reached(client, run_id, "completed")


async def test_a_database_that_crashes_in_the_middle_of_runs_loses_none_of_them(tmp_path: Path) -> None:
    async with PostgresServer() as server:
        site = Site(Setting(server.url, lease_seconds=15), tmp_path)
        site.add_all(gateway=1, planner=1, executor=1)
        async with site, GatewayClient(site.urls[0]) as client:
            runs = [await client.start_run(envelope("linkedin-variants")) for _ in range(2)]
            await server.kill()
            await _named_as_away(site)
            await server.start()
            await eventually(lambda: _well(site), PATIENCE_SECONDS)
            for run_id in runs:
                await reached(client, run_id, "completed")
            report = await _verified(server.url)
            assert report.status == 0, report.out


async def _named_as_away(site: Site) -> None:
    document: dict[str, Any] = await doctor(site.setting)
    assert troubles(document) == [("database", "server")]
    assert "cannot be reached" in found(document, "database", "server")["seen"]


async def _verified(database_url: str) -> Done:
    return await run("db", "verify", "--json", "--database", database_url)
