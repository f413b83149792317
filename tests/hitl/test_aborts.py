"""Abort on real processes: while a run waits, while it is planned, while a node works for a minute."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from flexrun.client import API, GatewayClient
from runs.event import parse_time
from tests.support.processes import FlexrunProcess, Setting, Site
from tests.support.sites import envelope, log_of, reached, types_of
from tests.support.waiting import eventually
from tests.support.wired_engine import BrokerAddress

PROMISED_SECONDS = 1.0


@dataclass
class Slow:
    """A gateway, and a worker whose planner and capability take a minute."""

    client: GatewayClient
    worker: FlexrunProcess

    async def submit(self, slow: str) -> str:
        body = {
            "objective": "wait",
            "inputs": {"slow": slow},
            "outputContract": {"schema": {"type": ["object", "string"]}},
        }
        return await self.client.start_run(orjson.dumps(body))

    async def said(self, what: str, run_id: str) -> float:
        """The time of the worker's line, in seconds since the epoch."""

        def line() -> str:
            lines = self.worker.last_words(100_000).splitlines()
            return next((each for each in lines if each.startswith(f"{what} {run_id} ")), "")

        return float((await eventually(line)).rpartition(" ")[2])

    async def abort(self, run_id: str) -> float:
        """Abort the run; the time of that event in the log."""
        body = {"reason": "enough", "operator": "ann"}
        answer = await self.client.call("POST", f"{API}/runs/{run_id}/abort", body)
        assert answer["status"] == "aborted"
        complete = (await log_of(self.client, run_id))[-1]
        assert complete["payload"]["error"]["details"] == {"operator": "ann", "reason": "enough"}
        return parse_time(complete["timestamp"]).timestamp()


@asynccontextmanager
async def slow_site(setting: Setting, folder: Path) -> AsyncIterator[Slow]:
    site = Site(setting, folder)
    site.add("gateway")
    worker = FlexrunProcess(
        "slow-worker", [], setting.environment(), folder, module="tests.support.slow_worker"
    )
    site.processes[worker.name] = worker
    async with site, GatewayClient(site.urls[0]) as client:
        yield Slow(client, worker)


@pytest.fixture
async def slow(database_url: str, tmp_path: Path) -> AsyncIterator[Slow]:
    """On the Postgres broker."""
    async with slow_site(Setting(database_url, lease_seconds=15), tmp_path) as site:
        yield site


@pytest.fixture
async def slow_on_either(
    database_url: str, broker_address: BrokerAddress, tmp_path: Path
) -> AsyncIterator[Slow]:
    """On either broker."""
    setting = Setting(database_url, broker_address.broker_url, broker_address.namespace, lease_seconds=15)
    async with slow_site(setting, tmp_path) as site:
        yield site


async def test_a_capability_that_works_for_a_minute_is_cancelled_within_a_second(
    slow_on_either: Slow,
) -> None:
    slow = slow_on_either
    run_id = await slow.submit("node")
    await slow.said("begun-node", run_id)
    aborted_at = await slow.abort(run_id)
    assert await slow.said("cancelled-node", run_id) - aborted_at < PROMISED_SECONDS
    assert (await types_of(slow.client, run_id))[-2:] == ["node_start", "complete"]


async def test_a_run_that_is_being_planned_ends_at_once_and_no_plan_follows(slow: Slow) -> None:
    run_id = await slow.submit("plan")
    await slow.said("begun-plan", run_id)
    aborted_at = await slow.abort(run_id)
    assert await types_of(slow.client, run_id) == ["start", "plan_requested", "complete"]
    assert await slow.said("cancelled-plan", run_id) - aborted_at < 10


async def test_a_deadline_ends_a_run_whose_node_works_on(slow: Slow) -> None:
    body = {
        "objective": "wait",
        "inputs": {"slow": "node"},
        "constraints": {"deadlineSeconds": 1.5},
        "outputContract": {"schema": {"type": ["object", "string"]}},
    }
    run_id = await slow.client.start_run(orjson.dumps(body))
    await slow.said("begun-node", run_id)
    await reached(slow.client, run_id, "failed")
    complete = (await log_of(slow.client, run_id))[-1]
    assert complete["payload"]["error"]["code"] == "deadline_exceeded"
    ended_at = parse_time(complete["timestamp"]).timestamp()
    assert await slow.said("cancelled-node", run_id) - ended_at < PROMISED_SECONDS


async def test_a_run_that_waits_for_a_person_is_aborted_with_nothing_left_to_decide(
    database_url: str, tmp_path: Path
) -> None:
    site = Site(Setting(database_url), tmp_path)
    site.add("up")
    async with site, GatewayClient(site.urls[0]) as client:
        run_id = await client.start_run(envelope("linkedin-approval"))
        await reached(client, run_id, "awaiting_hitl")
        await Slow(client, site.processes["up-1"]).abort(run_id)
        assert (await client.call("GET", "/api/hitl/pending"))["requests"] == []
        assert (await types_of(client, run_id)).count("hitl_resolved") == 0
