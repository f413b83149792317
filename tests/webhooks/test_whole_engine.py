"""The engine and the commands as users run them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from flexrun.client import GatewayClient
from flexrun.engine import Engine
from flexrun.settings import Settings
from tests.support.processes import ROOT, Setting, Site
from tests.support.receivers import Call, Receiver
from tests.support.sites import CommandLine
from tests.support.waiting import eventually

EXAMPLES = ROOT / "examples"
EVENTS = ("--event", "hitl_request", "--event", "complete")


async def done(flexrun: CommandLine, *arguments: str) -> Any:
    """The JSON of a command that must succeed."""
    said = await flexrun.run(*arguments, "--json")
    assert said.code == 0, said.err
    return said.document


async def test_a_run_that_waits_and_ends_is_told_of_and_every_command_does_what_it_says(
    database_url: str, receiver: Receiver, tmp_path: Path
) -> None:
    site = Site(Setting(database_url), tmp_path)
    up = site.add("up")
    async with site, GatewayClient(up.url) as client:
        flexrun = CommandLine(up.url, tmp_path)
        made = await done(flexrun, "webhooks", "add", f"{receiver.url}/a", *EVENTS)
        hook, receiver.secrets["a"] = made["webhookId"], made["secret"]
        run_id = await client.start_run((EXAMPLES / "linkedin-approval.json").read_bytes())
        asked = await eventually(lambda: _one(receiver, "hitl_request"))
        assert asked.run_id == run_id
        request_id = asked.frame["payload"]["requestId"]
        decision = {"responses": [{"requestId": request_id, "responseType": "approval"}], "runId": run_id}
        await client.call("POST", "/api/hitl/resume", decision)
        ended = await eventually(lambda: _one(receiver, "complete"))
        assert ended.frame["payload"]["status"] == "completed"
        assert receiver.refused == []
        rows = await eventually(lambda: _all_delivered(client, hook))
        assert [row["type"] for row in rows] == ["complete", "hitl_request"]

        assert (await done(flexrun, "webhooks", "list"))["webhooks"][0]["webhookId"] == hook
        said = await flexrun.run("webhooks", "deliveries", hook, "--status", "delivered")
        assert (said.code, said.out.count(run_id)) == (0, 2)
        await done(flexrun, "webhooks", "remove", hook)
        said = await flexrun.run("webhooks", "remove", hook)
        assert (said.code, "webhook_unknown" in said.err) == (2, True)
        said = await flexrun.run("webhooks", "add", "ftp://x/", "--event", "done")
        assert (said.code, "/url" in said.err, "/eventTypes/0" in said.err) == (2, True, True)


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
