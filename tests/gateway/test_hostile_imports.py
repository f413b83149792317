"""What is done to an import, or by one: bad files, two at once, a run under its id, a kill in the middle."""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import psutil
import psycopg

from eventstore import webhook_lanes
from eventstore.import_lines import ImportLimits
from eventstore.importing import Imported, RunDiffers, import_run
from eventstore.rebuild import compare
from eventstore.retention import ended_before, prunable, prune
from eventstore.webhooks import NewWebhook, add_webhook
from runs import commands as c
from runs.errors import RunAlreadyStarted
from runs.event import Event
from runs.values import changed
from tests.golden.logs.record import read_log
from tests.support.gateways import API, RunningGateway
from tests.support.loop_time import MOST_SECONDS, loop_time
from tests.support.run_files import lines_of, packed, unpacked, with_members
from tests.support.started_runs import started_run
from tests.support.waiting import eventually

IMPORT = f"{API}/runs/import"
LOG = read_log("engine_done")
RUN = LOG[0].run_id
FILE = packed(lines_of(LOG))
IMPORT_MEMORY = f"[{2 << 30},"
LIMITS = ImportLimits(bytes=2**30, events=10**6, line_bytes=2**26)
StartGateway = Callable[..., Any]
WAITING = (
    "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
)


def long_log(count: int) -> list[Event]:
    """The log with so many messages before its end."""
    *begin, end = LOG
    start, rest = begin[0], begin[1:]
    said = [
        Event(
            RUN, 2 + number, "log", {"level": "info", "message": f"{number} " + "x" * 500}, start.recorded_at
        )
        for number in range(count)
    ]
    moved = [changed(each, seq=each.seq + count) for each in (*rest, end)]
    return [start, *said, *moved]


async def stored(gateway: RunningGateway) -> set[int]:
    """The numbers of rows of all tables that an import writes."""
    return set((await gateway.rows()).values())


async def test_a_bad_file_says_its_line_and_stores_nothing(gateway: RunningGateway) -> None:
    lines = lines_of(LOG)
    bad: dict[bytes, tuple[int, str, str | None, int | None]] = {
        b"": (400, "import_invalid", "truncated", None),
        b"{}": (400, "import_invalid", "compression", None),
        FILE[:-9]: (400, "import_invalid", "truncated", None),
        packed([*lines[:3], *lines[4:]]): (400, "import_invalid", "gap", 4),
        packed(lines_of(LOG, schema=10_000)): (400, "import_invalid", "newer", 1),
        gzip.compress(b"a" * 65 * 2**20): (413, "import_too_large", "too_large", 1),
        gzip.compress(lines[0] + b"\n" + b"[" * 10**6 + b"\n"): (400, "import_invalid", "event", 2),
    }
    for file, (status, code, cause, line) in bad.items():
        answer, problem = await gateway.post(IMPORT, file)
        found = (answer.status, problem["code"], problem.get("cause"), problem.get("line"))
        assert found == (status, code, cause, line), problem
    assert await stored(gateway) == {0}


async def test_limits_are_those_of_the_gateway(start_gateway: StartGateway) -> None:
    small = await start_gateway(import_limit_bytes=len(FILE) - 1)
    answer, problem = await small.post(IMPORT, FILE)
    assert (answer.status, problem["code"]) == (413, "body_too_large")
    few = await start_gateway(import_events=3)
    answer, problem = await few.post(IMPORT, FILE)
    assert (answer.status, problem["code"], problem["line"]) == (413, "import_too_large", 1)
    assert await stored(few) == {0}


async def test_what_the_database_cannot_keep_is_refused_whole(gateway: RunningGateway) -> None:
    """An index entry has a bound, and so has an integer."""
    start = LOG[0]
    envelope = {**start.detail["envelope"], "metadata": {"runLabel": os.urandom(9_000).hex()}}  # type: ignore[index]
    labelled = [changed(start, detail={**start.detail, "envelope": envelope}), *LOG[1:]]  # type: ignore[dict-item]
    answer, problem = await gateway.post(IMPORT, packed(lines_of(labelled)))
    assert (answer.status, problem["cause"]) == (400, "storage"), problem
    assert await stored(gateway) == {0}


async def test_a_request_of_another_run_is_not_replaced(gateway: RunningGateway) -> None:
    """Its id is in the file, and in a run that somebody has to decide."""
    log = read_log("engine_vote")
    (request_id,) = {each.payload["requestId"] for each in log if each.type == "hitl_request"}
    run = await started_run(gateway.handler)
    await run.planned()
    await run.start()
    await run.do(c.RequestClarification, node_id="a", attempt=1, question="why?")
    async with await psycopg.AsyncConnection.connect(gateway.database_url, autocommit=True) as connection:
        await connection.execute("update hitl_requests set id = %s", (request_id,))
    answer, problem = await gateway.post(IMPORT, packed(lines_of(log)))
    assert (answer.status, problem["cause"]) == (400, "storage"), problem
    _, pending = await gateway.get(f"/api/hitl/pending?runId={run.run_id}")
    assert [each["requestId"] for each in pending["requests"]] == [request_id]


async def test_two_at_once_are_one(start_gateway: StartGateway) -> None:
    one, other = await start_gateway(), await start_gateway()
    file = packed(lines_of(long_log(3_000)))
    answers = await asyncio.gather(*(each.post(IMPORT, file) for each in (one, other, one)))
    assert sorted(answer.status for answer, _ in answers) == [200, 200, 201]
    assert sum(report["stored"] for _, report in answers) == 1
    assert await compare(one.database_url) == []


async def test_a_run_that_starts_under_its_id_waits_and_is_refused_or_keeps_its_own(
    gateway: RunningGateway, tmp_path: Path
) -> None:
    path = tmp_path / "run.jsonl.gz"
    path.write_bytes(packed(lines_of(long_log(500))))

    async def begun() -> bool:
        try:
            await started_run(gateway.handler, RUN)
        except RunAlreadyStarted:
            return False
        return True

    done, first = await asyncio.gather(
        import_run(gateway.database_url, path, LIMITS, "ann"), begun(), return_exceptions=True
    )
    assert (isinstance(done, Imported), first) in {(True, False), (False, True)}, (done, first)
    assert isinstance(done, Imported | RunDiffers)
    assert await compare(gateway.database_url) == []


async def test_a_run_that_goes_on_is_not_disturbed(gateway: RunningGateway) -> None:
    run = await started_run(gateway.handler)
    async with gateway.http.get(f"{gateway.url}{API}/runs/{run.run_id}/export") as answer:
        file = await answer.read()

    async def goes_on() -> None:
        for number in range(20):
            await run.log(str(number))

    (answer, report), _ = await asyncio.gather(gateway.post(IMPORT, file), goes_on())
    assert (answer.status, report["stored"], "imported" in report) == (200, False, False), report
    await run.to_the_end()
    assert await compare(gateway.database_url) == []


async def test_killed_in_the_middle_nothing_is_stored_and_again_all_is(gateway: RunningGateway) -> None:
    """The child waits for a table that another transaction holds; then it is killed, each time that it starts."""
    async with await psycopg.AsyncConnection.connect(gateway.database_url) as holder:
        await holder.execute("lock table flex_imported_runs in access exclusive mode")
        importing = asyncio.create_task(gateway.post(IMPORT, FILE))
        for waiting in (1, 2):
            await eventually(lambda waiting=waiting: _waits(gateway, waiting))
            _importing_child().kill()
        answer, problem = await importing
        assert (answer.status, problem["code"]) == (413, "import_too_large"), problem
    assert await stored(gateway) == {0}
    assert (await gateway.post(IMPORT, FILE))[0].status == 201


async def _waits(gateway: RunningGateway, count: int) -> bool:
    """Whether so many wait for the table; the server finds out that a child is gone once it has the lock."""
    async with await psycopg.AsyncConnection.connect(gateway.database_url) as connection:
        return await (await connection.execute(WAITING)).fetchone() == (count,)


def _importing_child() -> psutil.Process:
    """The one that imports, among all children of the tests: by the memory that it alone may take."""
    (found,) = (
        each
        for each in psutil.Process().children()
        if each.status() != psutil.STATUS_ZOMBIE and any(IMPORT_MEMORY in word for word in each.cmdline())
    )
    return found


async def test_webhooks_are_not_told(gateway: RunningGateway) -> None:
    secret = b"s" * 32
    await add_webhook(
        gateway.store,
        NewWebhook(hook_id=str(uuid4()), url="http://127.0.0.1:9/", event_types=["start"], secret=secret),
    )
    assert (await gateway.post(IMPORT, FILE))[0].status == 201
    await started_run(gateway.handler)

    async def fed() -> int:
        return (await webhook_lanes.feed(gateway.store, 1000)).written

    await eventually(lambda: _is_one(fed))


async def _is_one(fed: Callable[[], Any]) -> bool:
    return await fed() == 1


async def test_a_long_run_holds_no_loop(gateway: RunningGateway) -> None:
    file = packed(lines_of(long_log(20_000)))
    with loop_time() as blocked:
        answer, report = await gateway.post(IMPORT, file)
    assert (answer.status, report["events"]) == (201, 20_000 + len(LOG)), report
    assert blocked.longest_seconds < MOST_SECONDS, blocked.longest
    assert orjson.loads(unpacked(file)[0])["headHash"] == report["headHash"]


async def test_it_takes_the_scope_admin(start_gateway: StartGateway) -> None:
    gateway = await start_gateway(tokens="secret-of-ann=ann:admin;secret-of-bob=bob:runs.write")
    answer, _ = await gateway.post(IMPORT, FILE)
    assert answer.status == 401
    answer, report = await gateway.post(IMPORT, FILE, Authorization="Bearer secret-of-ann")
    assert (answer.status, report["imported"]["importedBy"]) == (201, "ann")


async def test_its_age_counts_from_the_import(gateway: RunningGateway) -> None:
    """It ended long ago; one that was exported in progress counts as ended when it was imported."""
    open_log = read_log("engine_vote")[:3]
    for file in (FILE, packed(lines_of(open_log))):
        assert (await gateway.post(IMPORT, file))[0].status == 201
    store = gateway.store
    assert (await prunable(store, ended_before(store, 3600))).runs == 0
    assert [each async for each in prune(store, ended_before(store, 3600))] == []
    assert (await prunable(store, ended_before(store, 0))).runs == 2
    assert sum([each.runs async for each in prune(store, ended_before(store, 0))]) == 2
    async with await psycopg.AsyncConnection.connect(gateway.database_url) as connection:
        left = await connection.execute("select from flex_imported_runs")
        assert await left.fetchall() == []
    assert await stored(gateway) == {0}
    answer, problem = await gateway.get(f"{API}/runs/{RUN}")
    assert (answer.status, problem["code"]) == (410, "run_pruned")
    answer, problem = await gateway.post(IMPORT, with_members(FILE, 2, message="other"))
    assert (answer.status, problem["code"]) == (409, "run_differs"), (
        "another history than the one that was here"
    )
    assert (await gateway.post(IMPORT, FILE))[0].status == 201
    assert (await gateway.get(f"{API}/runs/{RUN}"))[0].status == 200
