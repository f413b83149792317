"""A node runs in the version that its plan names, in another one with the same contract, or waits and says for what."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import orjson
import pytest

from flexrun.client import API, GatewayClient
from flexrun.engine import Engine
from flexrun.settings import Settings
from tests.support.http_service import answers, http_service
from tests.support.waiting import eventually

CODE = """
    from pydantic import BaseModel
    from flexrun_sdk import capability

    class Text(BaseModel):
        text: str

    @capability(id="acme.first", facets_out="first")
    def first(ticket: Text) -> Text:
        return Text(text="first")
"""
NEWER = """
    @capability(id="acme.sum", version="{version}", facets_out="total", heartbeat_seconds=0.2)
    def total({takes}) -> Text:
        return Text(text="{version}")
"""
TASK = {
    "objective": "Sum",
    "inputs": {"facets": {"ticket": {"text": "x"}}},
    "outputContract": {"mode": "facets", "facets": ["total"]},
}


@asynccontextmanager
async def gateway_and_planner(database_url: str) -> AsyncIterator[GatewayClient]:
    settings = Settings(database_url=database_url, port=0)
    async with Engine(settings, frozenset({"gateway", "planner"})) as engine:
        assert engine.server is not None
        async with GatewayClient(engine.server.url) as client:
            yield client


@asynccontextmanager
async def executor_with(database_url: str, folder: Path, *code: str) -> AsyncIterator[None]:
    """An executor that has loaded these functions, from a file that no other one has."""
    path = Path(tempfile.mkdtemp(dir=folder)) / "capabilities.py"
    path.write_text("".join(dedent(each) for each in code))
    settings = Settings(database_url=database_url, load=[str(path)])
    async with Engine(settings, frozenset({"executor"})):
        yield


def newer(version: str, takes: str = "first: Text") -> str:
    return NEWER.format(version=version, takes=takes)


async def started(client: GatewayClient) -> str:
    return await client.start_run(orjson.dumps(TASK))


async def node_of(client: GatewayClient, run_id: str, node_id: str = "acme.sum") -> dict[str, Any]:
    run = await client.call("GET", f"{API}/runs/{run_id}")
    return next((each for each in run["nodes"] if each["id"] == node_id), {})


async def planned(client: GatewayClient, run_id: str) -> None:
    async def has_nodes() -> bool:
        return bool((await node_of(client, run_id)).get("status"))

    await eventually(has_nodes)


async def frames_of(client: GatewayClient, run_id: str) -> list[dict[str, Any]]:
    return [frame async for frame in client.frames(run_id)]


def event(frames: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = [each["payload"] for each in frames if each["type"] == kind and each["nodeId"] == "acme.sum"]
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


async def _planned_for_version_1(client: GatewayClient, database_url: str, folder: Path) -> str:
    """A run whose nodes no process serves any more."""
    async with executor_with(database_url, folder, CODE, newer("1.0.0")):
        pass
    run_id = await started(client)
    await planned(client, run_id)
    return run_id


async def test_a_loaded_version_with_the_same_contract_works_in_the_place_of_the_planned_one_and_events_say_so(
    database_url: str, folder: Path
) -> None:
    async with gateway_and_planner(database_url) as client:
        run_id = await _planned_for_version_1(client, database_url, folder)
        async with executor_with(database_url, folder, CODE, newer("2.0.0")):
            frames = await frames_of(client, run_id)
    assert frames[-1]["payload"]["output"] == {"total": {"text": "2.0.0"}}
    for kind in ("node_start", "node_complete"):
        found = event(frames, kind)
        assert (found["capabilityVersion"], found["usedVersion"]) == ("1.0.0", "2.0.0")


async def test_a_node_waits_and_says_for_what_while_only_a_version_with_another_contract_is_loaded(
    database_url: str, folder: Path
) -> None:
    async with gateway_and_planner(database_url) as client:
        run_id = await _planned_for_version_1(client, database_url, folder)
        async with executor_with(database_url, folder, CODE, newer("2.0.0", "first: Text, ticket: Text")):

            async def waits() -> dict[str, Any]:
                return (await node_of(client, run_id)).get("waitingFor") or {}

            waiting = await eventually(waits)
            assert waiting["kind"] == "version"
            assert waiting["message"] == (
                "waits for version 1.0.0 of acme.sum, which no process serves; 2.0.0 takes or gives something else"
            )
        async with executor_with(database_url, folder, CODE, newer("1.0.0")):
            frames = await frames_of(client, run_id)
    assert frames[-1]["payload"]["output"] == {"total": {"text": "1.0.0"}}
    assert "usedVersion" not in event(frames, "node_start")


async def test_a_service_is_called_in_the_planned_version_and_in_another_one_once_that_is_removed(
    database_url: str, folder: Path
) -> None:
    old, new = answers({"output": {"text": "old"}}), answers({"output": {"text": "new"}})
    async with (
        http_service(old) as first,
        http_service(new) as second,
        gateway_and_planner(database_url) as client,
    ):
        async with executor_with(database_url, folder, CODE):
            pass
        await client.call("POST", f"{API}/facets", TOTAL)
        await _register(client, "1.0.0", first.url)
        pinned = await started(client)
        await planned(client, pinned)
        await _register(client, "2.0.0", second.url)
        async with executor_with(database_url, folder, CODE):
            frames = await frames_of(client, pinned)
        assert frames[-1]["payload"]["output"] == {"total": {"text": "old"}}
        assert "usedVersion" not in event(frames, "node_start")

        left = await started(client)
        await planned(client, left)
        await client.call("DELETE", f"{API}/capabilities/acme.sum?version=2.0.0")
        async with executor_with(database_url, folder, CODE):
            frames = await frames_of(client, left)
        assert frames[-1]["payload"]["output"] == {"total": {"text": "old"}}
        assert event(frames, "node_complete")["usedVersion"] == "1.0.0"


async def _register(client: GatewayClient, version: str, url: str) -> None:
    home = {"type": "http", "url": url, "allowPrivate": True}
    body = {
        "id": "acme.sum",
        "version": version,
        "label": "Sum",
        "facetsIn": ["first"],
        "facetsOut": ["total"],
    }
    await client.call("POST", f"{API}/capabilities/register", {**body, "home": home})


TOTAL = {
    "name": "total",
    "version": "1.0.0",
    "description": "A sum",
    "schema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
}
