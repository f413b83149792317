"""Reading the whole log: late committers are never skipped, and everybody sees one order."""

from __future__ import annotations

import asyncio

import psycopg

from eventstore.store import EventStore
from eventstore.whole_log import LOG_BEGIN, LogCursor, LoggedEvent, lag, read_log
from tests.eventstore.appends import first_event, next_log
from tests.eventstore.conftest import OpenStore
from tests.support.started_runs import new_run_id
from tests.support.waiting import eventually

INSERT = (
    "insert into flex_events (run_id, seq, type, payload, recorded_at) values (%s, 1, 'start', '{}', now())"
)


async def read_on(
    store: EventStore, cursor: LogCursor, limit: int = 500
) -> tuple[list[LoggedEvent], LogCursor]:
    """Everything that can be read now."""
    found: list[LoggedEvent] = []
    while True:
        page, cursor = await read_log(store, cursor, limit)
        if not page:
            return found, cursor
        found += page


async def test_a_transaction_that_commits_late_is_not_skipped(store: EventStore, database_url: str):
    late, early = new_run_id(), new_run_id()
    async with await psycopg.AsyncConnection.connect(database_url) as slow:
        await slow.execute(INSERT, (late,))  # it has its transaction and position, and does not commit
        await store.append(*first_event(early))
        found, _ = await read_on(store, LOG_BEGIN)
        assert found == [], "what is readable now would put the late one out of order"
        waiting = await lag(store)
        assert waiting.events == 1
        assert waiting.seconds > 0
        await slow.commit()
    assert [each.event.run_id for each in await readable(store, 2)] == [late, early]
    assert (await lag(store)).events == 0


async def readable(store: EventStore, count: int) -> list[LoggedEvent]:
    """All events, as soon as there are `count` to be read."""

    async def enough() -> bool:
        return len((await read_on(store, LOG_BEGIN))[0]) >= count

    await eventually(enough)
    return (await read_on(store, LOG_BEGIN))[0]


async def test_a_follower_sees_what_many_writers_append_once_and_in_run_order(open_store: OpenStore):
    stores = [await open_store() for _ in range(3)]
    done = asyncio.Event()
    followed: list[LoggedEvent] = []

    async def follow() -> None:
        cursor = LOG_BEGIN
        while not done.is_set() or await lag_or_rest(cursor):
            page, cursor = await read_log(stores[0], cursor, 7)
            followed.extend(page)

    async def lag_or_rest(cursor: LogCursor) -> bool:
        return bool((await lag(stores[0])).events or (await read_log(stores[0], cursor, 1))[0])

    async def write(store: EventStore) -> None:
        state = (await store.append(*first_event(new_run_id()))).after
        for _ in range(15):
            state = (await store.append(*next_log(state))).after

    follower = asyncio.create_task(follow())
    await asyncio.gather(*(write(store) for store in stores for _ in range(8)))
    done.set()
    await follower
    assert len(followed) == 3 * 8 * 16
    assert [each.cursor for each in followed] == sorted(each.cursor for each in followed)
    runs: dict[str, list[int]] = {}
    for each in followed:
        runs.setdefault(each.event.run_id, []).append(each.event.seq)
    assert all(seqs == list(range(1, 17)) for seqs in runs.values())


async def test_the_order_is_by_number_and_not_by_text(store: EventStore):
    for _ in range(3):
        await store.append(*first_event(new_run_id()))
    found = await readable(store, 3)
    cursor = LogCursor(9, 10**18)  # as text, '9' comes after any number that begins with a smaller digit
    assert (await read_on(store, cursor))[0] == found
