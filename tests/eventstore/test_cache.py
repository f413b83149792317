"""What a process remembers of runs: the active ones, within a limit; one that waits costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from eventstore.handler import RunHandler
from eventstore.store import EventStore
from runs import commands as c
from tests.eventstore.conftest import OpenStore, StartRun
from tests.support.by_hand import ByHand
from tests.support.given import ANN, node
from tests.support.started_runs import started_run

Wait = Callable[[ByHand], Awaitable[None]]


async def pause(run: ByHand) -> None:
    await run.do(c.PauseRun, actor=ANN)


async def await_approval(run: ByHand) -> None:
    await run.planned()
    await run.work()
    await run.deliver()


async def await_a_person(run: ByHand) -> None:
    await run.planned(node("a", agentType="human"))
    await run.start()


@pytest.mark.parametrize("wait", [pause, await_approval, await_a_person, ByHand.to_the_end])
async def test_a_run_that_waits_or_is_over_is_not_kept(store: EventStore, start_run: StartRun, wait: Wait):
    policies = {"requiresHitlApproval": wait is await_approval}
    run = await start_run(policies=policies)
    assert store.cached(run.run_id) is not None
    await wait(run)
    assert store.cached(run.run_id) is None
    assert (await store.load(run.run_id)).seq > 1
    assert store.cached(run.run_id) is None


async def test_the_cache_has_a_limit_and_forgets_the_least_used(open_store: OpenStore):
    store = await open_store(cache_runs=3)
    runs = [await started_run(RunHandler(store)) for _ in range(3)]
    await store.load(runs[0].run_id)
    runs.append(await started_run(RunHandler(store)))
    assert [store.cached(run.run_id) is not None for run in runs] == [True, False, True, True]


async def test_a_fresh_load_reads_only_what_is_new(
    store: EventStore, start_run: StartRun, open_store: OpenStore
):
    run = await start_run()
    elsewhere = ByHand(RunHandler(await open_store()), run.run_id)
    await elsewhere.planned()
    stale = await store.load(run.run_id)
    assert stale.seq == 1
    fresh = await store.load(run.run_id, fresh=True)
    assert fresh.seq == 3
    assert fresh.envelope is stale.envelope, "it was folded onto what was known"
    assert fresh == await (await open_store()).load(run.run_id)


async def test_many_first_loads_of_a_run_read_its_log_once(start_run: StartRun, open_store: OpenStore):
    run = await start_run()
    await run.planned()
    elsewhere = await open_store()
    states = await asyncio.gather(*(elsewhere.load(run.run_id, fresh=each % 2 == 1) for each in range(50)))
    assert {state.seq for state in states} == {3}
    assert all(state.envelope is states[0].envelope for state in states), "one has read it for all"
