"""What ends a process and what does not: SIGTERM, a task that ends, a stop and a continue, a clock that jumps."""

import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.followers import API
from tests.support.linkedin import VARIANTS, with_inputs
from tests.support.processes import FlexrunProcess, Setting, Site
from tests.support.submitting import get_json
from tests.support.waiting import eventually
from tests.support.wrong_clock import WrongClock

WARN_SECONDS = 0.4
WATCHFUL = {"WATCHDOG_WARN_SECONDS": str(WARN_SECONDS), "WATCHDOG_EXIT_SECONDS": "0.8"}


@pytest.fixture
async def site(database_url: str, tmp_path: Path) -> AsyncIterator[Site]:
    """A gateway and a planner; the test starts executors."""
    site = Site(Setting(database_url, lease_seconds=10, extra={"DRAIN_SECONDS": "1"}), tmp_path)
    site.add_all(gateway=1, planner=1)
    async with site:
        yield site


async def submit(site: Site, http: aiohttp.ClientSession, **metadata: str) -> str:
    envelope = {**with_inputs(VARIANTS, variantCount=1), "metadata": metadata}
    async with http.post(f"{site.urls[0]}{API}/runs", json=envelope) as answer:
        return (await answer.json())["runId"]


async def test_sigterm_ends_each_process_in_good_order_and_work_goes_on_elsewhere(
    site: Site, http: aiohttp.ClientSession
) -> None:
    executor = site.add_poisonous_executor()
    await executor.start()
    events_url = f"{site.urls[0]}{API}/runs/{await submit(site, http, runLabel='poison: wait')}/events"

    async def events(of_type: str) -> list[dict[str, Any]]:
        found = (await get_json(http, events_url))["events"]
        return [event for event in found if event["type"] == of_type]

    await eventually(lambda: events("node_start"), 30)
    executor.send(signal.SIGTERM)
    assert await executor.ended() == 0
    await site.add("executor", "executor-2").start()
    await eventually(lambda: events("complete"), 60)
    (complete,) = await events("complete")
    assert complete["payload"]["status"] == "completed"
    assert "worker_lost" not in str(await events("node_error"))
    for process in site.of_role("planner") + site.of_role("gateway"):
        process.send(signal.SIGTERM)
        assert await process.ended() == 0
        assert "Stopping:" in process.last_words(100_000)


async def test_a_task_that_ends_ends_its_process_with_status_70(
    site: Site, http: aiohttp.ClientSession
) -> None:
    executor = site.add_poisonous_executor()
    await executor.start()
    await submit(site, http, runLabel="poison: task")
    assert await executor.ended() == 70
    said = executor.last_words(100_000)
    assert "task_ended" in said
    assert "a-lasting-task" in said


async def silent_for(process: FlexrunProcess, seconds: float) -> None:
    """Let this much time pass while the process is stopped."""
    process.send(signal.SIGSTOP)
    until = time.monotonic() + seconds
    await eventually(lambda: time.monotonic() > until, seconds + 10)
    process.send(signal.SIGCONT)


async def test_neither_a_stopped_process_nor_a_clock_that_jumps_is_a_loop_that_stands_still(
    database_url: str, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    setting = Setting(database_url, extra=WATCHFUL)
    clock = WrongClock(tmp_path)
    gateway = clock.process(setting, "gateway", ["gateway", "--port", "0"], tmp_path)
    await gateway.start()
    try:
        for ahead_seconds in (0, 3_600, -3_600):
            clock.set(ahead_seconds)
            await silent_for(gateway, 2 * WARN_SECONDS + 0.5)
            assert (await get_json(http, f"{gateway.url}/healthz"))["status"]
        await eventually(lambda: "clock_differs_from_database" in gateway.last_words(100_000), 30)
        said = gateway.last_words(100_000)
    finally:
        status = await gateway.stop()
    assert status == 0
    assert "loop_stalled" not in said
