"""Two planners, two executors and a gateway: runs that end their workers end themselves, and all others complete."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest

from tests.support.followers import API
from tests.support.linkedin import example
from tests.support.ports import free_port
from tests.support.processes import FlexrunProcess, Setting, Site
from tests.support.submitting import get_json
from tests.support.waiting import eventually

GOOD_RUNS = 100
GOOD_RUNS_WITHOUT_PLANNERS = 4
ENDED_SECONDS = 150.0
"""Three leases, watchdogs and starts for each poison, one after the other: half a minute on a machine of one's own."""

LOST_SECONDS = 12.0
LOOK_SECONDS = 0.1


class SystemdLike:
    """Restarts processes as soon as they end, as a supervisor does, and records how long each was down."""

    def __init__(self, processes: list[FlexrunProcess]) -> None:
        self._processes = processes
        self.lost: list[tuple[str, int, float]] = []
        """(name, exit status, seconds until it was ready again)"""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Restart them until the block is left."""
        keeping = [asyncio.create_task(self._keep(process)) for process in self._processes]
        try:
            yield
        finally:
            for task in keeping:
                task.cancel()
            await asyncio.gather(*keeping, return_exceptions=True)

    async def _keep(self, process: FlexrunProcess) -> None:
        while True:
            status = await process.ended()
            ended_at = time.monotonic()
            await process.start()
            self.lost.append((process.name, status, time.monotonic() - ended_at))


def _labelled(label: str) -> dict[str, Any]:
    envelope = example("linkedin-variants")
    return {**envelope, "metadata": {**envelope.get("metadata", {}), "runLabel": label}}


async def _accepted(http: aiohttp.ClientSession, url: str, label: str) -> str:
    async with http.post(f"{url}{API}/runs", json=_labelled(label)) as answer:
        assert answer.status == 202, await answer.text()
        return (await answer.json())["runId"]


async def _all_ended(database_url: str, run_ids: list[str]) -> bool:
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        look = "select count(*) from flex_runs where run_id = any (%s::uuid[]) and completed_at is null"
        row = await (await connection.execute(look, [run_ids])).fetchone()
    assert row == (0,), f"{row} of {len(run_ids)} have not ended"
    return True


@pytest.mark.timeout(400)
async def test_poisons_among_a_hundred_good_runs_end_as_poisoned_and_all_others_complete(
    database_url: str, amqp_url: str, broker_namespace: str, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    # The lease outlasts the watchdog, as by default: the work that hung is known then, and only that is charged.
    extra = {"WATCHDOG_WARN_SECONDS": "1", "WATCHDOG_EXIT_SECONDS": "4"}
    site = Site(Setting(database_url, amqp_url, broker_namespace, 7.0, extra), tmp_path)
    site.add_all(gateway=1, planner=2)
    executors = [site.add_poisonous_executor() for _ in range(2)]
    supervisor = SystemdLike([*site.of_role("planner"), *executors])
    async with site, supervisor.running():
        url = site.urls[0]
        good = list(await asyncio.gather(*(_accepted(http, url, "good") for _ in range(GOOD_RUNS // 2))))
        poisons = [await _accepted(http, url, f"poison: {how}") for how in ("kill", "hang")]
        good += await asyncio.gather(*(_accepted(http, url, "good") for _ in range(GOOD_RUNS // 2)))

        await eventually(lambda: _all_ended(database_url, poisons), ENDED_SECONDS)
        await eventually(lambda: _all_ended(database_url, good), ENDED_SECONDS)
        spoiled = [await get_json(http, f"{url}{API}/runs/{run_id}") for run_id in poisons]
        finished = await get_json(http, f"{url}{API}/runs?status=completed&limit=200")
        hung = [loss["how"] for loss in spoiled[1]["error"]["details"]["losses"]]

        def statuses() -> Counter[int | None]:
            return Counter(status for _, status, _ in supervisor.lost)

        # A process is noted as lost once it is back, and the last ones may be on their way.
        def all_noted() -> bool:
            assert statuses()[71], supervisor.lost
            assert statuses()[137] >= 3, supervisor.lost
            return True

        await eventually(all_noted)

    assert {run["runId"] for run in finished["runs"]} == set(good)
    for run in spoiled:
        assert (run["status"], run["error"]["code"]) == ("failed", "poisoned")
        losses = run["error"]["details"]["losses"]
        # An attempt beside the one that hung ends with its process, and is not charged for it: one may be missing.
        attempts = [loss["attempt"] for loss in losses]
        assert attempts == sorted(set(attempts))
        assert (len(attempts), attempts[-1]) in {(3, 3), (3, 4)}, attempts
        assert len({loss["worker"] for loss in losses}) == 3, "each attempt has cost another process"
    assert statuses()[137] == 3, "what kills its process was tried three times"
    assert hung.count("stalled") >= 2, "what hangs was ended by the watchdog"
    assert set(hung) <= {"stalled", "unheard"}, "the one that kills may take the one that hangs with it"
    assert max(seconds for _, _, seconds in supervisor.lost) < LOST_SECONDS


async def test_runs_that_end_their_planners_end_as_poisoned_and_all_others_complete(
    setting: Setting, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    extra = {"WATCHDOG_WARN_SECONDS": "0.5", "WATCHDOG_EXIT_SECONDS": "1.5"}
    # Long enough that the watchdog of a loaded machine is first: only the work that hung is charged then.
    site = Site(replace(setting, lease_seconds=5, extra=extra), tmp_path)
    site.add_all(gateway=1, executor=1)
    supervisor = SystemdLike([site.add_poisonous_planner() for _ in range(2)])
    async with site, supervisor.running():
        url = site.urls[0]
        good = [await _accepted(http, url, "good") for _ in range(GOOD_RUNS_WITHOUT_PLANNERS)]
        poisons = [await _accepted(http, url, f"poison: {how} planner") for how in ("kill", "hang")]
        good += [await _accepted(http, url, "good") for _ in range(GOOD_RUNS_WITHOUT_PLANNERS)]

        await eventually(lambda: _all_ended(setting.database_url, [*poisons, *good]), 90)
        spoiled = [await get_json(http, f"{url}{API}/runs/{run_id}") for run_id in poisons]
        finished = await get_json(http, f"{url}{API}/runs?status=completed&limit=200")

    assert {run["runId"] for run in finished["runs"]} == set(good)
    for run in spoiled:
        assert (run["status"], run["error"]["code"]) == ("failed", "poisoned")
        details = run["error"]["details"]
        assert details["kind"] == "plan"
        assert len({loss["worker"] for loss in details["losses"]}) == 3, "each claim has cost another process"
    assert {loss["how"] for loss in spoiled[0]["error"]["details"]["losses"]} == {"unheard"}
    statuses = [status for _, status, _ in supervisor.lost]
    assert set(statuses) == {137, 71}
    assert statuses.count(137) == 3, "what kills its process was tried three times"
    assert 2 <= statuses.count(71) <= 3, "the one that kills may take the one that hangs with it"


async def test_a_run_that_ends_the_one_process_of_an_engine_costs_it_three_lives(
    setting: Setting, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    arguments = ["up", "--port", str(free_port())]
    module = "tests.support.poison_flexrun"
    up = FlexrunProcess("up", arguments, setting.environment(), tmp_path, module=module, fresh=True)
    await up.start()
    try:
        poison = await _accepted(http, up.url, "poison: kill planner")
        await eventually(lambda: _all_ended(setting.database_url, [poison]), 60)
        # The run may end before the next engine answers.
        good = await eventually(lambda: _accepted(http, up.url, "good"))
        await eventually(lambda: _all_ended(setting.database_url, [good]), 60)
        spoiled = await get_json(http, f"{up.url}{API}/runs/{poison}")
        fine = await get_json(http, f"{up.url}{API}/runs/{good}")
    finally:
        await up.stop()
    assert fine["status"] == "completed"
    assert spoiled["error"]["code"] == "poisoned"
    assert {loss["how"] for loss in spoiled["error"]["details"]["losses"]} == {"died"}
    assert up.log_path.read_bytes().count(b"engine_ended") == 3
