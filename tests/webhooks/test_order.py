"""One at a time for each run and webhook, in the order of the log; no delivery waits for another receiver."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict

from eventstore.store import EventStore
from tests.support.receivers import Call, Receiver, never
from tests.support.waiting import eventually
from tests.webhooks.conftest import AddHook, StartRun, StartWebhooks, deliveries, statuses

RUNS = 6
EVENTS = 15


async def test_each_run_arrives_in_order_and_one_at_a_time_though_receivers_fail_and_processes_compete(
    store: EventStore,
    receiver: Receiver,
    add_hook: AddHook,
    start_run: StartRun,
    start_webhooks: StartWebhooks,
) -> None:
    dice = random.Random(7)

    async def fickle(_call: Call) -> int:
        for _ in range(dice.randrange(4)):
            await asyncio.sleep(0)
        return dice.choice([204, 204, 500])

    receiver.behave = fickle
    hooks = [await add_hook(name, "start", "log") for name in ("a", "b")]
    for worker in ("one", "two", "three"):
        await start_webhooks(worker, slots=4, backoff_seconds=(0.005,) * 100)

    async def live() -> None:
        run = await start_run()
        for number in range(EVENTS - 1):
            await run.log(str(number))

    await asyncio.gather(*(live() for _ in range(RUNS)))
    for hook in hooks:
        await eventually(lambda hook=hook: _delivered(store, hook, RUNS * EVENTS))
    assert receiver.most_of_run == 1
    assert receiver.refused == []
    seen: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for call in receiver.calls:
        seen[call.hook, call.run_id].append(call.seq)
    assert len(seen) == 2 * RUNS
    for seqs in seen.values():
        assert seqs == sorted(seqs)
        assert sorted(set(seqs)) == list(range(1, EVENTS + 1))
    rows = [row for hook in hooks for row in await deliveries(store, hook)]
    attempts = sum(row.attempts for row in rows)
    assert attempts == len(receiver.calls), "no attempt was made that is not counted"


async def test_a_slow_receiver_delays_no_other(
    store: EventStore,
    receiver: Receiver,
    add_hook: AddHook,
    start_run: StartRun,
    start_webhooks: StartWebhooks,
) -> None:
    async def slow_for_one(call: Call) -> int:
        return await never(call) if call.hook == "slow" else 204

    receiver.behave = slow_for_one
    await add_hook("slow", "start")
    quick = await add_hook("quick", "start")
    await start_webhooks(slots=3, request_seconds=60.0, lease_seconds=70.0)
    for _ in range(20):
        await start_run()
    await eventually(lambda: _delivered(store, quick, 20))
    await eventually(lambda: receiver.under_way("slow") == 3)
    assert receiver.most_of_hook["slow"] == 3


async def test_a_run_whose_event_is_refused_delays_only_itself(
    store: EventStore,
    receiver: Receiver,
    add_hook: AddHook,
    start_run: StartRun,
    start_webhooks: StartWebhooks,
) -> None:
    unlucky = await start_run()

    async def refuse_one_run(call: Call) -> int:
        return 500 if call.run_id == unlucky.run_id else 204

    receiver.behave = refuse_one_run
    hook = await add_hook("a", "log")
    await start_webhooks(slots=2, backoff_seconds=(30.0,))
    await unlucky.log("refused")
    await unlucky.log("waits behind it")
    others = [await start_run() for _ in range(5)]
    for run in others:
        await run.log("taken")
    await eventually(lambda: _finished(store, hook, 5))
    assert [row.status for row in await deliveries(store, hook) if row.run_id == unlucky.run_id] == [
        "pending"
    ] * 2
    assert [call.seq for call in receiver.calls if call.run_id == unlucky.run_id] == [2]


async def _delivered(store: EventStore, hook: str, count: int) -> bool:
    return await statuses(store, hook) == ["delivered"] * count


async def _finished(store: EventStore, hook: str, count: int) -> bool:
    return (await statuses(store, hook)).count("delivered") == count
