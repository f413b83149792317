"""The logs of a lively session, at their most talkative, hold no secret; and the scanner finds those that are there."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from broker.factory import open_broker
from flexrun.client import GatewayClient
from tests.support.processes import Setting, Site
from tests.support.remote import registered, remote_node
from tests.support.secret_scan import scan
from tests.support.sites import decide, envelope, only_request, reached
from tests.support.waiting import eventually
from tests.support.wiring import StoreWiring

API = "/api/v1/flex"
TOKEN = "opensesame-of-ann"
LINK_SECRET = "correct-horse-battery-staple-links"
SECRETS = {
    "aws": 'key = "AKIA' + 'IOSFODNN7EXAMPLZ"',
    "private": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "password": "amqp://ann:" + "b4ttery-staple@mq.internal",
    "token": "flx_" + "Zm9vYmFyYmF6cXV4" * 3,
    "webhook": "whsec_" + "Zm9vYmFyYmF6cXV4" * 3,
    "link": "/hitl/" + "A" * 22 + "." + "b" * 43,
    "attempt": "WyI" + "Zm9vYmFyYmF6cXV4" * 4 + "." + "c" * 43,
}


@pytest.mark.parametrize("name", SECRETS)
def test_the_scanner_finds_a_secret_of_each_kind(tmp_path: Path, name: str) -> None:
    clean, leaky = tmp_path / "clean.log", tmp_path / "leaky.log"
    clean.write_text("nothing of interest\n" * 50)
    leaky.write_text("nothing of interest\n" * 50 + f'{{"path": "{SECRETS[name]}"}}\n')
    (found,) = {each.line for each in scan([clean, leaky], tmp_path)}
    assert found == 51


class Session:
    """What people, workers and strangers do at a gateway, and every secret that they have been given."""

    def __init__(self, url: str, http: aiohttp.ClientSession, client: GatewayClient) -> None:
        self.url, self.http, self.client = url, http, client
        self.secrets = [TOKEN, LINK_SECRET]

    async def token(self) -> None:
        made = await self.client.call("POST", f"{API}/tokens", {"name": "lea", "scopes": ["runs:read"]})
        self.secrets.append(made["token"])
        async with GatewayClient(self.url, made["token"]) as lea:
            await lea.call("GET", f"{API}/runs")
        await self.client.call("POST", f"{API}/tokens/{made['tokenId']}/revoke", {"reason": made["token"]})
        assert await self.ask("GET", f"{API}/runs", made["token"]) == 401

    async def webhook(self) -> None:
        body = {"url": "http://ann:" + "hook-password@127.0.0.1:9/hook", "eventTypes": ["complete", "start"]}
        await self.ask("POST", f"{API}/webhooks", TOKEN, body)
        made = await self.client.call("POST", f"{API}/webhooks", {**body, "url": "http://127.0.0.1:9/hook"})
        self.secrets.append(made["secret"].removeprefix("whsec_"))

    async def link(self, run_id: str) -> None:
        request = await only_request(self.client, run_id)
        made = await self.client.call("POST", "/api/hitl/link", {"requestId": request["requestId"]})
        token = made["url"].rpartition("/")[2]
        self.secrets.append(token)
        for method in ("GET", "POST"):
            assert await self.ask(method, f"/hitl/{token}", None) in {200, 400, 422}
        assert await self.ask("GET", f"/hitl/{token[:-2]}", None) == 404
        await decide(self.client, request)

    async def attempt(self) -> None:
        claim = {"workerId": "w1", "capabilities": [{"id": "acme.sum"}], "slots": 1, "waitSeconds": 20}
        (task,) = (await self.client.call("POST", f"{API}/work/claim", claim))["tasks"]
        self.secrets.append(task["token"])
        for report, sent in (
            ("heartbeat", {}),
            ("log", {"message": task["token"]}),
            ("complete", {"output": 1}),
        ):
            await self.ask("POST", f"{API}/work/{task['token']}/{report}", None, sent)
        await self.ask("POST", f"{API}/work/{task['token'][:-3]}/complete", None, {"output": 1})

    async def mistakes(self) -> None:
        """Secrets in all the wrong places."""
        for path in (
            f"{API}/runs?token={TOKEN}",
            f"{API}/runs/{TOKEN}",
            f"{API}/{TOKEN}",
            f"{API}/tasks/{TOKEN}",
        ):
            await self.ask("GET", path, TOKEN)
        for body in (
            {"objective": TOKEN},
            {TOKEN: 1},
            {"objective": "x", "outputContract": {"schema": {"$ref": TOKEN}}},
        ):
            await self.ask("POST", f"{API}/runs", TOKEN, body)
        await self.ask("GET", f"{API}/runs/{TOKEN}/events?access_token={TOKEN}", None)

    async def ask(self, method: str, path: str, token: str | None, body: Any = None) -> int:
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        data = orjson.dumps(body) if body is not None else None
        async with self.http.request(method, self.url + path, data=data, headers=headers) as answer:
            return answer.status


async def test_the_logs_of_a_lively_session_hold_no_secret(database_url: str, tmp_path: Path) -> None:
    setting = Setting(database_url)
    site = Site(setting, tmp_path / "site")
    shown = {"LOG_LEVEL": "debug", "LOG_FORMAT": "json"}
    tokens = json.dumps({TOKEN: {"name": "ann", "roles": ["@admin"]}})
    site.add("up", TOKENS=tokens, LINK_SECRET=LINK_SECRET, WEBHOOK_ALLOW_PRIVATE="true", **shown)
    async with (
        site,
        aiohttp.ClientSession() as http,
        GatewayClient(site.urls[0], TOKEN) as client,
        StoreWiring(database_url) as wiring,
    ):
        session = Session(site.urls[0], http, client)
        run_id = await client.start_run(envelope("linkedin-approval"))
        await reached(client, run_id, "awaiting_hitl")
        await session.token()
        await session.webhook()
        await session.link(run_id)
        await registered(wiring.store)
        await wiring.submit(remote_node("a"))
        await session.attempt()
        await session.mistakes()
        await reached(client, run_id, "completed")
        broker = open_broker("postgres", wiring.store, None, namespace=setting.namespace)
        await broker.start()
        await broker.publish_message("hitl", orjson.dumps({"token": TOKEN, "runId": 7, "note": TOKEN}))
        await broker.publish_message("hitl", b'{"token": "' + TOKEN.encode() + b'", ')

        async def buried() -> bool:
            return len(await broker.dead_letters("hitl")) == 2

        await eventually(buried)
        letters = str(await broker.dead_letters("hitl"))
        await broker.close()
        await asyncio.gather(
            *(session.ask("GET", f"{API}/runs", f"guess-{number}-of-many") for number in range(20))
        )
    logs = sorted((tmp_path / "site").rglob("*.log"))
    assert logs
    text = "".join(each.read_text() for each in logs) + letters
    assert text.count('"event":"request"') >= 30
    assert len(session.secrets) == 6
    for secret in session.secrets:
        assert secret not in text, secret
    assert "hook-password" not in text
    assert scan(logs, tmp_path) == []
