"""A waiting run depends on no process's memory: after every kill its decision counts once and work continues."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flexrun.client import API, GatewayClient
from runs.event import parse_time
from tests.support.processes import Setting, Site
from tests.support.sites import (
    decide,
    envelope,
    kill_all,
    log_of,
    only_request,
    reached,
    types_of,
)
from tests.support.waiting import DEADLINE_SECONDS, eventually
from tests.support.wired_engine import BrokerAddress

PLAN_FIRST = {"runtime": [{"id": "look", "trigger": "plan_generated", "action": "hitl"}]}


@pytest.fixture
def site(database_url: str, broker_address: BrokerAddress, tmp_path: Path) -> Site:
    """A gateway, a planner and an executor, not started."""
    site = Site(Setting(database_url, broker_address.broker_url, broker_address.namespace), tmp_path)
    site.add_all(gateway=1, planner=1, executor=1)
    return site


@pytest.fixture
def plain_site(database_url: str, tmp_path: Path) -> Site:
    """The same on the Postgres broker, for tests that do not depend on the broker."""
    site = Site(Setting(database_url), tmp_path)
    site.add_all(gateway=1, planner=1, executor=1)
    return site


async def test_an_approval_counts_after_every_process_was_restarted(site: Site) -> None:
    async with site, GatewayClient(site.urls[0]) as client:
        run_id = await client.start_run(envelope("linkedin-approval"))
        await reached(client, run_id, "awaiting_hitl")
        before = await log_of(client, run_id)
        request = await only_request(client, run_id)
        await site.stop()
        await site.start()
        assert await only_request(client, run_id) == request
        assert (await decide(client, request))["status"] == "completed"
        after = await log_of(client, run_id)
        assert after[: len(before)] == before
        assert [event["type"] for event in after[len(before) :]] == ["hitl_resolved", "complete"]
        assert after[-1]["payload"]["output"] == request["pendingOutput"]


async def test_what_was_approved_goes_on_after_every_process_was_killed(site: Site) -> None:
    async with site, GatewayClient(site.urls[0]) as client:
        run_id = await client.start_run(envelope("linkedin-variants", **PLAN_FIRST))
        await reached(client, run_id, "awaiting_hitl")
        assert (await decide(client, await only_request(client, run_id)))["status"] == "running"
        await kill_all(site)
        await site.start()
        await reached(client, run_id, "completed", timeout_seconds=2 * DEADLINE_SECONDS)
        types = await types_of(client, run_id)
        assert types.count("hitl_resolved") == types.count("complete") == 1
        completed = [e["nodeId"] for e in await log_of(client, run_id) if e["type"] == "node_complete"]
        assert len(completed) == len(set(completed))


async def test_a_plan_waits_for_its_approval_over_the_death_of_every_process(plain_site: Site) -> None:
    site = plain_site
    async with site, GatewayClient(site.urls[0]) as client:
        run_id = await client.start_run(envelope("linkedin-variants", hitl={"plan": True}))
        await reached(client, run_id, "awaiting_hitl")
        request = await only_request(client, run_id)
        await kill_all(site)
        await site.start()
        assert await only_request(client, run_id) == request
        plan = request["pendingOutput"]
        plan["nodes"][-1]["label"] = "Looked at by a person before"
        await decide(client, request, "edit", editedOutput=plan)
        await kill_all(site)
        await site.start()
        await reached(client, run_id, "completed", timeout_seconds=2 * DEADLINE_SECONDS)
        types = await types_of(client, run_id)
        assert types.count("plan_updated") == types.count("hitl_resolved") == types.count("complete") == 1
        assert types.index("node_start") > types.index("plan_updated")


async def test_a_task_waits_through_the_death_of_every_process_and_is_done_once(plain_site: Site) -> None:
    site = plain_site
    async with site, GatewayClient(site.urls[0]) as client:
        run_id = await client.start_run(envelope("linkedin-variants", humanReview=True))
        await reached(client, run_id, "awaiting_human")
        (task,) = (await client.call("GET", f"{API}/tasks?runId={run_id}"))["tasks"]
        await kill_all(site)
        await site.start()
        (same,) = (await client.call("GET", f"{API}/tasks?runId={run_id}"))["tasks"]
        assert same == task
        body = {"output": {"approved": True, "comments": "Good."}}
        await client.call("POST", f"{API}/tasks/{task['taskId']}/submit", body)
        await reached(client, run_id, "completed")
        frames = [e for e in await log_of(client, run_id) if e.get("nodeId") == "human-review"]
        assert [e["type"] for e in frames] == ["node_start", "node_complete"]


async def test_no_completed_node_runs_again_after_the_wait(plain_site: Site) -> None:
    site = plain_site
    policies = {"runtime": [{"trigger": {"event": "node_complete", "nodeId": "brief"}, "action": "hitl"}]}
    async with site, GatewayClient(site.urls[0]) as client:
        run_id = await client.start_run(envelope("linkedin-variants", **policies))
        await reached(client, run_id, "awaiting_hitl")
        await kill_all(site)
        await site.start()
        await decide(client, await only_request(client, run_id))
        await reached(client, run_id, "completed")
        starts = [e["nodeId"] for e in await log_of(client, run_id) if e["type"] == "node_start"]
        assert starts.count("brief") == 1


async def test_a_request_that_expires_while_every_process_is_down_does_what_its_rules_say(
    plain_site: Site,
) -> None:
    site = plain_site
    rules = {
        "reject": {"onExpiry": "reject"},
        "approve": {"onExpiry": "approve"},
        "escalate": {"onExpiry": "escalate", "escalateTo": "legal"},
    }
    async with site, GatewayClient(site.urls[0]) as client:
        runs = {
            name: await client.start_run(
                envelope("linkedin-approval", hitl={"expiresInSeconds": 4, **each}, requiresHitlApproval=True)
            )
            for name, each in rules.items()
        }
        await asyncio.gather(
            *(
                reached(client, run_id, "awaiting_hitl", timeout_seconds=DEADLINE_SECONDS)
                for run_id in runs.values()
            )
        )
        requests = {name: await only_request(client, run_id) for name, run_id in runs.items()}
        await kill_all(site)
        last = max(parse_time(request["expiresAt"]) for request in requests.values())
        await eventually(lambda: datetime.now(UTC) > last)
        await site.start()
        assert await reached(client, runs["reject"], "failed", "completed") == "failed"
        assert await reached(client, runs["approve"], "failed", "completed") == "completed"
        rejected = (await log_of(client, runs["reject"]))[-1]
        assert rejected["payload"]["error"]["code"] == "hitl_expired"

        async def escalated() -> dict[str, Any]:
            request = await only_request(client, runs["escalate"])
            assert request["requestId"] != requests["escalate"]["requestId"]
            return request

        request = await eventually(escalated)
        assert request["rules"]["approvers"] == ["legal"]
        for run_id in (runs["reject"], runs["approve"]):
            assert (await types_of(client, run_id)).count("hitl_resolved") == 1


async def test_a_stream_is_picked_up_at_another_gateway_that_saw_nothing_of_the_run(
    database_url: str, tmp_path: Path
) -> None:
    site = Site(Setting(database_url), tmp_path)
    site.add_all(gateway=2, planner=1, executor=1)
    async with site, GatewayClient(site.urls[0]) as here, GatewayClient(site.urls[1]) as there:
        run_id = await here.start_run(envelope("linkedin-approval"))
        await reached(here, run_id, "awaiting_hitl")
        frames = [frame async for frame in _after(there, run_id, here)]
        assert [frame["type"] for frame in frames[-2:]] == ["hitl_resolved", "complete"]
        assert [int(frame["id"]) for frame in frames] == list(range(1, len(frames) + 1))
        assert (await there.call("GET", f"{API}/runs/{run_id}"))["status"] == "completed"


async def _after(reader: GatewayClient, run_id: str, decider: GatewayClient) -> AsyncIterator[dict[str, Any]]:
    async for frame in reader.frames(run_id):
        yield frame
        if frame["type"] == "hitl_request":
            await decide(decider, await only_request(decider, run_id))
