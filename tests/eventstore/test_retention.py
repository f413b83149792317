"""Finished runs are removed whole, after their time, and everything else of the log stays."""

from __future__ import annotations

import signal
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from broker.keeper import Keeper, KeeperConfig
from eventstore.export_files import ExportIncomplete, export_into
from eventstore.handler import RunHandler
from eventstore.rebuild import compare
from eventstore.retention import PrunedBundle, ended_before, prunable, prune, pruned
from eventstore.store import EventStore
from eventstore.webhooks import NewWebhook, add_webhook
from tests.eventstore.conftest import StartRun
from tests.support import cli
from tests.support.by_hand import ByHand
from tests.support.carriage import House, Site
from tests.support.given import ANN, node
from tests.support.offline import offline
from tests.support.waiting import eventually

OF_A_RUN = ("flex_runs", "flex_events", "flex_plan_nodes", "hitl_requests", "flex_work", "flex_links")


async def counts(database: AsyncConnection[Any], run_id: str) -> dict[str, int]:
    """The rows of a run, by table."""
    found: dict[str, int] = {}
    for table in OF_A_RUN:
        statement = SQL("select count(*) from {} where run_id = %s").format(Identifier(table))
        row = await (await database.execute(statement, (run_id,))).fetchone()
        found[table] = row[0] if row else -1
    return found


async def removed(store: EventStore, **more: Any) -> PrunedBundle:
    """What a round over all that has ended by now removes."""
    total = PrunedBundle(0, 0, 0)
    async for each in prune(store, ended_before(store, 0), **more):
        total = PrunedBundle(total.runs + each.runs, total.events + each.events, total.left + each.left)
    return total


async def asked_and_over(start_run: StartRun) -> ByHand:
    """A finished run whose node had to be approved."""
    run = await start_run(policies={"hitl": {"nodes": {"a": {"mode": "approval"}}}})
    await run.to_the_end()
    return run


async def test_a_finished_run_goes_with_all_its_rows_and_the_others_stay(
    start_run: StartRun, store: EventStore, database: AsyncConnection[Any], database_url: str
):
    over, open_run = await asked_and_over(start_run), await start_run()
    await open_run.planned(node("a"))
    before, log = await counts(database, open_run.run_id), await store.read(open_run.run_id)
    last = (await store.read(over.run_id))[-1]
    assert await removed(store) == PrunedBundle(1, 6, 0)
    assert set((await counts(database, over.run_id)).values()) == {0}
    assert (await counts(database, open_run.run_id), await store.read(open_run.run_id)) == (before, log)
    known = await pruned(store, over.run_id)
    assert known is not None
    assert (known.status, known.events, known.exported_to) == ("completed", 6, None)
    assert known.head_hash == last.hash is not None
    assert await pruned(store, open_run.run_id) is None
    assert await compare(database_url) == []
    await open_run.work()
    await open_run.deliver()


async def test_only_what_ended_before_the_time_goes(start_run: StartRun, store: EventStore):
    first, second = await start_run(), await start_run()
    await first.to_the_end()
    ended = (await store.read(first.run_id))[-1].recorded_at
    await second.to_the_end()
    between = ended + timedelta(microseconds=1)
    assert (await prunable(store, between)).runs == 1
    assert [each.runs async for each in prune(store, between)] == [1]
    assert await store.read(first.run_id) == []
    assert len(await store.read(second.run_id)) == 6


async def test_a_run_that_somebody_changes_at_that_moment_is_left(
    start_run: StartRun, store: EventStore, database: AsyncConnection[Any]
):
    held, free = await start_run(), await start_run()
    for run in (held, free):
        await run.to_the_end()
    async with database.transaction():
        await database.execute("select from flex_runs where run_id = %s for update", (held.run_id,))
        assert await removed(store) == PrunedBundle(1, 6, 1)
    assert await removed(store) == PrunedBundle(1, 6, 0)


async def test_bundles_are_small_and_a_limit_holds(
    start_run: StartRun, store: EventStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("eventstore.retention.EVENTS_AT_ONCE", 13)
    for _ in range(5):
        await (await start_run()).to_the_end()
    before = ended_before(store, 0)
    assert [each.runs async for each in prune(store, before, limit=3)] == [2, 1]
    assert [each.runs async for each in prune(store, before)] == [2]


async def test_a_run_stays_until_every_webhook_was_told_of_it(
    start_run: StartRun, store: EventStore, database: AsyncConnection[Any]
):
    hook = str(uuid4())
    await add_webhook(
        store,
        NewWebhook(
            hook_id=hook,
            url="https://example.com/hook",
            event_types=["complete"],
            description=None,
            secret=b"x" * 32,
            created_by=None,
        ),
    )
    run = await start_run()
    await run.to_the_end()
    assert await removed(store) == PrunedBundle(0, 0, 0)
    await database.execute("update flex_webhooks set disabled_at = now() where id = %s", (hook,))
    assert await removed(store) == PrunedBundle(1, 6, 0)


async def test_what_cannot_be_exported_stays(start_run: StartRun, store: EventStore):
    run = await start_run()
    await run.to_the_end()

    async def no_room(_run_id: str) -> str:
        raise OSError(28, "No space left on device")

    async def file(run_id: str) -> str:
        return f"/exports/{run_id}"

    with pytest.raises(OSError, match="No space"):
        await removed(store, export=no_room)
    assert len(await store.read(run.run_id)) == 6
    assert (await removed(store, export=file)).runs == 1
    known = await pruned(store, run.run_id)
    assert known is not None
    assert known.exported_to == f"/exports/{run.run_id}"


async def test_a_run_is_a_whole_file_before_it_goes(
    start_run: StartRun, database: AsyncConnection[Any], database_url: str, tmp_path: Path
):
    run = await start_run()
    await run.to_the_end()
    await an_hour_ago(database)
    command = ("db", "prune", "--older-than", "1m", "--yes", "--database", database_url, "--export")
    blocked = tmp_path / "a file"
    blocked.write_text("in the way")
    refused = await cli.run(*command, str(blocked))
    assert refused.status == 3
    assert "0 runs are removed, the others are as they were." in refused.err
    assert (await counts(database, run.run_id))["flex_events"] == 6
    done = await cli.run(*command, str(tmp_path / "kept"))
    assert (done.status, done.out) == (0, "1 runs with 6 events are removed.\n")
    (file,) = (tmp_path / "kept").rglob("*.*")
    assert file.name == f"{run.run_id}.jsonl.gz"
    status, said = await offline("verify_run.py", str(file))
    assert status == 0, said


async def test_a_file_that_lacks_events_keeps_its_run(
    start_run: StartRun, store: EventStore, database: AsyncConnection[Any], tmp_path: Path
):
    run = await start_run()
    await run.to_the_end()
    await database.execute("set session_replication_role = replica")
    await database.execute("delete from flex_events where seq > 3 and seq < 6")
    with pytest.raises(ExportIncomplete, match="of 6 events"):
        await removed(store, export=export_into(store, tmp_path, "test"))
    assert list(tmp_path.rglob("*.*")) == []
    assert (await counts(database, run.run_id))["flex_events"] == 4


@pytest.mark.parametrize(
    "statement",
    [
        "delete from flex_events where run_id = %(run)s",
        "delete from flex_events where run_id = %(run)s and seq = 6",
        """with said as (insert into flex_pruned_runs (run_id, status, events, created_at, completed_at)
             values (%(run)s, 'completed', 6, now(), now()))
           delete from flex_events where run_id = %(run)s and seq = 6""",
    ],
)
async def test_a_part_of_a_run_cannot_be_deleted_nor_a_run_that_nothing_remembers(
    start_run: StartRun, database: AsyncConnection[Any], statement: str
):
    run = await start_run()
    await run.to_the_end()
    with pytest.raises(psycopg.Error, match="the log only grows") as refused:
        await database.execute(statement.encode(), {"run": run.run_id})
    assert refused.value.sqlstate == "FR004"
    assert (await counts(database, run.run_id))["flex_events"] == 6


async def test_the_keeper_removes_what_is_older_than_the_setting(start_run: StartRun, house: House):
    run = ByHand(house.handler, (await start_run()).run_id)
    await run.to_the_end()
    config = KeeperConfig(round_seconds=0.05, tidy_seconds=0.05, retention_seconds=0.01)
    keeper = Keeper(house.store, house.handler, house.broker, config)
    await keeper.start()
    try:

        async def gone() -> bool:
            return await pruned(house.store, run.run_id) is not None

        await eventually(gone)
    finally:
        await keeper.close()


@pytest.fixture
async def house(database_url: str):
    async with House(Site(database_url, "postgres", "flexrun")) as opened:
        yield opened


async def an_hour_ago(database: AsyncConnection[Any]) -> None:
    await database.execute("update flex_runs set completed_at = completed_at - interval '1 h'")


async def test_the_command_counts_asks_and_removes(
    start_run: StartRun, database: AsyncConnection[Any], database_url: str
):
    for _ in range(2):
        await (await start_run()).to_the_end()
    await an_hour_ago(database)
    where = ("--database", database_url)
    counted = await cli.run("db", "prune", "--older-than", "30m", "--dry-run", "--json", *where)
    document = orjson.loads(counted.out)
    assert (counted.status, document["dryRun"], document["found"]["runs"]) == (0, True, 2)
    assert datetime.fromisoformat(document["endedBefore"]) > datetime.fromisoformat(
        document["found"]["oldest"]
    )
    declined = await cli.run("db", "prune", "--older-than", "30m", *where, given=b"n\n")
    assert "2 runs with 12 events ended before" in declined.out
    done = await cli.run("db", "prune", "--older-than", "30m", "--yes", "--limit", "1", "--json", *where)
    assert orjson.loads(done.out)["removed"] == {"runs": 1, "events": 6, "left": 0}
    rest = await cli.run("db", "prune", "--older-than", "30m", "--yes", *where)
    assert rest.out.splitlines() == ["1 runs with 6 events are removed."]
    again = await cli.run("db", "prune", "--older-than", "2h", "--yes", *where)
    assert again.out.startswith("0 runs with 0 events ended before")


@pytest.mark.parametrize("text", ["", "90", "d", "-1d", "1y", "0s", "30s", "9" * 20 + "d"])
async def test_a_duration_that_is_none_is_refused_before_anything_is_asked(text: str):
    refused = await cli.run("db", "prune", "--older-than", text, "--database", "postgresql://127.0.0.1:1/x")
    assert (refused.status, refused.out) == (2, "")
    assert "older-than" in refused.err or "duration" in refused.err


async def test_ctrl_c_stops_after_a_bundle_and_says_how_far(
    start_run: StartRun, handler: RunHandler, database: AsyncConnection[Any], database_url: str
):
    for _ in range(4):
        await (await start_run()).to_the_end()
    await an_hour_ago(database)
    arguments = ("db", "prune", "--older-than", "1m", "--yes", "--database", database_url)
    async with database.transaction():
        await database.execute("lock table flex_pruned_runs in access exclusive mode")
        async with cli.running(*arguments) as command:

            async def waits_for_the_lock() -> bool:
                cursor = await database.execute(
                    "select count(*) from pg_locks where relation = 'flex_pruned_runs'::regclass and not granted"
                )
                row = await cursor.fetchone()
                return row is not None and row[0] > 0

            await eventually(waits_for_the_lock)
            command.process.send_signal(signal.SIGINT)
            done = await command.done()
    assert done.status == 130
    assert "Call again to go on" in done.err


async def test_sizes_name_tables_indexes_and_kinds_of_events(start_run: StartRun, database_url: str):
    await (await start_run(inputs={"text": "x" * 100_000})).to_the_end()
    said = await cli.run("db", "sizes", "--json", "--database", database_url)
    document = orjson.loads(said.out)
    tables = {each["name"]: each for each in document["tables"]}
    assert tables["flex_events"]["total_bytes"] > 0
    assert "flex_events_pkey" in {each["name"] for each in document["indexes"]}
    events = {each["type"]: each for each in document["events"]}
    assert {name: each["events"] for name, each in events.items()} == {
        "start": 1, "plan_requested": 1, "plan_generated": 1, "node_start": 1, "node_complete": 1, "complete": 1,
    }  # fmt: skip
    assert document["sampledPercent"] == 100
    shown = await cli.run("db", "sizes", "--database", database_url)
    assert "flex_events" in shown.out
    assert ANN.name not in shown.out
