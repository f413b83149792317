"""The one handler: commands on a state that others may have changed meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from eventstore.errors import VersionConflict
from eventstore.handler import MAX_TRIES, RunHandler
from eventstore.store import EventStore
from runs import commands as c
from runs.errors import NotReady, RunAlreadyStarted, RunFinished, RunUnknown, StaleAttempt
from runs.state import RunState
from tests.eventstore.appends import next_log
from tests.eventstore.conftest import OpenStore, StartRun
from tests.support.by_hand import ByHand
from tests.support.given import ANN, ENVELOPE
from tests.support.started_runs import new_run_id, started_run


async def test_fifty_at_once_are_all_carried_out_in_one_order(start_run: StartRun, open_store: OpenStore):
    run = await start_run()
    handlers = [RunHandler(await open_store()) for _ in range(3)]
    lines = [f"line {n}" for n in range(51)]
    await asyncio.gather(*(ByHand(handlers[n % 3], run.run_id).log(line) for n, line in enumerate(lines)))
    told = await (await open_store()).read(run.run_id, after=1)
    assert [event.seq for event in told] == list(range(2, 53))
    assert sorted(str(event.message) for event in told) == sorted(lines)


async def test_of_two_workers_that_claim_a_node_one_gets_it(start_run: StartRun, open_store: OpenStore):
    run = await start_run()
    await run.planned()
    workers = [ByHand(RunHandler(await open_store()), run.run_id) for _ in range(6)]
    claims = await asyncio.gather(*(worker.start() for worker in workers), return_exceptions=True)
    assert sum(claim is None for claim in claims) == 1
    assert sum(isinstance(claim, StaleAttempt) for claim in claims) == 5


async def test_a_refusal_is_believed_only_of_a_fresh_state(start_run: StartRun, open_store: OpenStore):
    run = await start_run()
    elsewhere = ByHand(RunHandler(await open_store()), run.run_id)
    await elsewhere.planned()
    # This process still thinks that there is no plan.
    await run.start()
    with pytest.raises(NotReady):
        await run.deliver()


async def test_nothing_to_do_is_believed_only_of_a_fresh_state(
    start_run: StartRun, store: EventStore, handler: RunHandler, open_store: OpenStore
):
    run = await start_run()
    await run.log("now it is cached here")
    elsewhere = ByHand(RunHandler(await open_store()), run.run_id)
    await elsewhere.planned()
    seen: list[int] = []

    async def build(state: RunState) -> Sequence[c.Command]:
        seen.append(state.seq)
        return []

    outcome = await handler.transact(run.run_id, build)
    assert seen == [2, 4]
    assert (outcome.before.seq, outcome.state.seq, outcome.events) == (4, 4, [])


async def test_build_is_asked_again_after_a_conflict(
    start_run: StartRun, handler: RunHandler, open_store: OpenStore
):
    run = await start_run()
    other = await open_store()
    seen: list[int] = []

    async def build(state: RunState) -> Sequence[c.Command]:
        seen.append(state.seq)
        if len(seen) <= 2:
            await other.append(*next_log(await other.load(run.run_id, fresh=True)))
        return [c.RecordLog(now=datetime.now(UTC), message="mine")]

    outcome = await handler.transact(run.run_id, build)
    assert seen == [1, 2, 3]
    assert [event.seq for event in outcome.events] == [4]


async def test_a_run_that_never_holds_still_is_given_up(
    start_run: StartRun, handler: RunHandler, open_store: OpenStore
):
    run = await start_run()
    other = await open_store()

    async def build(state: RunState) -> Sequence[c.Command]:
        await other.append(*next_log(await other.load(run.run_id, fresh=True)))
        return [c.RecordLog(now=datetime.now(UTC), message="mine")]

    with pytest.raises(VersionConflict):
        await handler.transact(run.run_id, build)
    assert (await other.load(run.run_id, fresh=True)).seq == MAX_TRIES + 1


async def test_commands_are_carried_out_all_or_none(
    start_run: StartRun, handler: RunHandler, store: EventStore
):
    run = await start_run()
    now = datetime.now(UTC)
    with pytest.raises(StaleAttempt):
        await handler.execute(
            run.run_id, c.RecordLog(now=now, message="x"), c.StartNode(now=now, node_id="a", attempt=1)
        )
    assert await store.heads([run.run_id]) == {run.run_id: 1}


async def test_starting_a_run_again_is_refused_and_changes_nothing(
    start_run: StartRun, handler: RunHandler, open_store: OpenStore, store: EventStore
):
    run = await start_run()
    await run.to_the_end()
    for known in (handler, RunHandler(await open_store())):
        with pytest.raises(RunAlreadyStarted):
            await started_run(known, run.run_id)
    assert (await store.heads([run.run_id]))[run.run_id] == 6


async def test_two_posts_with_one_idempotency_key_race_for_one_run(open_store: OpenStore):
    run_id = new_run_id()
    handlers = [RunHandler(await open_store()) for _ in range(2)]
    command = c.StartRun(now=datetime.now(UTC), envelope=ENVELOPE, schema_hash="h")
    answers = await asyncio.gather(
        *(handlers[n % 2].execute(run_id, command) for n in range(10)), return_exceptions=True
    )
    assert sum(isinstance(answer, RunAlreadyStarted) for answer in answers) == 9


async def test_a_command_for_no_run_is_refused(handler: RunHandler):
    for run_id in (new_run_id(), "no run id at all", ""):
        with pytest.raises(RunUnknown):
            await ByHand(handler, run_id).log("anybody there?")


async def test_a_run_that_ended_elsewhere_refuses(start_run: StartRun, open_store: OpenStore):
    run = await start_run()
    elsewhere = ByHand(RunHandler(await open_store()), run.run_id)
    await elsewhere.do(c.AbortRun, actor=ANN)
    with pytest.raises(RunFinished):
        await run.log("too late")
    assert (await run.do(c.AbortRun, actor=ANN)).events == []
