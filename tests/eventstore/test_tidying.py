"""What attempts and workers have left beside the log is deleted once they are gone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from broker.keeper import Keeper, KeeperConfig
from eventstore.capabilities import capability_rows, heard_of, register
from eventstore.limits import admit
from eventstore.tidying import tidy
from runs.commands import StartNode
from runs.event import JsonObject
from schemas.capability import Limits
from tests.support.given import node
from tests.support.waiting import eventually
from tests.support.wiring import StoreWiring, now

LIMITS = Limits(max_concurrent=5, per_minute=5)
KEPT = {
    "flex_capability_starts": "started_at",
    "flex_partial_outputs": "updated_at",
    "flex_capability_workers": "last_seen_at",
}


@pytest.fixture
async def wiring(database_url: str) -> AsyncIterator[StoreWiring]:
    async with StoreWiring(database_url) as opened:
        yield opened


async def count(wiring: StoreWiring, table: str) -> int:
    async with await psycopg.AsyncConnection.connect(wiring.database_url) as connection:
        row = await (
            await connection.execute(SQL("select count(*) from {}").format(Identifier(table)))
        ).fetchone()
    return row[0] if row else -1


async def go_by(wiring: StoreWiring, time: timedelta) -> None:
    """Time goes by for what is kept."""
    async with await psycopg.AsyncConnection.connect(wiring.database_url) as connection:
        for table, column in KEPT.items():
            update = SQL("update {table} set {column} = {column} - %s")
            await connection.execute(
                update.format(table=Identifier(table), column=Identifier(column)), [time]
            )


async def running_attempt(wiring: StoreWiring) -> str:
    """A run whose node runs within a limit, and has made something already."""
    run_id = await wiring.submit(node("a"))
    await admit(wiring.store, "test.a", (run_id, "a", 1), LIMITS, "worker-1")
    await wiring.execute(run_id, StartNode(now=now(), node_id="a", attempt=1))
    row: JsonObject = {"run_id": run_id, "node_id": "a", "attempt": 1, "text": "so far", "patches": []}
    async with await psycopg.AsyncConnection.connect(wiring.database_url) as connection:
        await connection.execute(
            "insert into flex_partial_outputs values (%(run_id)s, 'a', 1, 'so far', '[]')", row
        )
    return run_id


async def test_rows_of_an_attempt_stay_while_it_runs_and_go_when_its_run_is_gone(wiring: StoreWiring) -> None:
    run_id = await running_attempt(wiring)
    await go_by(wiring, timedelta(hours=1))
    assert await tidy(wiring.store) == 0
    await end_work(wiring, run_id)
    assert await tidy(wiring.store) == 1
    assert await count(wiring, "flex_capability_starts") == 0
    assert await count(wiring, "flex_partial_outputs") == 0


async def test_a_start_counts_for_its_minute_though_its_attempt_has_ended(wiring: StoreWiring) -> None:
    await end_work(wiring, await running_attempt(wiring))
    assert await tidy(wiring.store, quiet_seconds=0) == 1, "the partial output"
    assert await count(wiring, "flex_capability_starts") == 1


async def test_a_worker_that_is_long_gone_is_forgotten_and_the_last_of_a_version_is_not(
    wiring: StoreWiring,
) -> None:
    await register(wiring.store, [{"id": "test.a", "home": {"type": "worker"}}], "api", "api")
    for worker in ("w1", "w2", "w3"):
        await heard_of(wiring.store, worker, [("test.a", "1.0.0")], 1)
    assert await tidy(wiring.store) == 0
    await go_by(wiring, timedelta(days=2))
    assert await tidy(wiring.store, limit=1) == 1
    assert await tidy(wiring.store) == 1
    [row] = await capability_rows(wiring.store, "test.a")
    assert row.status == "silent"
    assert row.heard_at is not None
    assert row.heard_at < now() - timedelta(days=1)


async def test_the_keeper_does_it(wiring: StoreWiring) -> None:
    await end_work(wiring, await running_attempt(wiring))
    await go_by(wiring, timedelta(hours=1))
    keeper = Keeper(wiring.store, wiring.handler, wiring.engine.broker, KeeperConfig(round_seconds=0.05))
    await keeper.start()

    async def gone() -> bool:
        return [await count(wiring, table) for table in KEPT] == [0, 0, 0]

    await eventually(gone)
    await keeper.close()


async def end_work(wiring: StoreWiring, run_id: str) -> None:
    """The attempt has ended: it has no work any more."""
    async with await psycopg.AsyncConnection.connect(wiring.database_url) as connection:
        await connection.execute("delete from flex_work where run_id = %s", [run_id])
