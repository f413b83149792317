"""From the log to the queue: nothing is skipped or queued twice, with any late commit and any feeder."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from eventstore import webhook_lanes
from eventstore.errors import StoreError
from eventstore.store import EventStore
from eventstore.webhook_lanes import DeliveryAttempt
from tests.support.receivers import Receiver
from tests.support.started_runs import new_run_id
from tests.webhooks.conftest import AddHook, StartRun, deliveries, feed_all

INSERT = (
    "with run as (insert into flex_runs (run_id, status, head_seq, objective, envelope, created_at, updated_at)"
    " values (%s, 'pending', 1, '', '{}', now(), now()) returning run_id)"
    " insert into flex_events (run_id, seq, type, payload, recorded_at) select run_id, 1, 'start', '{}', now() from run"
)


async def _connect(database_url: str) -> psycopg.AsyncConnection[Any]:
    return await psycopg.AsyncConnection.connect(database_url, autocommit=True)


async def test_what_is_committed_late_is_not_skipped(
    database_url: str, store: EventStore, add_hook: AddHook, start_run: StartRun
) -> None:
    hook = await add_hook("a", "start")
    late_run = new_run_id()
    async with await _connect(database_url) as late:
        async with late.transaction():
            await late.execute(INSERT, (late_run,))
            early = await start_run()
            held = await webhook_lanes.feed(store, 1000)
            assert (held.written, held.held_back) == (0, True)
        assert await feed_all(store) == 2
    assert {row.run_id for row in await deliveries(store, hook)} == {early.run_id, late_run}


async def test_what_was_under_way_when_the_webhook_was_made_is_sent(
    database_url: str, store: EventStore, add_hook: AddHook, start_run: StartRun
) -> None:
    before = await start_run()
    late_run = new_run_id()
    async with await _connect(database_url) as late, late.transaction():
        await late.execute(INSERT, (late_run,))
        committed_meanwhile = await start_run()
        hook = await add_hook("a", "start")
    after = await start_run()
    assert await feed_all(store) == 2
    found = {row.run_id for row in await deliveries(store, hook)}
    assert found == {late_run, after.run_id}
    assert before.run_id not in found
    assert committed_meanwhile.run_id not in found


async def test_many_feeders_queue_each_event_once(
    store: EventStore, database_url: str, add_hook: AddHook, start_run: StartRun
) -> None:
    hooks = [await add_hook(name, "start", "log") for name in "abc"]
    others = [await EventStore.open(database_url) for _ in range(3)]
    living = asyncio.create_task(_many_events(start_run))
    written = 0
    while not living.done():
        rounds = await asyncio.gather(*(webhook_lanes.feed(each, 7) for each in (store, *others)))
        written += sum(fed.written for fed in rounds)
    written += await feed_all(store, 7)
    for other in others:
        await other.close()
    assert written == 3 * 10 * 6
    for hook in hooks:
        rows = await deliveries(store, hook)
        assert len({(row.run_id, row.seq) for row in rows}) == len(rows) == 10 * 6


async def _many_events(start_run: StartRun) -> None:
    async def live() -> None:
        run = await start_run()
        for number in range(5):
            await run.log(str(number))

    await asyncio.gather(*(live() for _ in range(10)))


async def test_the_cursor_and_the_deliveries_are_one_commit(
    database_url: str, store: EventStore, add_hook: AddHook, start_run: StartRun
) -> None:
    hook = await add_hook("a", "start")
    await start_run()
    before = await _cursor(database_url)
    async with await _connect(database_url) as database:
        await database.execute(
            "create function refuse() returns trigger language plpgsql as $$ begin raise 'no'; end $$;"
            "create trigger refuse before insert on flex_webhook_lanes execute function refuse()"
        )
        with pytest.raises(StoreError, match="no"):
            await feed_all(store)
        assert await _cursor(database_url) == before
        assert await deliveries(store, hook) == []
        await database.execute("drop trigger refuse on flex_webhook_lanes")
    assert await feed_all(store) == 1
    assert await _cursor(database_url) != before


async def _cursor(database_url: str) -> tuple[Any, ...] | None:
    async with await _connect(database_url) as database:
        found = await database.execute("select fed_xid::text, fed_position from flex_webhooks")
        return await found.fetchone()


async def test_a_feed_without_news_writes_nothing(
    database_url: str, store: EventStore, add_hook: AddHook, start_run: StartRun
) -> None:
    await add_hook("a", "start")
    await start_run()
    assert await feed_all(store) == 1
    before = await _writers(database_url)
    for _ in range(5):
        assert await feed_all(store) == 0
    assert await _writers(database_url) == before


async def _writers(database_url: str) -> tuple[Any, ...] | None:
    """The transactions that wrote the webhook's row and that locked it last."""
    async with await _connect(database_url) as database:
        found = await database.execute("select xmin::text, xmax::text from flex_webhooks")
        return await found.fetchone()


async def test_whoever_lost_the_lane_has_no_say_any_more(
    store: EventStore, add_hook: AddHook, start_run: StartRun, receiver: Receiver
) -> None:
    hook = await add_hook("a", "start", "log")
    run = await start_run()
    await run.log("second")
    await feed_all(store)
    [frozen] = await webhook_lanes.claim(store, "frozen", 0.0, 8, {})
    [heir] = await webhook_lanes.claim(store, "heir", 60.0, 8, {})
    assert await webhook_lanes.claim(store, "third", 60.0, 8, {}) == []
    assert (frozen.event.seq, frozen.attempt, heir.event.seq, heir.attempt) == (1, 1, 1, 2)
    delivered = DeliveryAttempt(delivered=True, response_status=204)
    assert await webhook_lanes.record_attempt(store, frozen, "frozen", delivered, 60.0) is None
    assert await webhook_lanes.record_attempt(store, heir, "frozen", delivered, 60.0) is None
    assert await webhook_lanes.claim(store, "third", 60.0, 8, {}) == []
    assert await webhook_lanes.record_attempt(store, heir, "heir", delivered, 60.0) == "delivered"
    assert await webhook_lanes.record_attempt(store, heir, "heir", delivered, 60.0) is None
    [second] = await webhook_lanes.claim(store, "third", 60.0, 8, {})
    assert (second.event.seq, second.attempt) == (2, 1)
    assert [row.status for row in await deliveries(store, hook)] == ["delivered", "pending"]


async def test_what_is_finished_is_kept_for_a_while_and_then_goes(
    store: EventStore, database_url: str, add_hook: AddHook, start_run: StartRun
) -> None:
    hook = await add_hook("a", "start")
    for _ in range(3):
        await start_run()
    await feed_all(store)
    for claimed in await webhook_lanes.claim(store, "one", 60.0, 2, {}):
        await webhook_lanes.record_attempt(store, claimed, "one", DeliveryAttempt(delivered=True), 60.0)
    await webhook_lanes.tidy(store, keep_seconds=3600)
    assert sorted(row.status for row in await deliveries(store, hook)) == [
        "delivered",
        "delivered",
        "pending",
    ]
    while await webhook_lanes.tidy(store, keep_seconds=0, bundle=1):
        pass
    assert [row.status for row in await deliveries(store, hook)] == ["pending"]
    assert len(await webhook_lanes.claim(store, "one", 60.0, 8, {})) == 1
