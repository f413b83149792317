"""Following runs that other processes work on, also where a wake-up is lost."""

from __future__ import annotations

from eventstore.handler import RunHandler
from eventstore.listener import LogListener
from eventstore.notifier import Notifier
from eventstore.store import EventStore
from tests.eventstore.conftest import OpenStore, OpenTail, StartRun
from tests.eventstore.following import take
from tests.support.by_hand import ByHand
from tests.support.waiting import eventually


async def test_a_wake_up_brings_what_another_process_has_committed(
    open_tail: OpenTail, open_store: OpenStore, start_run: StartRun, database_url: str, store: EventStore
):
    other = await open_store()
    listener = LogListener(database_url, ignore_origin=store.origin)
    notifier = Notifier(other)
    await listener.start()
    await notifier.start()
    tail = await open_tail(listener)
    await listener.listening()
    runs = [await start_run() for _ in range(20)]
    subscriptions = [tail.subscribe(run.run_id, 1) for run in runs]
    for run in runs:
        await ByHand(RunHandler(other), run.run_id).to_the_end()
    for subscription in subscriptions:
        assert [event.seq for event in await take(subscription, 5)] == [2, 3, 4, 5, 6]
    await notifier.close()
    await listener.close()


async def test_changes_without_a_wake_up_are_found_by_the_poll(
    open_tail: OpenTail, open_store: OpenStore, start_run: StartRun
):
    tail = await open_tail(None, poll_seconds=0.05)
    run = await start_run()
    elsewhere = ByHand(RunHandler(await open_store()), run.run_id)
    with tail.subscribe(run.run_id, 1) as subscription:
        assert await subscription.next_batch(0.01) == []
        await elsewhere.to_the_end()
        assert [event.seq for event in await take(subscription, 5)] == [2, 3, 4, 5, 6]


async def test_local_and_remote_commits_in_turn_leave_no_gap(
    open_tail: OpenTail, open_store: OpenStore, start_run: StartRun
):
    tail = await open_tail(None, poll_seconds=0.05)
    run = await start_run()
    elsewhere = ByHand(RunHandler(await open_store()), run.run_id)
    with tail.subscribe(run.run_id, 0) as subscription:
        for _ in range(10):
            await elsewhere.log("there")
            await run.log("here")
        assert [event.seq for event in await take(subscription, 21)] == list(range(1, 22))


async def test_a_wake_up_between_start_and_first_reader_is_not_forgotten(
    open_tail: OpenTail, open_store: OpenStore, start_run: StartRun, database_url: str, store: EventStore
):
    """The run began here, so its head is known here; then another process went on before anybody read."""
    other = await open_store()
    listener = LogListener(database_url, ignore_origin=store.origin)
    heard: list[str] = []
    tail = await open_tail(listener)
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
