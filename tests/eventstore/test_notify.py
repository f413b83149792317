"""Wake-ups: hints that are cheap to send, and that say "anything" when they cannot be sure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from psycopg import AsyncConnection

from eventstore.handler import RunHandler
from eventstore.listener import LogListener
from eventstore.notifier import Notifier
from eventstore.store import EventStore
from runs import commands as c
from tests.eventstore.appends import first_event
from tests.eventstore.conftest import OpenStore, StartRun
from tests.support.given import node
from tests.support.started_runs import new_run_id, started_run
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually

Heard = list[set[str] | None]


class Ear:
    """A listener and what it heard."""

    def __init__(self, database_url: str, ignore_origin: str | None = None) -> None:
        self.listener = LogListener(database_url, ignore_origin=ignore_origin)
        self.runs: Heard = []
        self.queues: Heard = []
        self.listener.on_runs(self.runs.append)
        self.listener.on_work(self.queues.append)

    def heard_of(self, names: set[str], heard: Heard) -> bool:
        return names <= set[str]().union(*(each for each in heard if each is not None))


@pytest.fixture
async def ear(database_url: str) -> AsyncIterator[Ear]:
    ear = Ear(database_url)
    await ear.listener.start()
    await ear.listener.listening()
    yield ear
    await ear.listener.close()


@pytest.fixture
async def notifier(store: EventStore) -> AsyncIterator[Notifier]:
    notifier = Notifier(store)
    await notifier.start()
    yield notifier
    await notifier.close()


async def test_a_commit_is_announced_with_the_queues_of_its_new_work(
    ear: Ear, notifier: Notifier, start_run: StartRun
):
    run = await start_run(constraints={"deadlineSeconds": 60})
    await eventually(lambda: ear.heard_of({run.run_id}, ear.runs))
    await eventually(lambda: ear.heard_of({"plan"}, ear.queues))
    await run.planned(node("a"), node("b", queue="slow"))
    await eventually(lambda: ear.heard_of({"node.default", "node.slow"}, ear.queues))
    assert not ear.heard_of({"timer"}, ear.queues), "a timer is the keeper's business"


async def test_work_that_is_due_later_is_not_announced_now(ear: Ear, notifier: Notifier, start_run: StartRun):
    run = await start_run()
    await run.planned()
    await run.start()
    await eventually(lambda: ear.heard_of({"node.default"}, ear.queues))
    ear.queues.clear()
    await run.do(c.FailNode, node_id="a", attempt=1, error_code="x", message="x")
    other = await started_run(run.handler)
    await eventually(lambda: ear.heard_of({other.run_id}, ear.runs))
    assert not ear.heard_of({"node.default"}, ear.queues)


async def test_a_busy_process_sends_few_notifications_and_forgets_no_run(
    ear: Ear, notifier: Notifier, store: EventStore
):
    run_ids = [new_run_id() for _ in range(150)]
    await asyncio.gather(*(store.append(*first_event(run_id)) for run_id in run_ids))
    await eventually(lambda: ear.heard_of(set(run_ids), ear.runs))
    assert len(ear.runs) <= 20


async def test_too_many_runs_for_one_notification_are_anything(
    ear: Ear, open_store: OpenStore, database_url: str
):
    """They gather while the notifier cannot connect."""
    parts = urlsplit(database_url)
    async with TcpProxy(parts.hostname or "", parts.port or 0) as proxy:
        store = await open_store(proxy.url(database_url), writers=1)
        await store.append(*first_event(new_run_id()))
        notifier = Notifier(store)
        proxy.refusing = True
        await notifier.start()
        await asyncio.gather(*(store.append(*first_event(new_run_id())) for _ in range(600)))
        proxy.refusing = False
        await eventually(lambda: ear.runs[1:] == [None])
        await notifier.close()


async def test_a_process_receives_no_notification_of_its_own_commits(
    store: EventStore, notifier: Notifier, open_store: OpenStore, start_run: StartRun, database_url: str
):
    other = await open_store()
    other_notifier = Notifier(other)
    await other_notifier.start()
    ear = Ear(database_url, ignore_origin=store.origin)
    await ear.listener.start()
    await ear.listener.listening()
    own = await start_run()
    theirs = await started_run(RunHandler(other))
    await eventually(lambda: ear.heard_of({theirs.run_id}, ear.runs))
    assert not ear.heard_of({own.run_id}, ear.runs)
    await ear.listener.close()
    await other_notifier.close()


async def test_after_a_lost_connection_anything_may_have_changed(
    database_url: str, store: EventStore, notifier: Notifier, start_run: StartRun
):
    parts = urlsplit(database_url)
    async with TcpProxy(parts.hostname or "", parts.port or 0) as proxy:
        ear = Ear(proxy.url(database_url))
        await ear.listener.start()
        await ear.listener.listening()
        assert (ear.runs, ear.queues) == ([None], [None])
        proxy.cut()
        await eventually(lambda: (ear.runs, ear.queues) == ([None, None], [None, None]))
        run = await start_run()
        await eventually(lambda: ear.heard_of({run.run_id}, ear.runs))
        await ear.listener.close()


async def test_a_notifier_whose_connection_was_ended_tells_it_later(
    ear: Ear, notifier: Notifier, start_run: StartRun, database: AsyncConnection[Any]
):
    first = await start_run()
    await eventually(lambda: ear.heard_of({first.run_id}, ear.runs))
    await database.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'flexrun notifier'"
    )
    second = await start_run()
    await eventually(lambda: ear.heard_of({second.run_id}, ear.runs))


async def test_a_notifier_tells_what_is_left_when_it_is_closed(ear: Ear, store: EventStore):
    notifier = Notifier(store)
    await notifier.start()
    run_ids = [new_run_id() for _ in range(5)]
    for run_id in run_ids:
        await store.append(*first_event(run_id))
    await notifier.close()
    await eventually(lambda: ear.heard_of(set(run_ids), ear.runs))


async def test_a_broken_callback_does_not_deafen_the_others(
    notifier: Notifier, start_run: StartRun, database_url: str
):
    def breaks(run_ids: set[str] | None) -> None:
        raise RuntimeError("no")

    listener = LogListener(database_url)
    heard: Heard = []
    listener.on_runs(breaks)
    listener.on_runs(heard.append)
    await listener.start()
    await listener.listening()
    run = await start_run()
    await eventually(lambda: {run.run_id} in heard)
    await listener.close()
