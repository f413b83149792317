"""Following runs: every reader gets every event once, in order, and costs only its own lag."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from eventstore import tail as tail_module
from eventstore.handler import RunHandler
from eventstore.store import EventStore
from eventstore.tail import RunTail, TailClosed
from eventstore.topic import BUFFER_EVENTS
from runs import commands as c
from runs.event import Event
from tests.eventstore.appends import first_event, next_log
from tests.eventstore.conftest import OpenTail, StartRun
from tests.eventstore.following import Tail, take
from tests.support.started_runs import new_run_id, started_run
from tests.support.waiting import eventually


async def test_a_commit_of_this_process_comes_without_any_query(
    open_tail: OpenTail, store: EventStore, handler: RunHandler, monkeypatch: pytest.MonkeyPatch
):
    tail = await open_tail()
    run = await started_run(handler)
    asked: list[str] = []
    fetch = store.fetch

    async def watched(name: str, parameters: Any) -> Any:
        asked.append(name)
        return await fetch(name, parameters)

    monkeypatch.setattr(store, "fetch", watched)
    with tail.subscribe(run.run_id, 1) as subscription:
        await run.to_the_end()
        events = await take(subscription, 5)
    assert [event.seq for event in events] == [2, 3, 4, 5, 6]
    assert asked == []


@pytest.mark.parametrize("after", range(7))
async def test_a_reader_starts_anywhere(
    open_tail: OpenTail, start_run: StartRun, store: EventStore, after: int
):
    run = await start_run()
    await run.to_the_end()
    tail = await open_tail()
    with tail.subscribe(run.run_id, after) as subscription:
        assert await take(subscription, 6 - after) == (await store.read(run.run_id))[after:]
        assert await subscription.next_batch(0.01) == []


async def test_readers_at_different_places_share_what_is_encoded_once(start_run: StartRun, store: EventStore):
    run = await start_run()
    for _ in range(5):
        await run.log("before")
    encoded: list[int] = []

    def encode(event: Event) -> Event:
        encoded.append(event.seq)
        return event

    tail: Tail = RunTail(store, None, encode, 3600)
    await tail.start()
    subscriptions = [tail.subscribe(run.run_id, 6) for _ in range(50)]
    await run.log("now")
    for subscription in subscriptions:
        assert [event.seq for event in await take(subscription, 1)] == [7]
    assert encoded == [7]
    with tail.subscribe(run.run_id, 0) as late:
        assert [event.seq for event in await take(late, 7)] == list(range(1, 8))
    await tail.close()


async def test_a_reader_who_lags_behind_the_window_reads_on_from_the_log(
    open_tail: OpenTail, start_run: StartRun
):
    tail = await open_tail()
    run = await start_run()
    with tail.subscribe(run.run_id, 1) as slow, tail.subscribe(run.run_id, 1) as quick:
        lines = BUFFER_EVENTS + 68
        for first in range(0, lines, 10):
            now = (await run.do(c.RecordLog, message="first of ten")).state.updated_at
            assert now is not None
            more = [c.RecordLog(now=now, message=f"{first + n}") for n in range(9)]
            await run.handler.execute(run.run_id, *more)
            await take(quick, 10)
        events = await take(slow, lines)
    assert [event.seq for event in events] == list(range(2, lines + 2))


async def test_a_long_log_is_caught_up_with_page_by_page(
    open_tail: OpenTail, start_run: StartRun, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tail_module, "FETCH_EVENTS_EACH", 7)
    run = await start_run()
    for _ in range(40):
        await run.log("line")
    tail = await open_tail()
    with tail.subscribe(run.run_id, 0) as subscription:
        assert [event.seq for event in await take(subscription, 41)] == list(range(1, 42))


async def test_many_new_readers_cost_one_query(
    open_tail: OpenTail, start_run: StartRun, store: EventStore, monkeypatch: pytest.MonkeyPatch
):
    runs = [await start_run() for _ in range(30)]
    tail = await open_tail()
    asked: list[int] = []
    read_many = store.read_many

    async def watched(cursors: Any, **more: Any) -> Any:
        asked.append(len(cursors))
        return await read_many(cursors, **more)

    monkeypatch.setattr(store, "read_many", watched)
    subscriptions = [tail.subscribe(run.run_id, 0) for run in runs]
    for subscription in subscriptions:
        await take(subscription, 1)
    assert asked == [30]


async def test_no_reader_is_remembered_after_leaving(open_tail: OpenTail, start_run: StartRun):
    tail = await open_tail()
    run = await start_run()
    subscriptions = [tail.subscribe(run.run_id, 0) for _ in range(3)]
    for subscription in subscriptions:
        subscription.close()
        subscription.close()
    await run.log("to nobody")
    assert tail.runs_followed == 0


async def test_waiting_readers_leave_nothing_behind_when_their_time_is_up(
    open_tail: OpenTail, start_run: StartRun
):
    tail = await open_tail()
    run = await start_run()
    with tail.subscribe(run.run_id, 1) as subscription:
        for _ in range(20):
            assert await subscription.next_batch(0.001) == []
        assert tail.readers_waiting == 0


async def test_closing_the_tail_ends_every_subscription_at_once(open_tail: OpenTail, start_run: StartRun):
    tail = await open_tail()
    run = await start_run()
    waiting = [asyncio.ensure_future(tail.subscribe(run.run_id, 1).next_batch(60)) for _ in range(20)]
    await eventually(lambda: tail.readers_waiting == 20)
    await tail.close()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(answer, TailClosed) for answer in answers)


async def test_a_run_may_be_read_before_it_begins(open_tail: OpenTail, store: EventStore):
    tail = await open_tail(None, poll_seconds=0.05)
    run_id = new_run_id()
    with tail.subscribe(run_id, 0) as subscription:
        assert await subscription.next_batch(0.01) == []
        commit = await store.append(*first_event(run_id))
        await store.append(*next_log(commit.after))
        assert [event.seq for event in await take(subscription, 2)] == [1, 2]


async def test_what_cannot_be_a_run_id_is_refused_before_it_harms_the_others(open_tail: OpenTail):
    tail = await open_tail()
    for text in ("no run id", "", new_run_id().upper()):
        with pytest.raises(ValueError, match="not a run id"):
            tail.subscribe(text, 0)


async def test_an_event_that_cannot_be_encoded_stops_its_own_readers_only(
    store: EventStore, start_run: StartRun
):
    def encode(event: Event) -> Event:
        if event.message == "poison":
            raise RuntimeError("no")
        return event

    tail: Tail = RunTail(store, None, encode, poll_seconds=0.02)
    bad, good = await start_run(), await start_run()
    await bad.log("poison")
    await tail.start()
    with tail.subscribe(bad.run_id, 0), tail.subscribe(good.run_id, 0) as subscription:
        assert [event.seq for event in await take(subscription, 1)] == [1]
    await tail.close()
