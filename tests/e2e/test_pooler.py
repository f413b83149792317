"""Behind a pooler that keeps a session for each client all works; one that lends sessions is refused in words."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import psycopg
import pytest

from eventstore.connection import connect
from eventstore.errors import DatabaseUnsuitable
from tests.support.cli import run
from tests.support.linkedin import example
from tests.support.pgbouncer import PgBouncer
from tests.support.processes import Setting, Site
from tests.support.submitting import delivered, stream_run

WORDS = "pooler that gives each transaction another session .*FLEXRUN_DATABASE_URL.* pool_mode = session"


@pytest.mark.parametrize("pool_mode", ["transaction", "statement"])
@pytest.mark.parametrize("round_robin", [False, True], ids=["last-used", "round-robin"])
async def test_a_pooler_that_lends_sessions_is_refused_and_its_sessions_are_as_they_were(
    postgres_url: str, database_url: str, pool_mode: str, round_robin: bool
) -> None:
    async with PgBouncer(postgres_url, pool_mode, round_robin=round_robin) as pooler:
        url = pooler.url(database_url)
        for _ in range(3):  # a look that has failed is no licence for the next one
            with pytest.raises(DatabaseUnsuitable, match=WORDS):
                await connect(url, "test")
        with psycopg.connect(url, autocommit=True) as other:
            for name, value in (("enable_seqscan", "on"), ("statement_timeout", "0")):
                assert other.execute(f"show {name}".encode()).fetchone() == (value,)


@pytest.mark.parametrize("round_robin", [False, True], ids=["last-used", "round-robin"])
async def test_it_is_found_out_where_others_keep_its_sessions_busy(
    postgres_url: str, database_url: str, round_robin: bool
) -> None:
    async with PgBouncer(postgres_url, "transaction", round_robin=round_robin) as pooler:
        url = pooler.url(database_url)
        stopping = asyncio.Event()

        async def use() -> None:
            async with await psycopg.AsyncConnection.connect(url, autocommit=True) as client:
                while not stopping.is_set():
                    await client.execute("select pg_sleep(0.001)", prepare=False)

        users = [asyncio.create_task(use()) for _ in range(8)]
        try:
            for _ in range(10):
                with pytest.raises(DatabaseUnsuitable, match=WORDS):
                    await connect(url, "test")
        finally:
            stopping.set()
            await asyncio.gather(*users)


@pytest.mark.parametrize("command", ["gateway", "planner", "executor", "db migrate"])
async def test_a_process_that_is_pointed_at_it_says_so_and_prepares_no_database(
    postgres_url: str, empty_database_url: str, command: str
) -> None:
    async with PgBouncer(postgres_url, "transaction") as pooler:
        done = await run(*command.split(), "--database", pooler.url(empty_database_url))
    assert done.status in (2, 3), done.err
    assert "pool_mode = session" in " ".join(done.err.split())
    assert "Traceback" not in done.err
    with psycopg.connect(empty_database_url) as database:
        assert database.execute("select to_regclass('flex_migrations')").fetchone() == (None,)


async def test_in_session_mode_a_site_serves(
    postgres_url: str, database_url: str, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    async with PgBouncer(postgres_url, "session") as pooler:
        site = Site(Setting(pooler.url(database_url)), tmp_path)
        site.add_all(gateway=1, planner=1, executor=1)
        async with site:
            for name in ("linkedin-variants", "linkedin-flat-record"):
                delivered(example(name), await stream_run(http, site.urls[0], example(name)))
