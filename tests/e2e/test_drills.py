"""The drills of docs/runbook.md: a trouble is made, the operator's commands find it, name it, and mend it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from broker.factory import open_broker
from eventstore.store import EventStore
from flexrun.client import GatewayClient
from tests.support.cli import run
from tests.support.processes import Setting, Site
from tests.support.shapes import printed
from tests.support.sites import envelope, only_request, reached
from tests.support.waiting import eventually


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

    found = await eventually(dead)
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
