"""Appending: each its own version and its own answer, however many share a transaction."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from psycopg import AsyncConnection

from eventstore.batch import Commit
from eventstore.errors import LogRefused, StoreUnavailable, ValueRefused, VersionConflict
from eventstore.store import EventStore
from runs.event import Event
from tests.eventstore.appends import first_event, next_log
from tests.eventstore.conftest import OpenStore, StartRun, appends_waiting_for_a_lock
from tests.support.given import NOON
from tests.support.started_runs import new_run_id
from tests.support.waiting import eventually


async def events_stored(database: AsyncConnection[Any]) -> int:
    cursor = await database.execute("select count(*) from flex_events")
    row = await cursor.fetchone()
    assert row is not None
    return row[0]


async def test_what_was_appended_is_what_is_read(store: EventStore):
    before, after, events = first_event(new_run_id())
    await store.append(before, after, events)
    before, after, more = next_log(after, 'quotes " and \\u0000 and \u2028 and \U0001f600')
    await store.append(before, after, more)
    assert await store.read(after.run_id) == events + more
    assert await store.load(after.run_id, fresh=True) == after


async def test_reading_takes_a_range(start_run: StartRun, store: EventStore):
    run = await start_run()
    await run.to_the_end()
    whole = await store.read(run.run_id)
    assert [event.seq for event in whole] == list(range(1, len(whole) + 1))
    assert await store.read(run.run_id, after=2, until=4) == whole[2:4]
    assert await store.read(run.run_id, after=2, limit=1) == whole[2:3]
    assert await store.read(run.run_id, after=10**12) == []
    assert await store.read("no such run") == []
    assert (await store.load("no such run")).seq == 0
    assert await store.heads([run.run_id, new_run_id()]) == {run.run_id: len(whole)}


async def test_many_runs_are_read_in_one_query(start_run: StartRun, store: EventStore):
    first, second, third = await start_run(), await start_run(), await start_run()
    for _ in range(3):
        await second.log("more")
    found = await store.read_many({first.run_id: 0, second.run_id: 1, third.run_id: 1}, limit_each=2)
    assert {run_id: [event.seq for event in events] for run_id, events in found.items()} == {
        first.run_id: [1],
        second.run_id: [2, 3],
    }


async def test_a_conflict_tells_both_versions(start_run: StartRun, store: EventStore):
    run = await start_run()
    state = await store.load(run.run_id)
    await store.append(*next_log(state))
    with pytest.raises(VersionConflict) as conflict:
        await store.append(*next_log(state, "too late"))
    assert (conflict.value.run_id, conflict.value.expected, conflict.value.actual) == (run.run_id, 1, 2)


async def test_a_run_is_started_once(store: EventStore):
    run_id = new_run_id()
    answers = await asyncio.gather(
        *(store.append(*first_event(run_id)) for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(answer, Commit) for answer in answers) == 1
    assert {answer.actual for answer in answers if isinstance(answer, VersionConflict)} == {1}
    assert [event.seq for event in await store.read(run_id)] == [1]


async def test_appending_to_a_run_that_does_not_exist_is_a_conflict(store: EventStore):
    _, started, _ = first_event(new_run_id())
    with pytest.raises(VersionConflict) as conflict:
        await store.append(*next_log(started))
    assert conflict.value.actual == 0


async def test_of_fifty_writers_at_one_version_one_wins(start_run: StartRun, store: EventStore):
    run = await start_run()
    state = await store.load(run.run_id)
    answers = await asyncio.gather(
        *(store.append(*next_log(state, f"writer {n}")) for n in range(50)), return_exceptions=True
    )
    winners = [answer for answer in answers if isinstance(answer, Commit)]
    assert len(winners) == 1
    assert all(isinstance(answer, Commit | VersionConflict) for answer in answers)
    assert (await store.read(run.run_id))[1:] == winners[0].events


async def test_appends_that_wait_together_share_a_transaction(
    open_store: OpenStore, database: AsyncConnection[Any]
):
    store = await open_store(writers=1)
    await asyncio.gather(*(store.append(*first_event(new_run_id())) for _ in range(40)))
    cursor = await database.execute("select count(distinct xid), count(*) from flex_events")
    transactions, events = await cursor.fetchone() or (0, 0)
    assert events == 40
    assert transactions <= 2


async def test_a_conflict_does_not_fail_its_neighbours(open_store: OpenStore):
    store = await open_store(writers=1)
    taken = new_run_id()
    await store.append(*first_event(taken))
    run_ids = [new_run_id() for _ in range(10)]
    answers = await asyncio.gather(
        *(store.append(*first_event(run_id)) for run_id in [*run_ids[:5], taken, *run_ids[5:]]),
        return_exceptions=True,
    )
    assert isinstance(answers.pop(5), VersionConflict)
    assert all(isinstance(answer, Commit) for answer in answers)
    assert await store.heads(run_ids) == dict.fromkeys(run_ids, 1)


async def test_a_value_that_the_database_refuses_does_not_fail_its_neighbours(open_store: OpenStore):
    store = await open_store(writers=1)
    run_ids = [new_run_id() for _ in range(10)]
    before, after, _ = first_event(new_run_id())
    no_start = [Event(after.run_id, 1, "log", {}, NOON)]
    appends = [store.append(*first_event(run_id)) for run_id in run_ids]
    appends.insert(3, store.append(*first_event("not a run id")))
    appends.insert(7, store.append(before, after, no_start))
    answers = await asyncio.gather(*appends, return_exceptions=True)
    assert isinstance(answers.pop(7), LogRefused)
    assert isinstance(answers.pop(3), ValueRefused)
    assert all(isinstance(answer, Commit) for answer in answers)
    assert await store.heads(run_ids) == dict.fromkeys(run_ids, 1)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("a\x00b", "NUL"),
        ({"\x00": 1}, "NUL"),
        ("\\\x00", "NUL"),
        ("\ud800", "surrogates"),
        (2**64, "64"),
        (-(2**63) - 1, "64"),
        ({1: "a key that is no text"}, "str"),
        (object(), "object"),
    ],
)
async def test_what_json_in_postgres_cannot_hold_is_refused_with_a_reason(
    start_run: StartRun, store: EventStore, value: object, reason: str
):
    run = await start_run()
    state = await store.load(run.run_id)
    with pytest.raises(ValueRefused, match=reason):
        await store.append(*next_log(state, value))
    assert await store.heads([run.run_id]) == {run.run_id: 1}
    await store.append(*next_log(state, "and the writer goes on"))


async def test_an_append_whose_caller_has_gone_before_anyone_took_it_is_withdrawn(
    open_store: OpenStore, database: AsyncConnection[Any]
):
    store = await open_store(writers=1)
    appends = [asyncio.ensure_future(store.append(*first_event(new_run_id()))) for _ in range(3)]
    await asyncio.sleep(0)
    appends[1].cancel()
    answers = await asyncio.gather(*appends, return_exceptions=True)
    assert [type(answer) for answer in answers] == [Commit, asyncio.CancelledError, Commit]
    assert await events_stored(database) == 2


async def test_an_append_whose_caller_is_cancelled_while_it_is_in_flight_is_stored_and_announced(
    open_store: OpenStore, database: AsyncConnection[Any]
):
    store = await open_store(writers=1)
    commits: list[Commit] = []
    store.on_commit(commits.append)
    before, after, events = first_event(new_run_id())
    async with database.transaction():
        await database.execute("lock table flex_runs in exclusive mode")
        leaving = asyncio.ensure_future(store.append(before, after, events))
        await eventually(lambda: appends_waiting_for_a_lock(database))
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
    await store.append(*first_event(new_run_id()))
    assert commits[0].after.run_id == after.run_id
    assert await store.load(after.run_id) == after
    assert await events_stored(database) == 2


async def test_each_commit_is_announced_once_and_a_failing_callback_stops_no_other(
    store: EventStore, start_run: StartRun
):
    told: list[list[int]] = []

    def breaks(commit: Commit) -> None:
        raise RuntimeError("no")

    store.on_commit(breaks)
    store.on_commit(lambda commit: told.append([event.seq for event in commit.events]))
    run = await start_run()
    await run.planned()
    await run.start()
    assert told == [[1], [2], [3], [4]]


async def test_a_closed_store_stores_what_it_was_given_and_refuses_the_rest(
    open_store: OpenStore, database: AsyncConnection[Any]
):
    store = await open_store()
    appends = [asyncio.ensure_future(store.append(*first_event(new_run_id()))) for _ in range(30)]
    await asyncio.sleep(0)
    await store.close()
    assert all(isinstance(answer, Commit) for answer in await asyncio.gather(*appends))
    with pytest.raises(StoreUnavailable):
        await store.append(*first_event(new_run_id()))
    assert await events_stored(database) == 30
