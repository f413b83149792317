"""`flexrun runs …` in processes of their own, against `flexrun up`."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flexrun.client import GatewayClient
from tests.support import databases
from tests.support.documents import must_be
from tests.support.processes import Setting, Site
from tests.support.sites import CommandLine, envelope, only_request, reached


@pytest.fixture(scope="module")
def up(
    service: Callable[[str], str], postgres_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """`flexrun up` for all tests of this file; each has runs of its own."""
    url = databases.create_database(postgres_url, template=service("postgres_template"))
    site = Site(Setting(url), tmp_path_factory.mktemp("up"))
    site.add("up")
    asyncio.run(site.start())
    yield site
    asyncio.run(site.stop())
    databases.drop_database(postgres_url, url)


@pytest.fixture
def flexrun(up: Site, tmp_path: Path) -> CommandLine:
    return CommandLine(up.urls[0], tmp_path)


async def waiting_run(up: Site, **policies: Any) -> tuple[str, dict[str, Any]]:
    """A run of the example that waits for an approval; its request."""
    async with GatewayClient(up.urls[0]) as client:
        run_id = await client.start_run(envelope("linkedin-approval", **policies))
        await reached(client, run_id, "awaiting_hitl")
        return run_id, await only_request(client, run_id)


async def test_show_says_why_the_run_is_not_moving_above_its_plan(up: Site, flexrun: CommandLine) -> None:
    run_id, request = await waiting_run(up)
    shown = await flexrun.run("runs", "show", run_id)
    assert shown.code == 0, shown.err
    assert "person    a person (anybody) has to decide" in shown.out
    assert f"To decide: flexrun hitl show {request['requestId']}" in shown.out
    lines = shown.out.splitlines()
    assert "plan 1" in lines
    nodes = [line for line in lines if "completed  attempt 1" in line]
    assert nodes
    assert all(line.lstrip(" │").startswith(("├── ", "└── ")) for line in nodes)
    as_json = await flexrun.run("runs", "show", run_id, "--json")
    must_be("RunDetail", as_json.document)
    (wait,) = as_json.document["waitingFor"]
    assert (wait["kind"], wait["requestId"]) == ("person", request["requestId"])
