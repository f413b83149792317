"""A release is replaced by the next one while runs go on: the old one on the new schema, then one process at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from uuid import uuid4

import aiohttp
import psycopg
import pytest

from eventstore.migrate import migrations
from flexrun.client import GatewayClient
from tests.support.cli import run
from tests.support.followers import API, LOST, Follower, types_of
from tests.support.linkedin import example
from tests.support.processes import FlexrunProcess, Setting, Site
from tests.support.releases import VERSION, NextRelease
from tests.support.sites import decide, envelope, only_request, reached
from tests.support.waiting import eventually

RUNS_AT_LEAST = 3
COMPATIBLE = f"""-- The next release knows more of runs and events.
-- compatible: {migrations()[-1].number:04}

alter table flex_runs add column next_word text;
alter table flex_events add column next_word text not null default '';
alter table flex_work add column next_word text;
create table flex_next (run_id uuid primary key references flex_runs on delete cascade);
"""


class Callers:
    """Start runs and read them to their ends, at whatever gateway answers. A reader that misses a frame fails."""

    def __init__(self, http: aiohttp.ClientSession, gateways: list[str]) -> None:
        self._http = http
        self.gateways = gateways
        self.read: dict[str, list[bytes]] = {}
        self._chance = Random(12)

    async def some(self) -> None:
        """Wait until so many more runs have been read to their ends."""
        wanted = len(self.read) + RUNS_AT_LEAST
        await eventually(lambda: len(self.read) >= wanted)

    @asynccontextmanager
    async def calling(self) -> AsyncIterator[Callers]:
        async with asyncio.TaskGroup() as group:
            going_on = asyncio.Event()
            for _ in range(3):
                group.create_task(self._keep_on(going_on))
            try:
                yield self
            finally:
                going_on.set()

    async def _keep_on(self, done: asyncio.Event) -> None:
        while not done.is_set():
            run_id = await self._start()
            self.read[run_id] = await self.reader(run_id).follow()

    def reader(self, run_id: str) -> Follower:
        return Follower(http=self._http, gateways=self.gateways, run_id=run_id, chance=self._chance)

    async def _start(self) -> str:
        key = str(uuid4())
        while True:
            url = f"{self._chance.choice(self.gateways)}{API}/run.stream"
            with suppress(*LOST):
                async with self._http.post(
                    url, json=example("linkedin-variants"), headers={"Idempotency-Key": key}
                ) as response:
                    if response.status == 200:
                        return response.headers["X-Run-Id"]
                    assert response.status == 503, await response.text()
            await asyncio.sleep(0.05)


async def replaced(old: FlexrunProcess, new: FlexrunProcess, callers: Callers) -> None:
    """The new one is ready before the old one stops, and runs go on after each of both."""
    await new.start()
    if new.url:
        callers.gateways.append(new.url)
    await callers.some()
    assert await old.stop() == 0
    await callers.some()


def versions_there(database_url: str) -> set[str]:
    with psycopg.connect(database_url) as database:
        return {version for (version,) in database.execute("select version from flex_processes").fetchall()}


@pytest.mark.timeout(300)  # 50 s beside other work
async def test_a_release_is_replaced_under_load_and_nothing_is_lost(
    database_url: str, amqp_url: str, broker_namespace: str, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    setting = Setting(database_url, amqp_url, broker_namespace)
    release = NextRelease(tmp_path / "next", COMPATIBLE)
    site = Site(setting, tmp_path / "old")
    site.add_all(gateway=1, planner=1, executor=1)
    new = {role: release.process(setting, role, tmp_path) for role in ("gateway", "planner", "executor")}
    async with site:
        gateway, planner, executor = site.processes.values()
        callers = Callers(http, list(site.urls))
        try:
            async with GatewayClient(gateway.url) as client:
                asked = await client.start_run(envelope("linkedin-approval"))
                await reached(client, asked, "awaiting_hitl")
            waiting = asyncio.create_task(callers.reader(asked).follow())
            async with callers.calling():
                await callers.some()
                status, said = await release.run(setting, ["db", "migrate", "--dry-run"], tmp_path)
                assert (status, "may go on" in said) == (0, True), said
                status, said = await release.run(setting, ["db", "migrate"], tmp_path)
                assert (status, release.migration in said) == (0, True), said
                await callers.some()
                await executor.kill()
                await executor.start()  # the old release, on the schema of the new one
                await callers.some()
                for old, role in ((executor, "executor"), (planner, "planner"), (gateway, "gateway")):
                    await replaced(old, new[role], callers)
            async with GatewayClient(new["gateway"].url) as client:
                await decide(client, await only_request(client, asked))
            assert types_of(await waiting)[-1] == "complete"
            assert VERSION in versions_there(database_url)
        finally:
            for process in new.values():
                await process.stop()
    for run_id, frames in callers.read.items():
        assert types_of(frames)[-1] == "complete", run_id
    with psycopg.connect(database_url) as database:
        row = database.execute(
            "select count(*), count(*) filter (where status = 'completed') from flex_runs"
        ).fetchone()
    assert row == (len(callers.read) + 1, len(callers.read) + 1), "what was accepted is over"
    status, said = await release.run(setting, ["db", "verify"], tmp_path)
    assert status == 0, said


async def test_what_older_processes_would_not_survive_waits_until_they_are_gone(
    database_url: str, tmp_path: Path
) -> None:
    setting = Setting(database_url)
    release = NextRelease(tmp_path / "next", "alter table flex_runs add column next_word text;\n")
    site = Site(setting, tmp_path / "old")
    site.add_all(gateway=1)
    async with site:
        status, said = await release.run(setting, ["db", "migrate", "--dry-run"], tmp_path)
        assert (status, f"stop processes that serve before: {release.migration}" in said) == (0, True), said
        status, said = await release.run(setting, ["db", "migrate"], tmp_path)
        assert status != 0
        assert "Nothing was migrated" in said
        assert "gateway" in said
    status, said = await release.run(setting, ["db", "migrate"], tmp_path)
    assert (status, release.migration in said) == (0, True), said
    done = await run("gateway", "--database", database_url, "--port", "0")
    assert done.status == 2
    assert "this release does not know" in done.err


@pytest.mark.parametrize(("known_later", "served"), [(0, True), (1, False)])
async def test_a_database_says_which_older_release_it_serves(
    database_url: str, known_later: int, served: bool
) -> None:
    last = migrations()[-1].number
    with psycopg.connect(database_url) as database:
        database.execute(
            "insert into flex_migrations (number, name, checksum, compatible) values (%s, 'later', 'x', %s)",
            [last + 3, last + known_later],
        )
    done = await run("db", "migrate", "--database", database_url)
    assert (done.status == 0) is served, done.err
    assert served or f"know migration {last + 1}" in done.err
