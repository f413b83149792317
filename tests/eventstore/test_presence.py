"""A process that is alone sends no notifications, and one that begins to listen misses no commit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from psycopg import AsyncConnection

from eventstore.listener import LogListener
from eventstore.notifier import Notifier
from eventstore.presence import TRANSITIONS, Presence, PresenceConfig, PresenceInput, PresenceState
from eventstore.store import EventStore
from tests.eventstore.conftest import OpenStore, StartRun
from tests.support.tcp_proxy import TcpProxy
from tests.support.waiting import eventually

QUICK = PresenceConfig(here_seconds=0.05, answer_seconds=0.1, gone_seconds=1.0)


@asynccontextmanager
async def process(store: EventStore, url: str | None = None) -> AsyncIterator[tuple[LogListener, Notifier]]:
    """A listener that says hello, and a notifier that may be silent."""
    listener = LogListener(url or store.database_url, ignore_origin=store.origin, presence=QUICK)
    notifier = Notifier(store, listener)
    await listener.start()
    await listener.listening()
    await notifier.start()
    try:
        yield listener, notifier
    finally:
        await notifier.close()
        await listener.close()


async def test_a_process_that_is_alone_says_nothing(store: EventStore, start_run: StartRun):
    async with (
        await AsyncConnection.connect(store.database_url, autocommit=True) as stranger,
        process(store) as (listener, notifier),
    ):
        await eventually(lambda: listener.alone)
        await stranger.execute("listen flexrun_log")
        await start_run()
        await notifier.close()  # which tells what is left
        await stranger.execute("select pg_notify('flexrun_log', 'the end')")
        heard = [notice.payload async for notice in stranger.notifies(timeout=5, stop_after=1)]
        assert heard == ["the end"]


async def test_a_process_that_begins_to_listen_is_told_that_anything_may_have_changed_and_then_of_each_commit(
    store: EventStore, open_store: OpenStore, start_run: StartRun
):
    async with process(store) as (listener, _):
        await eventually(lambda: listener.alone)
        await start_run()
        other = await open_store()
        newcomer = LogListener(other.database_url, ignore_origin=other.origin, presence=QUICK)
        runs: list[set[str] | None] = []
        work: list[set[str] | None] = []
        newcomer.on_runs(runs.append)
        newcomer.on_work(work.append)
        await newcomer.start()
        # Once by itself, as after each connect, and once as the answer to its hello.
        await eventually(lambda: runs == work == [None, None])
        run = await start_run()
        await eventually(lambda: {run.run_id} in runs)
        await newcomer.close()


async def test_processes_know_that_they_are_together_and_the_last_one_that_it_is_alone(
    store: EventStore, open_store: OpenStore
):
    async with (
        await AsyncConnection.connect(store.database_url, autocommit=True) as stranger,
        process(store) as (left, _),
    ):
        await eventually(lambda: left.alone)
        await stranger.execute("listen flexrun_here")
        async with process(await open_store()) as (other, _):
            async for notice in stranger.notifies(timeout=20, stop_after=60):
                assert notice.payload.endswith((";hello", ";here"))
            assert not left.alone
            assert not other.alone
        await eventually(lambda: left.alone)


async def test_a_process_without_a_connection_does_not_take_itself_for_alone(store: EventStore):
    parts = urlsplit(store.database_url)
    async with (
        TcpProxy(parts.hostname or "", parts.port or 0) as proxy,
        process(store, proxy.url(store.database_url)) as (listener, _),
    ):
        await eventually(lambda: listener.alone)
        proxy.refusing = True
        proxy.cut()
        await eventually(lambda: not listener.alone)


def test_alone_is_what_follows_silence_alone_and_every_other_state_can_be_lost() -> None:
    into_alone = {learnt for (_, learnt), state in TRANSITIONS.items() if state is PresenceState.ALONE}
    assert into_alone == {PresenceInput.SILENCE}
    assert {state for state, learnt in TRANSITIONS if learnt is PresenceInput.LOST} == set(PresenceState)
    after_message = {state for (_, learnt), state in TRANSITIONS.items() if learnt is PresenceInput.MESSAGE}
    assert after_message == {PresenceState.TOGETHER}
    assert (PresenceState.DEAF, PresenceInput.SILENCE) not in TRANSITIONS, (
        "without a connection, silence is no news"
    )


def test_the_states_of_a_process_in_the_order_of_its_day() -> None:
    presence = Presence(PresenceConfig(here_seconds=5, answer_seconds=2, gone_seconds=12))
    assert presence.state(1000) is PresenceState.DEAF
    presence.listening(1000)
    assert presence.state(1001.9) is PresenceState.ASKING
    assert presence.state(1002) is PresenceState.ALONE
    presence.message(1010)
    assert presence.state(1021.9) is PresenceState.TOGETHER
    presence.message(1021)
    assert presence.state(1032.9) is PresenceState.TOGETHER
    assert presence.state(1033) is PresenceState.ALONE
    presence.lost()
    assert presence.state(2000) is PresenceState.DEAF
    presence.listening(2000)
    assert presence.state(2001) is PresenceState.ASKING
    with pytest.raises(KeyError):
        presence.listening(2002)
