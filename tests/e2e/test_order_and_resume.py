"""Many runs, many readers, two gateways, connections that break all the time: all read the same, in order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.support.followers import API, Follower, open_session, read_all, types_of
from tests.support.linkedin import example, with_inputs
from tests.support.processes import Setting, Site
from tests.support.tcp_proxy import TcpProxy

RUNS = 200
READERS = 3
MEAN_BYTES = 2500.0
"""A run of two variants is about 8,000 bytes long."""


@dataclass
class Crowd:
    """Runs that are submitted and read through proxies which cut all connections at times."""

    http: aiohttp.ClientSession
    proxies: list[TcpProxy]
    chance: Random
    approvals: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    @property
    def gateways(self) -> list[str]:
        return [f"http://127.0.0.1:{proxy.port}" for proxy in self.proxies]

    async def cut_now_and_then(self) -> int:
        """Reset everything that is open at one gateway, again and again, until cancelled; how many were hit."""
        hit = 0
        try:
            while True:
                await asyncio.sleep(self.chance.uniform(0.1, 0.6))
                hit += self.chance.choice(self.proxies).cut()
        except asyncio.CancelledError:
            return hit

    async def run(self, number: int) -> list[Follower]:
        """Submit one run, read it three times."""
        envelope = self._envelope(number)
        run_id = await self._submit(envelope, key=f"crowd-{number}")
        followers = [
            Follower(
                http=self.http,
                gateways=self.gateways,
                run_id=run_id,
                chance=Random(f"{number} {reader}"),
                mean_bytes=MEAN_BYTES,
                watch=self._approve if reader == 0 else None,
            )
            for reader in range(READERS)
        ]
        await asyncio.gather(*(follower.follow() for follower in followers))
        return followers

    def _envelope(self, number: int) -> dict[str, Any]:
        if number % 10 == 9:
            return example(self.chance.choice(["infeasible", "linkedin-flat-record"]))
        policies = {"requiresHitlApproval": number % 4 == 0}
        return {**with_inputs({"type": "object"}, variantCount=1 + number % 6), "policies": policies}

    async def _submit(self, envelope: dict[str, Any], key: str) -> str:
        while True:
            url = f"{self.chance.choice(self.gateways)}{API}/runs"
            try:
                async with self.http.post(url, json=envelope, headers={"Idempotency-Key": key}) as answer:
                    body = await answer.json()
                    assert answer.status == 202, body
                    return body["runId"]
            except (aiohttp.ClientError, ConnectionError):
                continue

    def _approve(self, frame: dict[str, Any]) -> None:
        if frame["type"] == "hitl_request":
            task = asyncio.create_task(self._decide(frame["runId"], frame["payload"]["requestId"]))
            self.approvals.add(task)

    async def _decide(self, run_id: str, request_id: str) -> None:
        body = {"runId": run_id, "responses": [{"requestId": request_id, "responseType": "approval"}]}
        while True:
            try:
                async with self.http.post(
                    f"{self.chance.choice(self.gateways)}/api/hitl/resume", json=body
                ) as answer:
                    assert answer.status in (200, 409), await answer.text()
                    return
            except (aiohttp.ClientError, ConnectionError):
                continue


@pytest.fixture
async def site(setting: Setting, tmp_path: Path) -> AsyncIterator[Site]:
    """Two gateways, a planner and an executor."""
    site = Site(setting, tmp_path)
    site.add_all(gateway=2, planner=1, executor=1)
    async with site:
        yield site


async def test_every_reader_has_every_event_once_in_order_and_in_the_same_bytes_however_often_it_is_cut(
    site: Site,
) -> None:
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(open_session())
        proxies = [
            await stack.enter_async_context(TcpProxy("127.0.0.1", urlsplit(url).port or 0))
            for url in site.urls
        ]
        crowd = Crowd(http, proxies, Random(2))
        cutting = asyncio.create_task(crowd.cut_now_and_then())
        runs = await asyncio.gather(*(crowd.run(number) for number in range(RUNS)))
        cutting.cancel()
        await asyncio.gather(*crowd.approvals)

        assert await cutting > RUNS
        connections = [follower.connections for followers in runs for follower in followers]
        assert sum(connections) > 2 * RUNS * READERS
        for first, *others in runs:
            assert types_of(first.frames).count("complete") == 1
            assert types_of(first.frames)[-1] == "complete"
            assert all(other.frames == first.frames for other in others)
        for first, *_ in runs[::10]:
            whole = b"".join(frame + b"\n\n" for frame in first.frames)
            assert [await read_all(http, url, first.run_id) for url in site.urls] == [whole, whole]
