"""Processes whose clocks are wrong: runs and timers use the database's time."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp
import orjson
import psycopg
import pytest

from flexrun.client import GatewayClient
from runs.event import parse_time
from tests.support.linkedin import example
from tests.support.ports import free_port
from tests.support.processes import Setting, Site
from tests.support.receivers import Receiver, failing, receiving
from tests.support.sites import envelope, log_of, reached
from tests.support.submitting import stream_run
from tests.support.waiting import DEADLINE_SECONDS, eventually
from tests.support.wrong_clock import WrongClock

HOUR = 3600
PATIENCE_SECONDS = 2 * DEADLINE_SECONDS
"""Far longer than a run on a loaded machine, and far from the error of the clocks."""


def _site(setting: Setting, folder: Path, clocks: dict[str, WrongClock]) -> Site:
    site = Site(setting, folder)
    for role in ("gateway", "planner", "executor"):
        port = ["--port", str(free_port())] if role == "gateway" else []
        if role in clocks:
            site.processes[role] = clocks[role].process(setting, role, [role, *port], folder)
        else:
            site.add(role, role)
    return site


# The broker carries no times, so that one of these worlds is enough for RabbitMQ.
@pytest.mark.parametrize(
    ("setting", "ahead"),
    [
        ("rabbitmq", {"gateway": HOUR, "planner": -HOUR, "executor": 2}),
        ("postgres", {"gateway": HOUR, "planner": -HOUR, "executor": 2}),
        ("postgres", {"gateway": -HOUR, "planner": HOUR, "executor": -HOUR}),
        ("postgres", {"gateway": 2, "planner": -2, "executor": HOUR}),
    ],
    ids=str,
    indirect=["setting"],
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


async def test_retries_deadlines_and_webhooks_take_place_at_the_right_time(
    database_url: str, tmp_path: Path
) -> None:
    setting = Setting(database_url, extra={"WEBHOOK_ALLOW_PRIVATE": "true"})
    clocks: dict[str, WrongClock] = {}
    for role in ("gateway", "planner", "executor"):
        (tmp_path / role).mkdir()
        clocks[role] = WrongClock(tmp_path / role)
    site = _site(setting, tmp_path, clocks)
    site.processes["executor"] = clocks["executor"].process(
        setting, "executor", ["executor"], tmp_path, module="tests.support.poison_flexrun"
    )
    async with receiving() as receiver, site, GatewayClient(site.processes["gateway"].url, None) as client:
        receiver.behave = failing(1)
        hook = {"url": f"{receiver.url}/a", "eventTypes": ["complete"]}
        receiver.secrets["a"] = (await client.call("POST", "/api/v1/flex/webhooks", hook))["secret"]
        for ahead_seconds in (HOUR, -HOUR):
            for role, sign in (("gateway", 1), ("planner", -1), ("executor", -1)):
                clocks[role].set(sign * ahead_seconds)
                told = f'"ahead_seconds":{float(sign * ahead_seconds)}'
                await eventually(lambda role=role, told=told: _says(site, role, told), PATIENCE_SECONDS)
            fails_once = example("linkedin-variants") | {"metadata": {"runLabel": "poison: once"}}
            retried = await client.start_run(orjson.dumps(fails_once))
            waits = example("linkedin-approval") | {"constraints": {"deadlineSeconds": 2}}
            overdue = await client.start_run(orjson.dumps(waits))
            await _the_retries_were_in_time(client, retried)
            await _the_deadline_was_in_time(client, overdue)
            for run_id in (retried, overdue):
                await _the_webhook_was_sent_again_in_time(receiver, run_id)


def _says(site: Site, role: str, told: str) -> bool:
    return told in site.processes[role].last_words(100_000)


async def _the_retries_were_in_time(client: GatewayClient, run_id: str) -> None:
    await reached(client, run_id, "completed", timeout_seconds=PATIENCE_SECONDS)
    log = await log_of(client, run_id)
    errors = [event for event in log if event["type"] == "node_error"]
    assert errors
    for error in errors:
        due = parse_time(error["payload"]["nextAttemptAt"])
        pause = due - _time_of(error)
        assert timedelta(seconds=0.05) < pause < timedelta(seconds=1), "about 0.2 s after the failure"
        node_id = error["nodeId"]
        again = [
            _time_of(event) for event in log if event["type"] == "node_start" and event["nodeId"] == node_id
        ][1]
        assert due <= again < due + timedelta(seconds=PATIENCE_SECONDS)


async def _the_deadline_was_in_time(client: GatewayClient, run_id: str) -> None:
    await reached(client, run_id, "failed", timeout_seconds=PATIENCE_SECONDS)
    log = await log_of(client, run_id)
    assert log[-1]["payload"]["error"]["code"] == "deadline_exceeded"
    seconds = (_time_of(log[-1]) - _time_of(log[0])).total_seconds()
    assert 2 <= seconds < PATIENCE_SECONDS


async def _the_webhook_was_sent_again_in_time(receiver: Receiver, run_id: str) -> None:
    def sent_again() -> bool:
        return len([call for call in receiver.of("a") if call.run_id == run_id]) == 2

    await eventually(sent_again, PATIENCE_SECONDS)
    first, second = (call for call in receiver.of("a") if call.run_id == run_id)
    assert second.timestamp - first.timestamp >= 3, "the first pause is 5 s, a fifth longer or shorter"
    # Receivers refuse a message whose time is five minutes off.
    assert all(abs(call.timestamp - time.time()) < 300 for call in (first, second))
    assert receiver.refused == []


def _time_of(event: dict[str, Any]) -> datetime:
    return parse_time(event["timestamp"])
