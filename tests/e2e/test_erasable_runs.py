"""Runs that can be erased, in processes of their own under the role that serves: nothing personal stays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import orjson
import psycopg
import pytest

from eventstore.rebuild import compare
from flexrun.client import API, GatewayClient
from tests.support.database_roles import database_roles
from tests.support.processes import Setting, Site
from tests.support.sites import CommandLine, decide, envelope, only_request, reached
from tests.support.whole_database import places_with

MARKER = "Marjorie Q. Fictional-Person"
LARGE = f"{MARKER} " * 2_000
"""More than what is stored apart from its row."""


@pytest.fixture
async def site(setting: Setting, tmp_path: Path) -> AsyncIterator[Site]:
    async with database_roles(setting.database_url) as urls:
        served = replace(setting, database_url=urls.app, extra={"ERASABLE": "on"})
        site = Site(served, tmp_path / "site")
        site.add_all(gateway=2, planner=1, executor=1)
        async with site:
            yield site


def personal_envelope() -> bytes:
    """A run that a person decides in, whose inputs, objective, label and outputs have the marker."""
    document = orjson.loads(envelope("linkedin-approval"))
    document["objective"] = f"A post for {MARKER}"
    document["metadata"]["runLabel"] = MARKER
    document["inputs"]["audience"] = MARKER
    document["inputs"]["contextBundles"][0]["payload"]["recentEvent"] = LARGE
    return orjson.dumps(document)


async def ended_run(client: GatewayClient) -> str:
    run_id = (await client.call("POST", f"{API}/runs", personal_envelope()))["runId"]
    await reached(client, run_id, "awaiting_hitl")
    await decide(client, await only_request(client, run_id), note=f"{MARKER} agreed")
    await reached(client, run_id, "completed")
    return run_id


async def test_a_run_and_its_fork_are_erased_and_nothing_of_the_person_is_left(
    site: Site, setting: Setting, tmp_path: Path
) -> None:
    first, second = site.urls
    async with (
        GatewayClient(first) as client,
        GatewayClient(second) as other,
        await psycopg.AsyncConnection.connect(setting.database_url, autocommit=True) as database,
    ):
        run_id = await ended_run(client)
        fork = (await client.call("POST", f"{API}/runs/{run_id}/fork", {}))["runId"]
        await reached(client, fork, "awaiting_hitl")
        await decide(client, await only_request(client, fork), "rejection", feedback=f"not {MARKER}")
        await reached(client, fork, "failed")
        assert (await other.call("GET", f"{API}/runs/{run_id}"))["objective"].endswith(MARKER)
        assert "flex_runs" in await places_with(database, MARKER)
        command = CommandLine(first, tmp_path)
        said = await command.run("runs", "erase", "--filter", f"label={MARKER}", "--yes", "--json")
        assert (said.code, said.document["done"]) == (0, 2), said
        assert await places_with(database, MARKER) == []
        for each in (client, other):
            shown = await each.call("GET", f"{API}/runs/{run_id}")
            assert MARKER not in orjson.dumps(shown).decode()
            assert shown["status"] == "completed"
    verified = await command.run("db", "verify", "--database", setting.database_url, "--json")
    assert (verified.code, verified.document["findings"]) == (0, []), verified
    assert await compare(setting.database_url) == []
