"""The drill of very many finished runs: the commands still answer, since none of them reads them all.

Here with fewer, and by what is read; `python -m bench.listing` measures a million.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg

from bench.many_runs import fill
from tests.support.cli import Done, run
from tests.support.doctors import doctor, found
from tests.support.processes import Setting, Site
from tests.support.shapes import printed

RUNS = 20_000
READ_AT_MOST = RUNS // 2
"""By all commands together; one that read every run would read twice as many rows at least."""

_READ = """
select coalesce(sum(seq_tup_read + idx_tup_fetch), 0)::bigint from pg_stat_user_tables
where relname in ('flex_runs', 'flex_events', 'flex_plan_nodes')
"""


async def _rows_read(database_url: str) -> int:
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        row = await (await connection.execute(_READ)).fetchone()
        assert row is not None
        return row[0]


async def test_the_commands_answer_beside_very_many_finished_runs(database_url: str, tmp_path: Path) -> None:
    await fill(database_url, RUNS)
    before = await _rows_read(database_url)
    site = Site(Setting(database_url), tmp_path)
    site.add_all(gateway=1, planner=1, executor=1)
    async with site:
        at = ("--json", "--url", site.urls[0])

        async def asked(*words: str) -> Done:
            done = await run(*words, *at)
            assert done.status == 0, done.err
            return done

        listed = printed(await asked("runs", "list"), "RunList")
        assert len(listed["runs"]) == 50
        run_id = listed["runs"][0]["runId"]
        await asyncio.gather(
            asked("runs", "list", "--status", "failed"),
            asked("runs", "list", "--client", "client-7"),
            asked("runs", "list", "--error", "code-3", "--cursor", listed["nextCursor"]),
            asked("runs", "show", run_id),
            asked("work", "list"),
            asked("workers"),
            asked("operations", "list"),
        )
        document = await doctor(site.setting)
        assert found(document, "lag", "due work")["level"] in ("ok", "warning")
    assert await _rows_read(database_url) - before < READ_AT_MOST
    planned = await run(
        "db", "prune", "--older-than", "1d", "--dry-run", "--json", "--database", database_url
    )
    assert (planned.status, '"dryRun":true' in planned.out) == (0, True), planned.err
    sizes = await run("db", "sizes", "--database", database_url)
    assert (sizes.status, "flex_events" in sizes.out) == (0, True), sizes.err
