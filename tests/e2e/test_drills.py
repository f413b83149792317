"""The drills of docs/runbook.md: a trouble is made, the operator's commands find it, name it, and mend it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from broker.factory import open_broker
from eventstore.store import EventStore
from flexrun.client import GatewayClient
from tests.support import wrong_clock
from tests.support.cli import run
from tests.support.doctors import doctor, found, troubles
from tests.support.followers import API
from tests.support.processes import Setting, Site
from tests.support.remote import registered, remote_capability, remote_node
from tests.support.shapes import printed
from tests.support.sites import envelope, only_request, reached
from tests.support.waiting import DEADLINE_SECONDS, eventually
from tests.support.wiring import StoreWiring

HOUR = 3600
PATIENCE_SECONDS = 3 * DEADLINE_SECONDS
"""A process is silent after 15 s; each look of the doctor is a process of its own."""


@asynccontextmanager
async def _sender(setting: Setting) -> AsyncIterator[Any]:
    """The broker of a site, as another system has it that sends decisions."""
    store = await EventStore.open(setting.database_url, writers=1, readers=1)
    broker = open_broker(setting.broker_url, store, None, namespace=setting.namespace)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.close()
        await store.close()


async def _looked_at(url: str, run_id: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The letter that can be put back, and the one that cannot."""
    with_token = ("--url", url, "--token", "token-of-ann")

    async def dead() -> list[dict[str, Any]]:
        found = printed(await run("dead", "list", "--json", *with_token), "DeadLetterList")["deadLetters"]
        assert len(found) == 2, found
        return found

    found: list[dict[str, Any]] = await eventually(dead)
    letters = {each["requeueable"]: each for each in found}
    good, nonsense = letters[True], letters[False]
    assert "token" in good["reason"]
    shown = printed(await run("dead", "show", good["id"], "--json", *with_token), "DeadLetterEntry")
    assert orjson.loads(shown["body"])["runId"] == run_id
    assert "requeueable" in (await run("dead", "list", *with_token)).out.splitlines()[0]
    return good, nonsense


async def test_dead_letters_after_a_bad_deploy_are_found_and_put_back(
    setting: Setting, tmp_path: Path
) -> None:
    site = Site(setting, tmp_path)
    site.add_all(gateway=1, planner=1, executor=1)
    gateway = site.processes["gateway-1"]
    async with site:
        url = gateway.url
        async with GatewayClient(url) as client:
            run_id = await client.start_run(envelope("linkedin-approval"))
            await reached(client, run_id, "awaiting_hitl")
            request = await only_request(client, run_id)
        # The bad deploy: tokens that the senders of decisions know nothing of.
        await gateway.stop()
        bad = Setting(**{**_fields(setting), "extra": {"TOKENS": "token-of-ann=ann:admin"}})
        other = Site(bad, tmp_path / "bad")
        broken = other.add("gateway")
        await broken.start()
        message = {
            "runId": run_id,
            "requestId": request["requestId"],
            "responses": [{"responseType": "approval"}],
            "operator": "bob",
        }
        async with _sender(setting) as broker:
            await broker.publish_message("hitl", orjson.dumps(message))
            await broker.publish_message("hitl", b'{"nonsense": ')
        good, nonsense = await _looked_at(broken.url, run_id)
        await broken.stop()
        # The deploy is mended, and the letters are put back.
        await gateway.start()
        here = ("--url", gateway.url)
        planned = printed(
            await run("dead", "requeue", "--all", "--dry-run", "--json", *here), "OperationReport", 1
        )
        assert (planned["done"], planned["refused"]) == (1, 1)
        done = await run("dead", "requeue", "--queue", "hitl", "--yes", "--json", *here)
        report = printed(done, "OperationReport", 1)
        assert {each["id"]: each["result"] for each in report["items"]} == {
            good["id"]: "done", nonsense["id"]: "refused",
        }  # fmt: skip
        async with GatewayClient(gateway.url) as client:
            await reached(client, run_id, "completed")
        refused = await run("dead", "drop", nonsense["id"], *here)
        assert refused.status == 2, "a reason is wanted"
        dropped = await run("dead", "drop", nonsense["id"], "--reason", "nobody's", "--json", *here)
        assert printed(dropped, "OperationReport")["done"] == 1
        assert "There are no dead letters." in (await run("dead", "list", *here)).out
        gone = await run("dead", "show", nonsense["id"], *here)
        assert (gone.status, "dead_letter_unknown" in gone.err) == (2, True)


def _fields(setting: Setting) -> dict[str, Any]:
    return {name: getattr(setting, name) for name in Setting.__dataclass_fields__}


async def test_a_worker_that_died_with_work_is_named_and_its_work_goes_to_another(
    database_url: str, tmp_path: Path
) -> None:
    """The lease is an hour: without the operator the run would wait for its end."""
    site = Site(Setting(database_url, lease_seconds=HOUR), tmp_path)
    site.add_all(gateway=1, planner=1)
    slow = site.add_slow_executor("--gate", str(tmp_path / "never"))
    async with site:
        url = site.urls[0]
        async with GatewayClient(url) as client:
            run_id = await client.start_run(envelope("linkedin-variants"))
            await eventually(lambda: "inside" in slow.last_words())
            await slow.kill()

            async def named() -> dict[str, Any]:
                document = await doctor(site.setting)
                assert ("workers", "silent") in troubles(document), troubles(document)
                return found(document, "workers", "silent")

            finding = await eventually(named, PATIENCE_SECONDS)
            silent = printed(
                await run("workers", "--status", "silent", "--json", "--url", url), "WorkerList"
            )["workers"]
            (dead,) = [each for each in silent if each["inFlight"]]
            assert finding["advice"].endswith(f"flexrun work release --worker {dead['worker']}")
            another = site.add("executor", "executor-2")
            await another.start()
            release = ("work", "release", "--worker", dead["worker"], "--yes", "--json", "--url", url)
            report = printed(await run(*release), "OperationReport")
            assert report["done"] == dead["inFlight"]
            await reached(client, run_id, "completed")


async def test_a_run_that_waits_for_a_capability_that_nobody_serves_says_so(
    shared_site: Site, http: aiohttp.ClientSession
) -> None:
    url = shared_site.urls[0]
    async with StoreWiring(shared_site.setting.database_url) as wiring:
        await registered(wiring.store, remote_capability("acme.rare"))
        run_id = await wiring.submit(remote_node("a", capability_id="acme.rare"))

        async def named() -> str:
            document = await doctor(shared_site.setting)
            assert ("workers", "capability") in troubles(document), troubles(document)
            return found(document, "workers", "capability")["seen"]

        said = await eventually(named, PATIENCE_SECONDS)
        assert (("acme.rare" in said), (run_id in said)) == (True, True)
        listed = printed(await run("work", "list", "--run", run_id, "--json", "--url", url), "WorkList")
        assert [each["served"] for each in listed["work"]] == [False]
        assert "nobody is there" in (await run("work", "list", "--run", run_id, "--url", url)).out
        # A worker is started that has it.
        worker = {"workerId": "rare", "capabilities": [{"id": "acme.rare"}], "slots": 1, "waitSeconds": 20}
        async with http.post(f"{url}{API}/work/claim", json=worker) as answer:
            (task,) = (await answer.json())["tasks"]
        output = {"output": "done"}
        async with http.post(f"{url}{API}/work/{task['token']}/complete", json=output) as answer:
            assert answer.status == 200
        await wiring.reached(run_id, lambda state: state.nodes["a"].status == "completed")
        assert ("workers", "capability") not in troubles(await doctor(shared_site.setting))


@pytest.mark.skipif(not wrong_clock.available(), reason="libfaketime is not installed")
async def test_a_clock_an_hour_ahead_is_named_and_runs_go_on(database_url: str, tmp_path: Path) -> None:
    setting = Setting(database_url)
    clock = wrong_clock.WrongClock(tmp_path, HOUR)
    site = Site(setting, tmp_path)
    site.add_all(gateway=1, planner=1)
    site.processes["executor"] = clock.process(setting, "executor", ["executor"], tmp_path)
    async with site:
        url = site.urls[0]

        async def named() -> dict[str, Any]:
            finding = found(await doctor(setting), "clocks", "processes")
            assert "ahead" in finding["seen"], finding
            return finding

        assert (await eventually(named, PATIENCE_SECONDS))["level"] == "warning"
        async with GatewayClient(url) as client:
            await reached(client, await client.start_run(envelope("linkedin-variants")), "completed")
        listed = printed(await run("workers", "--role", "executor", "--json", "--url", url), "WorkerList")
        (executor,) = listed["workers"]
        assert executor["clockAheadSeconds"] == pytest.approx(HOUR, abs=60)
        clock.set(0)

        async def mended() -> bool:
            return found(await doctor(setting), "clocks", "processes")["level"] == "ok"

        await eventually(mended, PATIENCE_SECONDS)
