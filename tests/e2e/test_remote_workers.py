"""Workers at gateways, with real processes and on both brokers: a gateway that is killed takes no result with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from flexrun.client import API
from tests.support.processes import Setting, Site
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually

LOUD: dict[str, Any] = {
    "name": "loud",
    "version": "1.0.0",
    "description": "A loud word.",
    "schema": {"type": "object", "required": ["word"]},
}
SHOUT: dict[str, Any] = {
    "id": "acme.shout",
    "version": "1.0.0",
    "label": "Shout",
    "facetsOut": ["loud"],
    "home": {"type": "worker"},
    "heartbeatSeconds": 2,
}
WANTED = {"objective": "hey", "outputContract": {"mode": "facets", "facets": ["loud"]}}
OUTPUT = {"output": {"word": "HEY"}}


class Calls:
    """Calls of clients and workers to any gateway."""

    def __init__(self, http: aiohttp.ClientSession, site: Site) -> None:
        self._http = http
        self.urls = site.urls

    async def post(self, url: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with self._http.post(url + API + path, json={} if body is None else body) as answer:
            return answer.status, await answer.json()

    async def submit(self) -> str:
        """A run with one node, which is a worker's."""
        return (await self.post(self.urls[1], "/runs", WANTED))[1]["runId"]

    async def claim(self, url: str, wait_seconds: float = 20) -> list[dict[str, Any]]:
        claim = {"workerId": "w", "capabilities": [{"id": "acme.shout"}], "slots": 1}
        status, found = await self.post(url, "/work/claim", {**claim, "waitSeconds": wait_seconds})
        assert status == 200, found
        return found["tasks"]

    async def events(self, run_id: str, *types: str) -> list[dict[str, Any]]:
        async with self._http.get(f"{self.urls[1]}{API}/runs/{run_id}/events?limit=1000") as answer:
            events = (await answer.json())["events"]
        return [event for event in events if event["type"] in types]

    async def completed(self, run_id: str) -> dict[str, Any]:
        """The `complete` event of the run, which has exactly one result of its node."""

        async def end() -> dict[str, Any]:
            ended = await self.events(run_id, "complete")
            assert len(ended) == 1
            return ended[0]

        event = await eventually(end)
        assert event["payload"] == {"status": "completed", "output": {"loud": {"word": "HEY"}}}
        assert len(await self.events(run_id, "node_complete")) == 1
        return event


@pytest.fixture
async def site(setting: Setting, tmp_path: Path) -> AsyncIterator[Site]:
    """Two gateways, a planner, and an executor that delivers outputs."""
    site = Site(setting, tmp_path)
    site.add_all(gateway=2, planner=1, executor=1)
    async with site:
        yield site


@pytest.fixture
async def calls(site: Site, http: aiohttp.ClientSession) -> Calls:
    """With the facet and the capability registered."""
    calls = Calls(http, site)
    assert (await calls.post(calls.urls[1], "/facets", LOUD))[0] in (200, 201)
    assert (await calls.post(calls.urls[1], "/capabilities/register", SHOUT))[0] in (200, 201)
    return calls


async def test_gateways_and_connections_may_be_lost_between_claim_and_result(
    site: Site, calls: Calls
) -> None:
    mortal, survivor = calls.urls
    async with TcpProxy("127.0.0.1", urlsplit(survivor).port or 0) as proxy:
        await _a_claim_is_cut(calls, proxy)
        await _an_answer_is_lost(calls, proxy)
    await _a_gateway_is_killed(site, calls, mortal, survivor)


async def _a_claim_is_cut(calls: Calls, proxy: TcpProxy) -> None:
    """A worker's connection is cut while its claim waits: the next run's node goes to the next claim."""
    claim = asyncio.create_task(calls.claim(proxy.url(calls.urls[1])))

    def cut() -> bool:
        proxy.cut()
        return claim.done()

    await eventually(cut)
    with pytest.raises(aiohttp.ClientError):
        await claim
    run_id = await calls.submit()
    (task,) = await calls.claim(calls.urls[1])
    assert (await calls.post(calls.urls[1], f"/work/{task['token']}/complete", OUTPUT))[0] == 200
    await calls.completed(run_id)


async def _an_answer_is_lost(calls: Calls, proxy: TcpProxy) -> None:
    """The answer to a claim gets lost on its way: within the lease and two seconds another worker has the node."""
    proxy.cut_after = [1]
    run_id = await calls.submit()
    with pytest.raises(aiohttp.ClientError):
        await calls.claim(proxy.url(calls.urls[1]))
    (task,) = await calls.claim(calls.urls[0])
    assert (task["runId"], task["attempt"]) == (run_id, 2)
    assert (await calls.post(calls.urls[0], f"/work/{task['token']}/complete", OUTPUT))[0] == 200
    await calls.completed(run_id)


async def _a_gateway_is_killed(site: Site, calls: Calls, mortal: str, survivor: str) -> None:
    """SIGKILL of the gateway between claim and result; the worker goes on at the other one, and is done once."""
    run_id = await calls.submit()
    (task,) = await calls.claim(mortal)
    await site.of_role("gateway")[0].kill()
    status, alive = await calls.post(survivor, f"/work/{task['token']}/heartbeat")
    assert (status, alive["cancelled"]) == (200, False)
    for _ in range(2):
        status, body = await calls.post(survivor, f"/work/{task['token']}/complete", OUTPUT)
        assert (status, body) == (200, {"status": "completed"})
    await calls.completed(run_id)
    assert len(await calls.events(run_id, "node_start")) == 1
