"""Faults of the surroundings: messages delivered five times, a database that refuses connections, idle clients."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import aio_pika
import aiohttp
import psycopg
import pytest
from psycopg import sql

from broker.hint_codec import encode_hint
from broker.interface import WorkHint
from broker.rabbitmq.topology import Topology
from tests.support.followers import API, Follower, document_of
from tests.support.linkedin import VARIANTS, example, with_inputs
from tests.support.processes import Setting, Site
from tests.support.submitting import delivered, stream_run
from tests.support.waiting import DEADLINE_SECONDS, eventually

RUNS = 30
COPIES = 5
IDLE_CONNECTIONS = 700


@pytest.fixture
async def site(setting: Setting, tmp_path: Path) -> AsyncIterator[Site]:
    """A gateway, a planner and an executor."""
    site = Site(setting, tmp_path)
    site.add_all(gateway=1, planner=1, executor=1)
    async with site:
        yield site


async def _accepted(http: aiohttp.ClientSession, gateway: str, envelope: dict[str, Any]) -> str:
    async with http.post(f"{gateway}{API}/runs", json=envelope) as answer:
        assert answer.status == 202, await answer.text()
        return (await answer.json())["runId"]


async def _read(http: aiohttp.ClientSession, gateway: str, run_id: str) -> list[dict[str, Any]]:
    follower = Follower(http=http, gateways=[gateway], run_id=run_id, chance=Random(run_id))
    async with asyncio.timeout(2 * DEADLINE_SECONDS):
        return [document_of(frame) for frame in await follower.follow()]


@pytest.mark.parametrize("setting", ["rabbitmq"], indirect=True)
async def test_hints_that_come_five_times_early_and_late_are_worked_on_once(
    site: Site, http: aiohttp.ClientSession
) -> None:
    envelope = with_inputs(VARIANTS, variantCount=3)
    topology = Topology(site.setting.namespace)

    async def send(channel: aio_pika.abc.AbstractChannel, hint: WorkHint) -> None:
        message = aio_pika.Message(encode_hint(hint), delivery_mode=2)
        await channel.default_exchange.publish(message, routing_key=topology.queue(hint.queue))

    async def flood(channel: aio_pika.abc.AbstractChannel, run_id: str) -> None:
        hints = [WorkHint(run_id, "plan", "", attempt, "plan") for attempt in (1, 2)]
        for node_id in ("brief", "draft-a", "draft-b", "draft-c", "review", "nobody"):
            hints += [WorkHint(run_id, "node", node_id, attempt, "node.default") for attempt in (1, 2)]
        hints.append(WorkHint(run_id, "output", "", 1, "node.default"))
        for hint in hints * COPIES:
            await send(channel, hint)

    async with (
        await aio_pika.connect(site.setting.broker_url) as connection,
        connection.channel() as channel,
    ):
        runs = [await _accepted(http, site.urls[0], envelope) for _ in range(RUNS)]
        await asyncio.gather(*(flood(channel, run_id) for run_id in runs))
        logs = [await _read(http, site.urls[0], run_id) for run_id in runs]
        await asyncio.gather(*(flood(channel, run_id) for run_id in runs))

        async def drained() -> bool:
            for name in ("plan", "node.default"):
                queue = await channel.declare_queue(topology.queue(name), passive=True)
                if queue.declaration_result.message_count:
                    return False
            return True

        await eventually(drained, 30)
        dead = await channel.declare_queue(topology.dead, passive=True)
        assert dead.declaration_result.message_count == 0
    for run_id, log in zip(runs, logs, strict=True):
        delivered(envelope, log)
        happened = Counter((event["type"], event.get("nodeId")) for event in log)
        assert set(happened.values()) == {1}, happened
        assert await _read(http, site.urls[0], run_id) == log


async def test_while_the_database_lets_nobody_in_runs_wait_and_then_they_go_on(
    site: Site, http: aiohttp.ClientSession, postgres_url: str
) -> None:
    """Every connection is cut and none can be made: as in a slow failover, or when other clients use all slots."""
    gateway, envelope = site.urls[0], with_inputs(VARIANTS, variantCount=6)
    runs = [await _accepted(http, gateway, envelope) for _ in range(RUNS)]
    reading = [asyncio.create_task(_read(http, gateway, run_id)) for run_id in runs]
    name = urlsplit(site.setting.database_url).path.lstrip("/")
    async with await psycopg.AsyncConnection.connect(postgres_url, autocommit=True) as operator:

        async def let_in(anyone: bool) -> None:
            statement = sql.SQL("alter database {} with allow_connections {}")
            await operator.execute(statement.format(sql.Identifier(name), sql.Literal(anyone)))

        await let_in(False)
        await operator.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name]
        )

        async def not_ready() -> bool:
            async with http.get(f"{gateway}/readyz") as answer:
                return answer.status == 503

        await eventually(not_ready, 20)
        late = asyncio.create_task(_insist(http, gateway, envelope))
        await let_in(True)
    runs.append(await late)
    reading.append(asyncio.create_task(_read(http, gateway, runs[-1])))
    for log in await asyncio.gather(*reading):
        delivered(envelope, log)
    for process in site.processes.values():
        process.require_running()


async def _insist(http: aiohttp.ClientSession, gateway: str, envelope: dict[str, Any]) -> str:
    """Ask until it is accepted; the only other answer allowed is 503 with Retry-After."""
    while True:
        async with http.post(f"{gateway}{API}/runs", json=envelope) as answer:
            if answer.status == 202:
                return (await answer.json())["runId"]
            assert answer.status == 503, await answer.text()
            assert answer.headers["Retry-After"]


@pytest.mark.parametrize("shared_site", ["postgres"], indirect=True)
async def test_a_crowd_that_connects_and_says_nothing_keeps_nobody_out(
    shared_site: Site, http: aiohttp.ClientSession
) -> None:
    address = urlsplit(shared_site.urls[0])
    with ExitStack() as stack:
        for number in range(IDLE_CONNECTIONS):
            idle = stack.enter_context(socket.create_connection((address.hostname, address.port), timeout=10))
            if number % 3 == 0:
                idle.sendall(b"POST /api/v1/flex/runs HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        envelope = example("linkedin-variants")
        async with asyncio.timeout(DEADLINE_SECONDS):
            delivered(envelope, await stream_run(http, shared_site.urls[0], envelope))
