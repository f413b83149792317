"""The behaviour that every broker must have."""

import asyncio

import pytest

from broker.dead import Drop, Fate, Keep, Requeue
from broker.interface import BrokerUnavailable, DeadLetter, MessageRefused, WorkHint
from runs.commands import AbortRun, Actor
from tests.support.carriage import BrokerTimes, House, Planner, Site, now, open_planner, plan_hint
from tests.support.waiting import eventually


async def test_every_accepted_run_is_carried_to_a_worker(house: House) -> None:
    planner = open_planner(house)
    await house.broker.consume(["plan"], planner.handle, slots=16)
    runs = await house.start_runs(100)
    await house.all_complete(runs)
    assert sorted(planner.claimed) == sorted(runs)


async def test_work_that_was_there_before_the_worker_is_found(house: House) -> None:
    runs = await house.start_runs(20)
    planner = open_planner(house)
    await house.broker.consume(["plan"], planner.handle, slots=4)
    await house.all_complete(runs)


async def test_a_hint_that_comes_five_times_is_worked_on_once(house: House) -> None:
    planner = open_planner(house)
    await house.broker.consume(["plan"], planner.handle, slots=8)
    runs = await house.start_runs(20)
    for _ in range(5):
        await house.broker.publish([plan_hint(run_id) for run_id in runs])
    await house.all_complete(runs)
    assert sorted(planner.claimed) == sorted(runs)
    for run_id in runs:
        assert (await house.types(run_id)).count("plan_requested") == 1


async def test_a_hint_for_a_run_that_nobody_knows_harms_nobody(house: House) -> None:
    planner = open_planner(house)
    await house.broker.consume(["plan"], planner.handle, slots=1)
    await house.broker.publish([plan_hint("01900000-0000-7000-8000-00000000dead")])
    run_id = await house.start_run()
    await house.all_complete([run_id])


async def test_two_processes_share_the_work_and_do_none_of_it_twice(site: Site) -> None:
    async with House(site) as first, House(site) as second, House(site) as door:
        planners = [Planner(first, name="first"), Planner(second, name="second")]
        for planner in planners:
            await planner.house.broker.consume(["plan"], planner.handle, slots=2)
        runs = await door.start_runs(60)
        await eventually(lambda: all(len(planner.claimed) == 2 for planner in planners))
        for planner in planners:
            planner.gate.set()
        await door.all_complete(runs)
        assert sorted(planners[0].claimed + planners[1].claimed) == sorted(runs)


async def test_a_worker_is_given_as_much_as_it_has_slots_and_another_takes_the_rest(site: Site) -> None:
    tempo = BrokerTimes(hand_on_seconds=0.2)
    async with House(site, tempo) as house, House(site, tempo) as helper:
        busy = Planner(house, name="busy")
        consumer = await house.broker.consume(["plan"], busy.handle, slots=3)
        runs = await house.start_runs(20)
        await eventually(lambda: len(busy.claimed) == 3)
        assert consumer.busy == 3
        free = open_planner(helper, name="free")
        await helper.broker.consume(["plan"], free.handle, slots=3)
        await eventually(lambda: len(free.claimed) == 17)
        assert busy.most_at_work == 3
        busy.gate.set()
        await house.all_complete(runs)


async def test_a_worker_goes_on_when_its_slots_are_free_again(house: House) -> None:
    planner = Planner(house)
    consumer = await house.broker.consume(["plan"], planner.handle, slots=2)
    runs = await house.start_runs(10)
    await eventually(lambda: len(planner.claimed) == 2)
    planner.gate.set()
    await house.all_complete(runs)
    assert planner.most_at_work <= 2
    await eventually(lambda: consumer.busy == 0)


async def test_a_worker_serves_all_its_queues_and_no_others(house: House) -> None:
    seen: list[WorkHint] = []

    async def note(hint: WorkHint) -> None:
        seen.append(hint)

    run_id = await house.start_run()
    planner = open_planner(house)
    await house.broker.consume(["node.default", "node.media"], note, slots=4)
    await house.broker.consume(["plan"], planner.handle, slots=4)
    await house.all_complete([run_id])
    assert seen == []


async def test_a_cancelled_consumer_finishes_what_it_has_and_takes_nothing_new(house: House) -> None:
    planner = Planner(house)
    consumer = await house.broker.consume(["plan"], planner.handle, slots=2)
    first = await house.start_runs(2)
    await eventually(lambda: len(planner.claimed) == 2)
    cancelling = asyncio.create_task(consumer.cancel(drain_seconds=10))
    later = await house.start_runs(2)
    assert not cancelling.done()
    planner.gate.set()
    await cancelling
    assert consumer.busy == 0
    await house.all_complete(first)
    assert sorted(planner.claimed) == sorted(first)
    successor = open_planner(house)
    await house.broker.consume(["plan"], successor.handle, slots=2)
    await house.all_complete(later)


async def test_a_consumer_that_is_in_no_hurry_to_end_is_left_after_its_drain_time(house: House) -> None:
    planner = Planner(house)
    consumer = await house.broker.consume(["plan"], planner.handle, slots=1)
    run_id = await house.start_run()
    await eventually(lambda: planner.claimed == [run_id])
    await asyncio.wait_for(consumer.cancel(drain_seconds=0.05), 10)
    assert planner.at_work == 1, "the worker decides about its tasks, not the broker"
    planner.gate.set()
    await house.all_complete([run_id])


async def test_an_aborted_runs_hint_is_stale_and_frees_its_slot(house: House) -> None:
    run_id = await house.start_run()
    await house.handler.execute(run_id, AbortRun(now=now(), actor=Actor("ann")))
    planner = open_planner(house)
    consumer = await house.broker.consume(["plan"], planner.handle, slots=1)
    await house.broker.publish([plan_hint(run_id)])
    other = await house.start_run()
    await house.all_complete([other])
    assert planner.claimed == [other]
    await eventually(lambda: consumer.busy == 0)


async def test_the_depth_of_a_queue_is_what_nobody_has_taken(house: House) -> None:
    assert await house.broker.depth("plan") == 0
    await house.start_runs(3)

    async def three() -> bool:
        return await house.broker.depth("plan") == 3

    await eventually(three)


async def test_a_message_waits_for_its_reader_and_is_read_once(house: House) -> None:
    for number in range(5):
        await house.broker.publish_message("hitl", b"%d" % number)
    read: list[bytes] = []

    async def note(body: bytes) -> None:
        read.append(body)

    consumer = await house.broker.consume_messages("hitl", note, prefetch=2)
    await eventually(lambda: len(read) == 5)
    await consumer.cancel(drain_seconds=5)
    await house.broker.consume_messages("hitl", note, prefetch=2)
    await house.broker.publish_message("hitl", b"last")
    await eventually(lambda: b"last" in read)
    assert sorted(read) == [b"0", b"1", b"2", b"3", b"4", b"last"]


async def test_no_more_messages_are_read_at_a_time_than_the_prefetch_lets_through(house: House) -> None:
    gate, reading, most, read = asyncio.Event(), 0, 0, 0

    async def slow(_body: bytes) -> None:
        nonlocal reading, most, read
        reading += 1
        most = max(most, reading)
        await gate.wait()
        reading -= 1
        read += 1

    for _ in range(9):
        await house.broker.publish_message("hitl", b"x")
    consumer = await house.broker.consume_messages("hitl", slow, prefetch=3)
    await eventually(lambda: reading == consumer.busy == 3)
    gate.set()
    await eventually(lambda: read == 9)
    assert most == 3


async def test_a_refused_message_ends_among_the_dead_letters_with_its_reason(house: House) -> None:
    read: list[bytes] = []

    async def picky(body: bytes) -> None:
        if body.startswith(b"bad"):
            raise MessageRefused("the request is resolved already")
        read.append(body)

    await house.broker.consume_messages("hitl", picky, prefetch=4)
    for body in (b"good 1", b"bad \x00 one", b"good 2"):
        await house.broker.publish_message("hitl", body)
    await eventually(lambda: sorted(read) == [b"good 1", b"good 2"])
    letters = await eventually(lambda: house.broker.dead_letters("hitl"))
    assert [(letter.queue, letter.body, letter.reason) for letter in letters] == [
        ("hitl", b"bad \x00 one", "the request is resolved already")
    ]
    assert await house.broker.dead_letters("hitl") == letters, "looking must not take it away"
    assert await house.broker.dead_letters("plan") == []
    assert len(await house.broker.dead_letters("")) == 1


async def test_a_message_that_breaks_its_reader_is_tried_five_times_and_then_buried(house: House) -> None:
    tries = 0

    async def broken(_body: bytes) -> None:
        nonlocal tries
        tries += 1
        raise KeyError("operator")

    await house.broker.consume_messages("hitl", broken, prefetch=4)
    await house.broker.publish_message("hitl", b"{}")
    letters = await eventually(lambda: house.broker.dead_letters("hitl"), 20)
    assert tries == 5
    assert "failed 5 times, at last with KeyError: 'operator'" in letters[0].reason


async def test_dead_letters_are_put_back_or_dropped_one_by_one(house: House) -> None:
    is_mended = False
    read: list[bytes] = []

    async def reader(body: bytes) -> None:
        if not is_mended:
            raise MessageRefused("a bad deploy")
        read.append(body)

    await house.broker.consume_messages("hitl", reader, prefetch=4)
    bodies = [b'{"n": 1}', b'{"n": 2}', b'{"n": 3}', b'{"n": ']
    for body in bodies:
        await house.broker.publish_message("hitl", body)

    async def all_dead() -> dict[bytes, str]:
        letters = await house.broker.dead_letters("hitl")
        assert len(letters) == len(bodies)
        return {letter.body: letter.id for letter in letters}

    ids = await eventually(all_dead)
    assert len(set(ids.values())) == len(bodies)
    is_mended = True
    fates: dict[str, Fate] = {
        ids[bodies[0]]: Requeue(), ids[bodies[1]]: Drop(), ids[bodies[2]]: Keep("no", "not now"),
    }  # fmt: skip

    async def judge(letter: DeadLetter) -> Fate:
        return fates[letter.id]

    found = await house.broker.settle_dead_letters([*fates, "987654321", "strange"], judge)
    assert found == {ids[bodies[0]]: None, ids[bodies[1]]: None, ids[bodies[2]]: Keep("no", "not now")}
    await eventually(lambda: read == [bodies[0]])
    assert {letter.body for letter in await house.broker.dead_letters("")} == {bodies[2], bodies[3]}
    assert await house.broker.settle_dead_letters([ids[bodies[0]]], judge) == {}


async def test_a_message_that_failed_once_is_read_again(house: House) -> None:
    tries = 0

    async def once_broken(_body: bytes) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise OSError("a passing trouble")

    await house.broker.consume_messages("hitl", once_broken, prefetch=4)
    await house.broker.publish_message("hitl", b"{}")
    await eventually(lambda: tries == 2)
    assert await house.broker.dead_letters("hitl") == []


async def test_publishing_after_the_end_is_refused_and_does_not_hang(site: Site) -> None:
    async with House(site, BrokerTimes(patience_seconds=1)) as house:
        pass
    with pytest.raises(BrokerUnavailable):
        await asyncio.wait_for(house.broker.publish_message("hitl", b"late"), 20)
