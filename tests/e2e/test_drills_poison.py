"""The drill of a capability that ends the processes that run it: found, named, taken away, and its runs done again."""

from __future__ import annotations

from pathlib import Path

import orjson

from flexrun.client import GatewayClient
from tests.support.cli import run
from tests.support.doctors import doctor, troubles
from tests.support.processes import FlexrunProcess, Setting, Site
from tests.support.shapes import printed
from tests.support.sites import envelope, reached
from tests.support.waiting import eventually

CAPABILITY = "stub.linkedin.brief"


def _poisoned() -> bytes:
    document = orjson.loads(envelope("linkedin-variants"))
    document["metadata"] = {**document.get("metadata", {}), "runLabel": "poison: kill"}
    return orjson.dumps(document)


async def _restarted(process: FlexrunProcess, client: GatewayClient, run_id: str) -> None:
    """Start it whenever it has ended, as its supervisor does, until the run has."""

    async def failed() -> bool:
        if not process.running:
            await process.start()
        return (await client.call("GET", f"/api/v1/flex/runs/{run_id}"))["status"] == "failed"

    await eventually(failed)


async def test_a_poison_capability_is_named_and_taken_away_and_its_run_is_done_again(
    database_url: str, tmp_path: Path
) -> None:
    site = Site(Setting(database_url), tmp_path)
    site.add_all(gateway=1, planner=1)
    executor = site.add_poisonous_executor()
    async with site, GatewayClient(site.urls[0]) as client:
        at = ("--json", "--url", site.urls[0])
        poisoned = await client.start_run(_poisoned())
        await _restarted(executor, client, poisoned)
        failed = printed(await run("runs", "list", "--error", "poisoned", *at), "RunList")["runs"]
        assert [each["runId"] for each in failed] == [poisoned]
        shown = printed(await run("runs", "show", poisoned, *at), "RunDetail")
        assert (shown["error"]["code"], CAPABILITY in orjson.dumps(shown["error"]).decode()) == (
            "poisoned",
            True,
        )
        words = await run("runs", "show", poisoned, "--url", site.urls[0])
        assert "brief  failed  attempt 3" in words.out
        assert CAPABILITY in words.out
        changed = printed(await run("capabilities", "disable", CAPABILITY, *at), "CapabilityChanged")
        assert changed["id"] == CAPABILITY
        # Plans that need it are refused, with the reason, and no other process is lost to it.
        refused = await run("plan", "-", *at, given=_poisoned())
        assert (refused.status, f"by {CAPABILITY}, but it is disabled" in refused.out) == (1, True)
        # Its author has mended it.
        mended = site.add("executor", "executor-mended")
        await mended.start()
        assert (await run("capabilities", "enable", CAPABILITY, *at)).status == 0
        retried = printed(await run("runs", "retry", poisoned, *at), "RunForked")["runId"]
        await reached(client, retried, "completed")
        assert troubles(await doctor(site.setting)) == []
