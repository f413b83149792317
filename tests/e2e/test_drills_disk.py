"""The drill of a full disk under the database: nothing acknowledged is lost, and all goes on when there is room."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from flexrun.client import GatewayClient
from tests.support.cli import run
from tests.support.doctors import doctor, found, troubles
from tests.support.followers import API
from tests.support.postgres_server import PostgresServer
from tests.support.processes import Setting, Site
from tests.support.sites import decide, envelope, only_request, reached
from tests.support.small_disks import fill, small_disk
from tests.support.waiting import eventually

LARGE = 100_000
"""More than what is free on the pages that the tables have."""


@pytest.fixture
def disk() -> Iterator[Path]:
    with small_disk() as folder:
        yield folder


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system")
async def test_a_full_disk_is_named_and_all_goes_on_when_there_is_room(
    disk: Path, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    async with PostgresServer(place=disk) as server:
        site = Site(Setting(server.url, lease_seconds=15), tmp_path)
        site.add_all(gateway=1, planner=1, executor=1)
        async with site, GatewayClient(site.urls[0]) as client:
            waits = await client.start_run(envelope("linkedin-approval"))
            await reached(client, waits, "awaiting_hitl")
            filler = disk / "filler"
            fill(filler)
            assert troubles(await doctor(site.setting)) == [("disk", "room to write")]
            finding = found(await doctor(site.setting), "disk", "room to write")
            assert "make room" in finding["advice"]
            assert await _not_ready(http, site.urls[0]) == "the disk of the database is full"
            # Nothing is acknowledged that is not stored: who asks now waits, up to 30 s, and then gets 503.
            waiting = asyncio.create_task(_submitted(http, site.urls[0]))
            await eventually(lambda: '"writer"' in site.processes["gateway-1"].last_words())
            listed = await run("runs", "list", "--url", site.urls[0])
            assert (listed.status, waits in listed.out, waiting.done()) == (0, True, False), listed.err
            filler.unlink()
            accepted = (await waiting)["runId"]
            await eventually(lambda: _is_well(site))
            await reached(client, accepted, "completed")
            await decide(client, await only_request(client, waits))
            await reached(client, waits, "completed")
        proved = await run("db", "verify", "--json", "--database", server.url)
        assert proved.status == 0, proved.out


def _large() -> bytes:
    document = orjson.loads(envelope("linkedin-variants"))
    document["inputs"]["notes"] = os.urandom(LARGE).hex()
    return orjson.dumps(document)


async def _submitted(http: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    async with http.post(f"{url}{API}/runs", data=_large(), headers=headers) as answer:
        assert answer.status == 202, await answer.text()
        return await answer.json()


async def _not_ready(http: aiohttp.ClientSession, url: str) -> str:
    """What `/readyz` says of the database."""
    async with http.get(f"{url}/readyz") as answer:
        assert answer.status == 503
        parts = (await answer.json())["parts"]
    return next(each["detail"] for each in parts if each["name"] == "database")


async def _is_well(site: Site) -> bool:
    return troubles(await doctor(site.setting)) == []
