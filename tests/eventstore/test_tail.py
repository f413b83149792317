"""Following runs: every reader gets every event once, in order, whatever is lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from eventstore import tail as tail_module
from eventstore.handler import RunHandler
from eventstore.notify import LogListener, Notifier
from eventstore.store import EventStore
from eventstore.tail import RunTail, Subscription, TailClosed
from eventstore.topic import BUFFER_EVENTS
from runs import commands as c
from runs.event import Event
from tests.eventstore.appends import first_event, next_log
from tests.eventstore.conftest import OpenStore, StartRun
from tests.support.by_hand import ByHand
from tests.support.started_runs import new_run_id, started_run
from tests.support.waiting import eventually

Tail = RunTail[Event]
OpenTail = Callable[..., Any]


@pytest.fixture
async def open_tail(store: EventStore) -> AsyncIterator[OpenTail]:
    """Open tails on `store`; without a listener they know of other processes only by polling."""
    async with AsyncExitStack() as stack:

        async def open_one(listener: LogListener | None = None, poll_seconds: float = 3600) -> Tail:
            tail: Tail = RunTail(store, listener, lambda event: event, poll_seconds)
            await tail.start()
            stack.push_async_callback(tail.close)
            return tail

        yield open_one


async def take(subscription: Subscription[Event], count: int, timeout_seconds: float = 5) -> list[Event]:
    """The next `count` events; fails when they do not come."""
    events: list[Event] = []
    while len(events) < count:
        batch = await subscription.next_batch(timeout_seconds)
        assert batch, f"only {len(events)} of {count} came"
        assert [seq for seq, _ in batch] == [event.seq for _, event in batch]
        events += [event for _, event in batch]
    return events


async def test_a_commit_of_this_process_comes_without_any_query(
    open_tail: OpenTail, store: EventStore, handler: RunHandler, monkeypatch: pytest.MonkeyPatch
):
    tail: Tail = await open_tail()
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
    tail: Tail = await open_tail()
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


async def test_a_wake_up_brings_what_another_process_has_committed(
    open_tail: OpenTail, open_store: OpenStore, start_run: StartRun, database_url: str, store: EventStore
):
    other = await open_store()
    listener = LogListener(database_url, ignore_origin=store.origin)
    notifier = Notifier(other)
    await listener.start()
    await notifier.start()
    tail: Tail = await open_tail(listener)
    await listener.listening()
    runs = [await start_run() for _ in range(20)]
    subscriptions = [tail.subscribe(run.run_id, 1) for run in runs]
    for run in runs:
        await ByHand(RunHandler(other), run.run_id).to_the_end()
    for subscription in subscriptions:
        assert [event.seq for event in await take(subscription, 5)] == [2, 3, 4, 5, 6]
    await notifier.close()
    await listener.close()


async def test_what_no_wake_up_told_of_is_found_by_the_poll(
    open_tail: OpenTail, open_store: OpenStore, start_run: StartRun
):
    tail: Tail = await open_tail(None, poll_seconds=0.05)
    run = await start_run()
    elsewhere = ByHand(RunHandler(await open_store()), run.run_id)
    with tail.subscribe(run.run_id, 1) as subscription:
        assert await subscription.next_batch(0.01) == []
        await elsewhere.to_the_end()
        assert [event.seq for event in await take(subscription, 5)] == [2, 3, 4, 5, 6]


async def test_local_and_remote_commits_in_turn_leave_no_gap(
    open_tail: OpenTail, open_store: OpenStore, start_run: StartRun
):
    tail: Tail = await open_tail(None, poll_seconds=0.05)
    run = await start_run()
    elsewhere = ByHand(RunHandler(await open_store()), run.run_id)
    with tail.subscribe(run.run_id, 0) as subscription:
        for _ in range(10):
            await elsewhere.log("there")
            await run.log("here")
        assert [event.seq for event in await take(subscription, 21)] == list(range(1, 22))


async def test_a_reader_who_lags_behind_the_window_reads_on_from_the_log(
    open_tail: OpenTail, start_run: StartRun
):
    tail: Tail = await open_tail()
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
    tail: Tail = await open_tail()
    with tail.subscribe(run.run_id, 0) as subscription:
        assert [event.seq for event in await take(subscription, 41)] == list(range(1, 42))


async def test_many_new_readers_cost_one_query(
    open_tail: OpenTail, start_run: StartRun, store: EventStore, monkeypatch: pytest.MonkeyPatch
):
    runs = [await start_run() for _ in range(30)]
    tail: Tail = await open_tail()
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


async def test_nobody_is_remembered_after_leaving(open_tail: OpenTail, start_run: StartRun):
    tail: Tail = await open_tail()
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
    tail: Tail = await open_tail()
    run = await start_run()
    with tail.subscribe(run.run_id, 1) as subscription:
        for _ in range(20):
            assert await subscription.next_batch(0.001) == []
        assert tail.readers_waiting == 0


async def test_closing_the_tail_ends_every_subscription_at_once(open_tail: OpenTail, start_run: StartRun):
    tail: Tail = await open_tail()
    run = await start_run()
    waiting = [asyncio.ensure_future(tail.subscribe(run.run_id, 1).next_batch(60)) for _ in range(20)]
    await eventually(lambda: tail.readers_waiting == 20)
    await tail.close()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(answer, TailClosed) for answer in answers)


async def test_a_run_may_be_read_before_it_begins(open_tail: OpenTail, store: EventStore):
    tail: Tail = await open_tail(None, poll_seconds=0.05)
    run_id = new_run_id()
    with tail.subscribe(run_id, 0) as subscription:
        assert await subscription.next_batch(0.01) == []
        commit = await store.append(*first_event(run_id))
        await store.append(*next_log(commit.after))
        assert [event.seq for event in await take(subscription, 2)] == [1, 2]


async def test_a_wake_up_between_start_and_first_reader_is_not_forgotten(
    open_tail: OpenTail, open_store: OpenStore, start_run: StartRun, database_url: str, store: EventStore
):
    """The run began here, so its head is known here; then another process went on before anybody read."""
    other = await open_store()
    listener = LogListener(database_url, ignore_origin=store.origin)
    heard: list[str] = []
    tail: Tail = await open_tail(listener)
    listener.on_runs(lambda run_ids: heard.extend(run_ids or ()))
    notifier = Notifier(other)
    await listener.start()
    await notifier.start()
    await listener.listening()
    run = await start_run()
    await ByHand(RunHandler(other), run.run_id).log("quick")
    await eventually(lambda: run.run_id in heard)
    with tail.subscribe(run.run_id, 1) as subscription:
        assert [event.seq for event in await take(subscription, 1)] == [2]
    await notifier.close()
    await listener.close()
