"""A worker that hangs for longer than its lease, and then continues."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import psycopg
import pytest

from tests.support.followers import API
from tests.support.linkedin import VARIANTS, with_inputs
from tests.support.processes import FlexrunProcess, Setting, Site
from tests.support.submitting import delivered, get_json
from tests.support.waiting import eventually

LEASE_SECONDS = 1.0

_KEEPER = """
select a.client_port from pg_locks l join pg_stat_activity a using (pid)
where l.locktype = 'advisory' and l.granted and a.application_name like 'flexrun % keeper'
  and a.datname = current_database()
"""


@pytest.fixture
async def site(setting: Setting, tmp_path: Path) -> AsyncIterator[Site]:
    """A gateway and a planner; the test starts executors."""
    quick = Setting(setting.database_url, setting.broker_url, setting.namespace, LEASE_SECONDS)
    site = Site(quick, tmp_path)
    site.add_all(gateway=1, planner=1)
    async with site:
        yield site


async def _at_work(process: FlexrunProcess, node_id: str, attempt: int) -> None:
    words = f"inside {node_id} {attempt}\n"
    await eventually(lambda: words in process.last_words(100_000), 20, describe=words)


async def test_the_late_result_of_a_frozen_worker_is_refused(
    site: Site, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """Frozen in the middle of a node, woken while another worker does it: the log takes only the other's result."""
    gates = [tmp_path / "first gate", tmp_path / "second gate"]
    first, second = (site.add_slow_executor("--gate", str(gate)) for gate in gates)
    envelope = with_inputs(VARIANTS, variantCount=1)
    async with http.post(f"{site.urls[0]}{API}/runs", json=envelope) as answer:
        events_url = f"{site.urls[0]}{(await answer.json())['eventsUrl']}"

    async def events() -> list[dict[str, Any]]:
        return (await get_json(http, events_url))["events"]

    await first.start()
    await _at_work(first, "brief", 1)
    first.send(signal.SIGSTOP)
    await second.start()
    await _at_work(second, "brief", 2)

    gates[0].touch()
    first.send(signal.SIGCONT)
    await eventually(lambda: _says_how_it_ended(first), 20)
    assert [
        (e["type"], e["payload"].get("attempt")) for e in await events() if e.get("nodeId") == "brief"
    ] == [
        ("node_start", 1),
        ("node_error", 1),
        ("node_start", 2),
    ]

    gates[1].touch()
    await eventually(lambda: _is_complete(events), 30)
    of_brief = [event for event in await events() if event.get("nodeId") == "brief"]
    assert of_brief[1]["payload"]["error"]["code"] == "worker_lost"
    assert [(e["type"], e["payload"]["attempt"]) for e in of_brief[3:]] == [("node_complete", 2)]
    delivered(envelope, await events())


@pytest.mark.parametrize("setting", ["postgres"], indirect=True)
async def test_a_keeper_that_stands_still_for_ever_is_replaced(
    site: Site, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """As when a capability blocks its process: connection and lock live, and the process does nothing."""
    spare = site.add("gateway")
    worker = site.add_slow_executor("--gate", str(tmp_path / "never"))
    await spare.start()
    await worker.start()
    await eventually(lambda: _keeper(site), 20)
    keeper = await _keeper(site)
    assert keeper is not None
    healthy = next(process for process in site.of_role("gateway") if process is not keeper)
    async with http.post(f"{healthy.url}{API}/runs", json=with_inputs(VARIANTS, variantCount=1)) as answer:
        events_url = f"{healthy.url}{(await answer.json())['eventsUrl']}"
    await _at_work(worker, "brief", 1)

    keeper.send(signal.SIGSTOP)
    if keeper is not worker:
        await worker.kill()

    async def taken_away() -> bool:
        events = (await get_json(http, events_url))["events"]
        return any(event["type"] == "node_error" for event in events)

    await eventually(taken_away, 40)


async def _keeper(site: Site) -> FlexrunProcess | None:
    """The process that has the leader lock."""
    async with await psycopg.AsyncConnection.connect(
        site.setting.database_url, autocommit=True
    ) as connection:
        found = await (await connection.execute(_KEEPER)).fetchone()
    ports = {found[0]} if found else set[int]()
    for process in site.processes.values():
        if any(line.laddr.port in ports for line in psutil.Process(process.pid).net_connections("tcp")):
            return process
    return None


def _says_how_it_ended(process: FlexrunProcess) -> bool:
    """It was notified that the attempt is over before it had a result, or the log refused its result."""
    words = process.last_words(100_000)
    return '"status":"dropped"' in words


async def _is_complete(events: Any) -> bool:
    return (await events())[-1]["type"] == "complete"
