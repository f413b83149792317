"""Backups are made while runs go on, and what they restore goes on: of a dump, and of a moment in the archive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import psycopg
import pytest

from flexrun.client import API, GatewayClient
from tests.support.backups import Recovered, archiving, base_backup, place_of_postgres, run_tool
from tests.support.cli import run
from tests.support.followers import Follower, document_of
from tests.support.linkedin import example
from tests.support.postgres_server import PostgresServer
from tests.support.processes import Setting, Site
from tests.support.receivers import Receiver, receiving
from tests.support.sites import decide, envelope, log_of, only_request, reached, types_of
from tests.support.submitting import stream_run
from tests.support.waiting import eventually

RUNS_AT_LEAST = 6

pytestmark = pytest.mark.timeout(300)  # each takes 20 s beside other work


class Traffic:
    """Runs that go on one after the other, in three places at once, until the block ends. `frames` are by run."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url
        self.frames: dict[str, list[dict[str, Any]]] = {}

    async def some(self) -> None:
        """Wait until so many more runs have ended."""
        wanted = len(self.frames) + RUNS_AT_LEAST
        await eventually(lambda: len(self.frames) >= wanted)

    async def _keep_on(self) -> None:
        while True:
            frames = await stream_run(self._http, self._url, example("linkedin-variants"))
            self.frames[frames[0]["runId"]] = frames

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[Traffic]:
        tasks = [asyncio.create_task(self._keep_on()) for _ in range(3)]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def site_on(database_url: str, folder: Path) -> AsyncIterator[tuple[Site, GatewayClient]]:
    site = Site(Setting(database_url, extra={"WEBHOOK_ALLOW_PRIVATE": "true"}), folder)
    site.add_all(gateway=1, planner=1, executor=1)
    async with site, GatewayClient(site.urls[0]) as client:
        yield site, client


async def waiting_for_a_person(client: GatewayClient) -> str:
    run_id = await client.start_run(envelope("linkedin-approval"))
    await reached(client, run_id, "awaiting_hitl")
    return run_id


async def is_whole(database_url: str) -> None:
    done = await run("db", "verify", "--database", database_url)
    assert done.status == 0, done.out + done.err


async def runs_are_finished(client: GatewayClient, database_url: str) -> set[str]:
    """Every run that nobody is asked about reaches its end; the ids of all."""
    with psycopg.connect(database_url) as database:
        ids = {str(run_id) for (run_id,) in database.execute("select run_id from flex_runs").fetchall()}
    for run_id in ids:
        assert await reached(client, run_id, "completed", "awaiting_hitl") in {"completed", "awaiting_hitl"}
    return ids


async def follow(http: aiohttp.ClientSession, url: str, run_id: str, after: int) -> list[dict[str, Any]]:
    """What a reader gets who has read so far before the restore."""
    reader = Follower(http=http, gateways=[url], run_id=run_id, chance=Random(0), frames=[b""] * after)
    return [document_of(frame) for frame in (await reader.follow())[after:]]


async def refusal(http: aiohttp.ClientSession, url: str, run_id: str, after: int) -> tuple[int, str]:
    headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
    async with http.get(f"{url}{API}/runs/{run_id}/events", headers=headers) as response:
        return response.status, (await response.json())["code"]


def count_up(server: PostgresServer, transactions: int) -> None:
    """A server that has been used for longer."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        for _ in range(transactions):
            connection.execute("select pg_current_xact_id()")


def told_completions(receiver: Receiver) -> set[str]:
    return {call.run_id for call in receiver.calls if call.frame["type"] == "complete"}


async def test_a_dump_goes_on_in_another_server_and_its_webhooks_too(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    async with receiving() as receiver, PostgresServer() as old, PostgresServer() as new:
        count_up(old, 5_000)
        async with site_on(old.url, tmp_path / "old") as (site, client):
            hook = await client.call(
                "POST", f"{API}/webhooks", {"url": f"{receiver.url}/drill", "eventTypes": ["complete"]}
            )
            receiver.secrets["drill"] = hook["secret"]
            asked = await waiting_for_a_person(client)
            async with Traffic(http, site.urls[0]).going_on() as traffic:
                await traffic.some()
                dump = run_tool(old, "pg_dump", "--format=custom", "--dbname", old.url)
                await traffic.some()
            before = len(await log_of(client, asked))
        receiver.calls.clear()
        run_tool(new, "pg_restore", "--no-owner", "--exit-on-error", "--dbname", new.url, given=dump)

        refused = await run("gateway", "--database", new.url, "--port", "0")
        assert refused.status == 2, refused.err
        assert "flexrun db adopt" in refused.err
        adopted = await run("db", "adopt", "--yes", "--database", new.url)
        assert adopted.status == 0, adopted.err
        again = await run("db", "adopt", "--yes", "--database", new.url)
        assert "nothing was changed" in again.out
        await is_whole(new.url)

        async with site_on(new.url, tmp_path / "new") as (site, client):
            restored = await runs_are_finished(client, new.url)
            lost = set(traffic.frames) - restored
            assert lost, "what came after the dump is not in it"
            assert {(await refusal(http, site.urls[0], run_id, 1))[0] for run_id in lost} == {404}
            await decide(client, await only_request(client, asked))
            frames = await follow(http, site.urls[0], asked, before)
            assert frames[-1]["type"] == "complete"
            later = await stream_run(http, site.urls[0], example("linkedin-variants"))
            expected = {asked, later[0]["runId"]}
            await eventually(lambda: expected <= told_completions(receiver))
            assert receiver.refused == []
        await is_whole(new.url)


async def test_a_moment_in_the_middle_of_traffic_is_recovered(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    with place_of_postgres() as place:
        await recover_a_moment(place, tmp_path, http)


async def recover_a_moment(place: Path, tmp_path: Path, http: aiohttp.ClientSession) -> None:
    archive = place
    async with PostgresServer(settings=archiving(archive)) as old:
        async with site_on(old.url, tmp_path / "old") as (site, client):
            asked = await waiting_for_a_person(client)
            known = len(await log_of(client, asked))
            async with Traffic(http, site.urls[0]).going_on() as traffic:
                await traffic.some()
                base_backup(old, place / "base")
                await traffic.some()
                before = set(traffic.frames)
                with psycopg.connect(old.url, autocommit=True) as database:
                    row = database.execute("select clock_timestamp()::text").fetchone()
                await traffic.some()
            await decide(client, await only_request(client, asked))
            await reached(client, asked, "completed")
            head = len(await log_of(client, asked))
        with psycopg.connect(old.url, autocommit=True) as database:
            database.execute("select pg_switch_wal()")
        await old.stop()
        assert row is not None
        async with Recovered(place / "base", archive, row[0]) as new:
            await is_whole(new.url)
            async with site_on(new.url, tmp_path / "new") as (site, client):
                restored = await runs_are_finished(client, new.url)
                assert before <= restored
                assert set(traffic.frames) - restored, "what came after the moment is not there"
                for run_id in before:
                    assert await types_of(client, run_id) == [each["type"] for each in traffic.frames[run_id]]
                assert await refusal(http, site.urls[0], asked, head) == (400, "last_event_id_beyond_end")
                await decide(client, await only_request(client, asked))
                assert (await follow(http, site.urls[0], asked, known))[-1]["type"] == "complete"
            await is_whole(new.url)
