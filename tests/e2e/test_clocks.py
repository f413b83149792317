"""Processes whose clocks are wrong: runs and timers keep to the database's time."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

import aiohttp
import psycopg
import pytest

from flexrun.client import GatewayClient
from tests.support.linkedin import example
from tests.support.ports import free_port
from tests.support.processes import Setting, Site
from tests.support.sites import envelope, reached
from tests.support.submitting import stream_run
from tests.support.waiting import eventually
from tests.support.wrong_clock import WrongClock

HOUR = 3600
PATIENCE_SECONDS = 60
"""Far beyond what a run takes on a loaded machine, and far from what the clocks are off."""


def _site(setting: Setting, folder: Path, clocks: dict[str, WrongClock]) -> Site:
    site = Site(setting, folder)
    for role in ("gateway", "planner", "executor"):
        port = ["--port", str(free_port())] if role == "gateway" else []
        if role in clocks:
            site.processes[role] = clocks[role].process(setting, role, [role, *port], folder)
        else:
            site.add(role, role)
    return site


@pytest.mark.parametrize(
    "ahead",
    [
        {"gateway": HOUR, "planner": -HOUR, "executor": 2},
        {"gateway": -HOUR, "planner": HOUR, "executor": -HOUR},
        {"gateway": 2, "planner": -2, "executor": HOUR},
    ],
    ids=str,
)
async def test_runs_and_timers_keep_to_the_databases_time(
    setting: Setting, tmp_path: Path, http: aiohttp.ClientSession, ahead: dict[str, int]
) -> None:
    clocks: dict[str, WrongClock] = {}
    for role, seconds in ahead.items():
        (tmp_path / role).mkdir()
        clocks[role] = WrongClock(tmp_path / role, seconds)
    async with _site(setting, tmp_path, clocks) as site:
        url = site.processes["gateway"].url
        for role in ahead:
            assert "clock_differs_from_database" in site.processes[role].last_words(100_000), role
        began = monotonic()
        frames = await stream_run(http, url, example("linkedin-variants"))
        assert frames[-1]["type"] == "complete"
        assert frames[-1]["payload"]["status"] == "completed"
        assert monotonic() - began < PATIENCE_SECONDS
        await _an_expiry_fires(url)
        _stamps_are_the_databases(setting.database_url)


async def _an_expiry_fires(url: str) -> None:
    async with GatewayClient(url, None) as client:
        hitl = {"expiresInSeconds": 2, "onExpiry": "approve"}
        expires = await client.start_run(envelope("linkedin-approval", hitl=hitl))
        await reached(client, expires, "completed", timeout_seconds=PATIENCE_SECONDS)


def _stamps_are_the_databases(database_url: str) -> None:
    with psycopg.connect(database_url) as database:
        row = database.execute(
            "select count(*) filter (where abs(extract(epoch from recorded_at - now())) > 300), count(*)"
            " from flex_events"
        ).fetchone()
    assert row is not None
    assert row[0] == 0
    assert row[1] > 0


async def test_a_clock_that_jumps_under_running_processes_moves_nothing(
    database_url: str, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    clock = WrongClock(tmp_path)
    setting = Setting(database_url)
    async with _site(setting, tmp_path, dict.fromkeys(("gateway", "planner", "executor"), clock)) as site:
        url = site.processes["gateway"].url
        for ahead_seconds in (HOUR, -HOUR):
            clock.set(ahead_seconds)
            told = f'"ahead_seconds":{float(ahead_seconds)}'

            def all_have_told(told: str = told) -> bool:
                return all(told in each.last_words(100_000) for each in site.processes.values())

            await eventually(all_have_told, 30, describe=told)
            frames = await stream_run(http, url, example("linkedin-variants"))
            assert frames[-1]["payload"]["status"] == "completed"
        _stamps_are_the_databases(database_url)
