"""`db verify` finds what was changed in the database behind the engine's back, with the triggers off, and names it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

import pytest
from psycopg import AsyncConnection

from eventstore import verify as verifying
from eventstore.handler import RunHandler
from eventstore.verify import Finding, Verified, verify
from tests.eventstore.conftest import StartRun
from tests.support import cli
from tests.support.by_hand import ByHand
from tests.support.started_runs import started_run

AFTER_THE_END = """
insert into flex_events (run_id, seq, type, payload, recorded_at)
select run_id, seq + 1, 'log', '{"level": "info", "message": "x"}', now()
from flex_events where run_id = %(run)s and type = 'complete'
"""
MESSAGE = "update flex_events set message = 'x' where run_id = %(run)s and seq = 2"


async def looked_at(url: str, *, after: str = verifying.FIRST_RUN, processes: int = 1) -> list[Verified]:
    """All ranges of a whole verify."""
    async with aclosing(verify(url, after=after, processes=processes)) as ranges:
        return [each async for each in ranges]


async def findings(url: str) -> list[Finding]:
    return [finding for each in await looked_at(url) for finding in each.findings]


def events(found: Sequence[Finding]) -> list[tuple[str, int | None, str]]:
    """Those of `found` that name an event."""
    return [(each.run_id, each.seq, each.cause) for each in found if each.seq is not None]


async def tamper(database: AsyncConnection[Any], statement: str, **parameters: Any) -> None:
    """Change what the triggers would refuse."""
    await database.execute("set session_replication_role = replica")
    await database.execute(statement.encode(), parameters)
    await database.execute("reset session_replication_role")


@pytest.fixture
async def finished(start_run: StartRun) -> ByHand:
    """A run that has completed, between two others."""
    await start_run()
    run = await start_run()
    await run.to_the_end()
    await (await start_run()).to_the_end()
    return run


async def test_an_untouched_database_has_no_findings(finished: ByHand, database_url: str):
    verified = await looked_at(database_url)
    assert (sum(each.run_count for each in verified), verified[-1].runs.until) == (3, verifying.LAST_RUN)
    assert [each.findings for each in verified] == [[]]
    assert sum(each.unhashed for each in verified) == 0 < sum(each.events for each in verified)


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("update flex_events set payload = payload || '{\"x\": 1}' where run_id = %(run)s and seq = 3", (3, "changed")),
        ("update flex_events set message = 'x' where run_id = %(run)s and seq = 4", (4, "changed")),
        ("update flex_events set recorded_at = now() where run_id = %(run)s and seq = 4", (4, "changed")),
        ("update flex_events set hash = null where run_id = %(run)s and seq = 4", (4, "unhashed")),
        ("delete from flex_events where run_id = %(run)s and seq = 3", (4, "missing")),
        ("delete from flex_events where run_id = %(run)s and seq = 1", (2, "missing")),
        ("delete from flex_events where run_id = %(run)s and seq > 3", (3, "cut")),
        ("delete from flex_events where run_id = %(run)s", (1, "missing")),
        (
            AFTER_THE_END,
            (None, "changed"),
        ),
    ],
)  # fmt: skip
async def test_a_change_of_the_log_is_named(
    finished: ByHand,
    database: AsyncConnection[Any],
    database_url: str,
    statement: str,
    place: tuple[int, str],
):
    await tamper(database, statement, run=finished.run_id)
    found = await findings(database_url)
    assert {each.run_id for each in found} == {finished.run_id}
    seq, cause = place
    assert events(found)[0] == (finished.run_id, seq or events(found)[0][1], cause)


async def test_an_event_that_was_pushed_in_between_is_named(
    finished: ByHand, database: AsyncConnection[Any], database_url: str
):
    run = finished.run_id
    await tamper(
        database, "update flex_events set seq = seq + 1000 where run_id = %(run)s and seq > 3", run=run
    )
    await tamper(
        database, "update flex_events set seq = seq - 999 where run_id = %(run)s and seq > 1000", run=run
    )
    await tamper(
        database,
        "insert into flex_events (run_id, seq, type, payload, recorded_at, hash)"
        " select run_id, 4, type, payload, recorded_at, hash from flex_events where run_id = %(run)s and seq = 3",
        run=run,
    )
    assert events(await findings(database_url))[0] == (run, 4, "changed")


async def test_a_row_of_a_read_model_is_named(
    finished: ByHand, database: AsyncConnection[Any], database_url: str
):
    await tamper(
        database, "update flex_runs set status = 'failed' where run_id = %(run)s", run=finished.run_id
    )
    found = await findings(database_url)
    assert [(each.run_id, each.seq, each.cause) for each in found] == [(finished.run_id, None, "row")]
    assert "status is 'failed' instead of 'completed'" in str(found[0])


async def test_several_processes_find_the_same_in_the_same_order(
    finished: ByHand, database: AsyncConnection[Any], database_url: str, monkeypatch: pytest.MonkeyPatch
):
    await tamper(database, "update flex_events set message = 'x' where seq = 2")
    monkeypatch.setattr(verifying, "EVENTS_AT_ONCE", 1)
    alone, together = await looked_at(database_url), await looked_at(database_url, processes=2)
    assert alone == together
    assert [len(each.findings) for each in together] == [0, 1, 1, 0]


async def test_it_goes_on_where_it_stopped(
    finished: ByHand, database_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(verifying, "EVENTS_AT_ONCE", 1)
    whole = await looked_at(database_url)
    assert await looked_at(database_url, after=whole[1].runs.until) == whole[2:]


async def test_runs_that_change_meanwhile_are_no_findings(
    handler: RunHandler, database_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(verifying, "EVENTS_AT_ONCE", 1)
    over = asyncio.Event()

    async def work() -> None:
        while not over.is_set():
            await (await started_run(handler)).to_the_end()

    working = asyncio.create_task(work())
    for _ in range(5):
        assert await findings(database_url) == []
    over.set()
    await working


async def test_the_command_names_run_and_event_and_exits_with_1(
    finished: ByHand, database: AsyncConnection[Any], database_url: str
):
    whole = await cli.run("db", "verify", "--database", database_url)
    assert (whole.status, "3 runs, " in whole.out) == (0, True)
    await tamper(database, MESSAGE, run=finished.run_id)
    done = await cli.run("db", "verify", "--json", "--database", database_url)
    assert done.status == 1
    report = json.loads(done.out)
    message = f"run {finished.run_id} event 2: it or the hash of the event before it is not what was written"
    assert report["findings"] == [
        {"runId": finished.run_id, "seq": 2, "cause": "changed", "message": message}
    ]
    assert (report["runs"], report["unhashed"]) == (3, 0)
    behind = await cli.run("db", "verify", "--after", finished.run_id, "--database", database_url)
    assert (behind.status, "1 runs" in behind.out) == (0, True)
    assert (await cli.run("db", "verify", "--after", "x", "--database", database_url)).status == 2
