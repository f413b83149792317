"""The engine as it is run, and the commands as they are typed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from flexrun.client import GatewayClient
from flexrun.engine import Engine
from flexrun.settings import Settings
from tests.support.processes import ROOT, Setting, Site, clean_environment
from tests.support.receivers import Call, Receiver
from tests.support.waiting import eventually

EXAMPLES = ROOT / "examples"
EVENTS = ("--event", "hitl_request", "--event", "complete")


async def flexrun(url: str, *arguments: str) -> tuple[int, bytes, bytes]:
    """Run a command to its end; exit status, standard output and standard error."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "flexrun",
        *arguments,
        env=clean_environment() | {"FLEXRUN_URL": url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out, err


async def done(url: str, *arguments: str) -> Any:
    """The JSON of a command that must go well."""
    status, out, err = await flexrun(url, *arguments, "--json")
    assert status == 0, err.decode()
    return orjson.loads(out)


async def test_a_run_that_waits_and_ends_is_told_of_and_every_command_does_what_it_says(
    database_url: str, receiver: Receiver, tmp_path: Path
) -> None:
    site = Site(Setting(database_url), tmp_path)
    up = site.add("up")
    async with site, GatewayClient(up.url) as client:
        made = await done(up.url, "webhooks", "add", f"{receiver.url}/a", *EVENTS)
        hook, receiver.secrets["a"] = made["webhookId"], made["secret"]
        run_id = await client.start_run((EXAMPLES / "linkedin-approval.json").read_bytes())
        asked = await eventually(lambda: _one(receiver, "hitl_request"), timeout_seconds=30)
        assert asked.run_id == run_id
        request_id = asked.frame["payload"]["requestId"]
        decision = {"responses": [{"requestId": request_id, "responseType": "approval"}], "runId": run_id}
        await client.call("POST", "/api/hitl/resume", decision)
        ended = await eventually(lambda: _one(receiver, "complete"), timeout_seconds=30)
        assert ended.frame["payload"]["status"] == "completed"
        assert receiver.refused == []
        rows = await eventually(lambda: _all_delivered(client, hook), timeout_seconds=30)
        assert [row["type"] for row in rows] == ["complete", "hitl_request"]

        assert (await done(up.url, "webhooks", "list"))["webhooks"][0]["webhookId"] == hook
        status, table, _ = await flexrun(up.url, "webhooks", "deliveries", hook, "--status", "delivered")
        assert (status, table.decode().count(run_id)) == (0, 2)
        await done(up.url, "webhooks", "remove", hook)
        status, _, err = await flexrun(up.url, "webhooks", "remove", hook)
        assert (status, b"webhook_unknown" in err) == (2, True)
        status, _, err = await flexrun(up.url, "webhooks", "add", "ftp://x/", "--event", "done")
        assert (status, b"/url" in err, b"/eventTypes/0" in err) == (2, True, True)


def _one(receiver: Receiver, event_type: str) -> Call:
    [found] = [call for call in receiver.calls if call.frame["type"] == event_type] or [None]
    assert found is not None, f"no {event_type} yet"
    return found


async def _all_delivered(client: GatewayClient, hook: str) -> list[Any]:
    rows = (await client.call("GET", f"/api/v1/flex/webhooks/{hook}/deliveries"))["deliveries"]
    assert [row["status"] for row in rows] == ["delivered", "delivered"]
    return rows


@pytest.mark.parametrize(
    ("settings", "roles", "allowed"),
    [
        ({}, {"gateway", "planner", "executor"}, True),
        ({"tokens": "secret-of-ada=ada"}, {"gateway", "planner", "executor"}, False),
        ({}, {"gateway"}, False),
        ({"webhook_allow_private": True}, {"gateway"}, True),
        ({"webhook_allow_private": False}, {"gateway", "planner", "executor"}, False),
    ],
)
async def test_private_receivers_are_for_private_engines(
    database_url: str, receiver: Receiver, settings: dict[str, Any], roles: Any, allowed: bool
) -> None:
    whole = Settings(database_url=database_url, port=0, **settings)
    headers = {"Authorization": "Bearer secret-of-ada"}
    async with Engine(whole, frozenset(roles)) as engine:
        assert engine.server is not None
        body = orjson.dumps({"url": receiver.url, "eventTypes": ["complete"]})
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.post(f"{engine.server.url}/api/v1/flex/webhooks", data=body) as answer,
        ):
            assert answer.status == (201 if allowed else 400)
