"""SIGTERM: every caller is answered, and a stop under load keeps to its drain although no server answers."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from flexrun.faults import EXIT_STOP_OVERRUN, LAST_SECONDS
from flexrun.shutdown import STOP_SECONDS, Shutdown
from tests.support.followers import API
from tests.support.linkedin import VARIANTS, with_inputs
from tests.support.processes import FlexrunProcess, Setting, Site
from tests.support.receivers import Receiver, never, receiving
from tests.support.submitting import get_json
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import DEADLINE_SECONDS, eventually

BODY = with_inputs(VARIANTS, variantCount=1)
CALLERS = 25
NOTICE_SECONDS = 2.0
DRAIN_SECONDS = 2.0
RUNS = 20
STREAMS = 5
_END_SECONDS = 2.0
"""Time for a loaded machine to end the process after its last log line."""


@dataclass
class Caller:
    """Starts runs on a connection that is kept, one after the other, until it is sent elsewhere or refused."""

    url: str
    answers: Counter[int]
    last: str = ""

    async def call(self) -> None:
        # A client library does not retry a POST, so that a lost connection shows.
        async with aiohttp.ClientSession() as http:
            while not self.last:
                try:
                    await self._once(http)
                except aiohttp.ClientError as error:
                    self.last = type(error).__name__

    async def _once(self, http: aiohttp.ClientSession) -> None:
        async with http.post(f"{self.url}{API}/runs", json=BODY) as answer:
            self.answers[answer.status] += 1
            if answer.status == 503:
                assert (await answer.json())["code"] == "stopping"
                assert answer.headers["Retry-After"]
                self.last = answer.headers["Connection"]


async def watch_readiness(url: str, seen: list[str]) -> None:
    """Record each new answer of `/readyz`, until connections are refused."""
    async with aiohttp.ClientSession() as http:
        while True:
            try:
                async with http.get(f"{url}/readyz") as answer:
                    document = await answer.json()
                    said = document["status"] if answer.status == 200 else document["detail"]
            except aiohttp.ClientConnectorError:
                said = "refused"
            if said not in seen:
                seen.append(said)
            if said == "refused":
                return
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("role", ["gateway", "up"])
async def test_callers_that_keep_asking_through_a_sigterm_are_answered(
    database_url: str, tmp_path: Path, role: str
) -> None:
    site = Site(Setting(database_url, extra={"STOP_NOTICE_SECONDS": str(NOTICE_SECONDS)}), tmp_path)
    process = site.add(role)
    async with site:
        answers, seen = Counter[int](), list[str]()
        callers = [Caller(process.url, answers) for _ in range(CALLERS)]
        calling = [asyncio.create_task(caller.call()) for caller in callers]
        watching = asyncio.create_task(watch_readiness(process.url, seen))
        await eventually(lambda: seen and answers[202] >= CALLERS, 30, describe=f"served: {answers}")
        process.send(signal.SIGTERM)
        await asyncio.gather(*calling)
        assert Counter(caller.last for caller in callers) == {"close": CALLERS}
        assert set(answers) == {202, 503}
        await watching
        assert seen[1:] == ["This gateway is stopping.", "refused"]
        assert await process.ended() == 0


async def test_ctrl_c_does_not_wait_for_callers(database_url: str, tmp_path: Path) -> None:
    site = Site(Setting(database_url, extra={"STOP_NOTICE_SECONDS": "60"}), tmp_path)
    gateway = site.add("gateway")
    async with site:
        gateway.send(signal.SIGINT)
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert await gateway.ended() == 0


async def seconds_to_stop(process: FlexrunProcess) -> float:
    began = time.monotonic()
    assert await process.stop() == 0, process.last_words()
    return time.monotonic() - began


async def add_webhook(http: aiohttp.ClientSession, gateway: str, receiver: Receiver) -> None:
    body = {"url": f"{receiver.url}/slow", "eventTypes": ["start"]}
    async with http.post(f"{gateway}{API}/webhooks", json=body) as answer:
        made = await answer.json()
        assert answer.status == 201, made
    receiver.secrets["slow"] = made["secret"]
    receiver.behave = never


@asynccontextmanager
async def load(site: Site, http: aiohttp.ClientSession) -> AsyncIterator[list[aiohttp.ClientResponse]]:
    """Nodes, deliveries and streams that do not end before any drain; the streams."""
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(receiving())
        gateway = site.urls[0]
        await add_webhook(http, gateway, receiver)

        async def start() -> str:
            async with http.post(
                f"{gateway}{API}/runs", json=with_inputs(VARIANTS, variantCount=1)
            ) as answer:
                assert answer.status == 202, await answer.text()
                return (await answer.json())["runId"]

        runs = await asyncio.gather(*(start() for _ in range(RUNS)))
        streams = [
            await stack.enter_async_context(
                http.get(f"{gateway}{API}/runs/{run_id}/events", headers={"Accept": "text/event-stream"})
            )
            for run_id in runs[:STREAMS]
        ]

        async def busy() -> bool:
            running: dict[str, Any] = await get_json(http, f"{gateway}{API}/runs?status=running")
            return len(running["runs"]) >= RUNS // 2 and receiver.under_way("slow") > 0

        await eventually(busy, 60)
        yield streams


async def stop_under_load(site: Site, http: aiohttp.ClientSession, proxy: TcpProxy | None = None) -> None:
    """Stop every process, after the server behind `proxy` has gone silent, and measure how long each takes."""
    site.add_all(gateway=1, planner=1)
    site.add_slow_executor("--gate", str(site.folder / "never"))
    async with site, load(site, http) as streams:
        if proxy is not None:
            proxy.stalled = True
        stopping = [asyncio.create_task(seconds_to_stop(process)) for process in site.processes.values()]
        async with asyncio.timeout(DRAIN_SECONDS):
            for stream in streams:
                assert (await stream.read()).startswith(b"retry:")
        took = dict(zip(site.processes, await asyncio.gather(*stopping), strict=True))
    assert max(took.values()) < DRAIN_SECONDS + STOP_SECONDS + _END_SECONDS, took


def with_short_drain(setting: Setting) -> Setting:
    return replace(setting, extra={"DRAIN_SECONDS": str(DRAIN_SECONDS), "WEBHOOK_ALLOW_PRIVATE": "true"})


async def test_under_load_every_process_keeps_to_the_drain(
    setting: Setting, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    await stop_under_load(Site(with_short_drain(setting), tmp_path), http)


async def test_with_a_silent_rabbitmq_a_stop_is_not_longer(
    database_url: str, amqp_url: str, broker_namespace: str, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    parts = urlsplit(amqp_url)
    async with TcpProxy(parts.hostname or "", parts.port or 5672) as proxy:
        setting = Setting(database_url, proxy.url(amqp_url), broker_namespace)
        await stop_under_load(Site(with_short_drain(setting), tmp_path), http, proxy)


async def test_with_a_silent_database_a_stop_is_not_longer(
    database_url: str, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    parts = urlsplit(database_url)
    async with TcpProxy(parts.hostname or "", parts.port or 5432) as proxy:
        setting = Setting(proxy.url(database_url))
        await stop_under_load(Site(with_short_drain(setting), tmp_path), http, proxy)


async def test_a_thread_that_never_ends_does_not_keep_a_process_from_its_end(
    database_url: str, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    site = Site(Setting(database_url, extra={"DRAIN_SECONDS": "0"}), tmp_path)
    site.add_all(gateway=1, planner=1)
    executor = site.add_poisonous_executor()
    async with site:
        body = BODY | {"metadata": BODY["metadata"] | {"runLabel": "poison: thread"}}
        async with http.post(f"{site.urls[0]}{API}/runs", json=body) as answer:
            assert answer.status == 202, await answer.text()
        await eventually(lambda: "inside a thread" in executor.last_words(100_000), 30)
        began = time.monotonic()
        assert await executor.stop() == EXIT_STOP_OVERRUN
        assert time.monotonic() - began < LAST_SECONDS + _END_SECONDS


async def test_a_part_that_never_closes_is_cut_and_the_others_are_closed() -> None:
    closed: list[str] = []

    def part(name: str, seconds: float) -> tuple[str, Callable[[], Awaitable[None]]]:
        async def close() -> None:
            await asyncio.sleep(seconds)
            closed.append(name)

        return name, close

    shutdown = Shutdown(drain_seconds=-3.8)
    for name, seconds in (("quick", 0.0), ("endless", 3600.0), ("also quick", 0.01)):
        shutdown.add(*part(name, seconds))
    began = time.monotonic()
    await shutdown.work()
    await shutdown.foundation(*part("store", 0.0))
    assert time.monotonic() - began < 2
    assert closed == ["quick", "also quick", "store"]
