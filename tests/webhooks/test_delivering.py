"""A webhook gets the frames of the log that it asked for, signed, from the moment on at which it was added."""

from __future__ import annotations

from eventstore.handler import RunHandler
from eventstore.store import EventStore
from runs.commands import ExpireRequest, RequestClarification
from runs.frames import frame
from tests.support.receivers import Call, Receiver, failing
from tests.support.started_runs import started_run
from tests.support.waiting import eventually
from tests.webhooks.conftest import AddHook, StartRun, StartWebhooks, all_are, deliveries, statuses


async def test_an_event_arrives_as_its_frame_with_a_signature_that_is_right(
    store: EventStore,
    receiver: Receiver,
    add_hook: AddHook,
    start_run: StartRun,
    start_webhooks: StartWebhooks,
) -> None:
    hook = await add_hook("a", "start", "complete")
    await start_webhooks()
    run = await start_run()
    await run.to_the_end()
    await eventually(lambda: len(receiver.calls) == 2)
    log = [frame(event) for event in await store.read(run.run_id)]
    assert [call.frame for call in receiver.calls] == [log[0], log[-1]]
    assert [call.message_id for call in receiver.calls] == [f"{hook}_{run.run_id}_{seq}" for seq in (1, 6)]
    assert receiver.refused == []
    await eventually(lambda: all_are(store, hook, "delivered", 2))


async def test_that_a_request_is_about_to_expire_arrives(
    store: EventStore, receiver: Receiver, add_hook: AddHook, start_webhooks: StartWebhooks
) -> None:
    await add_hook("a", "hitl_expiring")
    await start_webhooks()
    handler = RunHandler(store)
    run = await started_run(handler, policies={"hitl": {"expiresInSeconds": 1_000}})
    await run.planned()
    await run.start()
    outcome = await run.do(RequestClarification, node_id="a", attempt=1, question="Which?")
    (request,) = outcome.state.open_requests
    assert request.announced_at is not None
    await handler.execute(run.run_id, ExpireRequest(now=request.announced_at, request_id=request.id))
    await eventually(lambda: len(receiver.calls) == 1)
    assert receiver.calls[0].frame["type"] == "hitl_expiring"
    assert receiver.calls[0].frame["payload"]["question"] == "Which?"


async def test_events_from_before_the_webhook_are_not_sent(
    store: EventStore,
    receiver: Receiver,
    add_hook: AddHook,
    start_run: StartRun,
    start_webhooks: StartWebhooks,
) -> None:
    await start_webhooks()
    run = await start_run()
    await run.planned()
    await add_hook("a", "start", "plan_generated", "node_start", "node_complete", "complete")
    await run.work()
    await run.deliver()
    await eventually(lambda: len(receiver.calls) == 3)
    assert [call.frame["type"] for call in receiver.calls] == ["node_start", "node_complete", "complete"]


async def test_a_failure_is_tried_again_under_the_same_id(
    store: EventStore,
    receiver: Receiver,
    add_hook: AddHook,
    start_run: StartRun,
    start_webhooks: StartWebhooks,
) -> None:
    receiver.behave = failing(4)
    hook = await add_hook("a", "start")
    await start_webhooks()
    await start_run()
    await eventually(lambda: all_are(store, hook, "delivered", 1))
    assert len(receiver.calls) == 5
    assert len({call.message_id for call in receiver.calls}) == 1
    [row] = await deliveries(store, hook)
    assert (row.attempts, row.response_status, row.error) == (5, 204, None)


async def test_each_attempt_is_signed_with_its_own_time(
    store: EventStore,
    receiver: Receiver,
    add_hook: AddHook,
    start_run: StartRun,
    start_webhooks: StartWebhooks,
) -> None:
    clock = iter(range(1_800_000_000, 1_900_000_000, 60))
    receiver.behave = failing(2)
    hook = await add_hook("a", "start")
    await start_webhooks(clock=lambda: next(clock))
    await start_run()
    await eventually(lambda: all_are(store, hook, "delivered", 1))
    assert [call.timestamp for call in receiver.calls] == [1_800_000_000, 1_800_000_060, 1_800_000_120]
    assert receiver.refused == []


async def test_after_the_last_attempt_it_is_given_up_with_its_reason_and_the_next_one_goes_out(
    store: EventStore,
    receiver: Receiver,
    add_hook: AddHook,
    start_run: StartRun,
    start_webhooks: StartWebhooks,
) -> None:
    async def refuse_the_start(call: Call) -> int:
        return 503 if call.seq == 1 else 204

    receiver.behave = refuse_the_start
    hook = await add_hook("a", "start", "log")
    await start_webhooks(backoff_seconds=(0.01, 0.01))
    run = await start_run()
    await run.log("second")
    await eventually(lambda: _statuses_are(store, hook, ["given_up", "delivered"]))
    first, second = await deliveries(store, hook)
    assert (first.attempts, first.response_status, first.error) == (3, 503, "answered 503")
    assert first.finished_at is not None
    assert second.attempts == 1
    assert [call.seq for call in receiver.calls] == [1, 1, 1, 2]


async def test_what_has_waited_too_long_is_not_put_off_again(
    store: EventStore,
    receiver: Receiver,
    add_hook: AddHook,
    start_run: StartRun,
    start_webhooks: StartWebhooks,
) -> None:
    receiver.behave = failing(1000)
    hook = await add_hook("a", "start", "log")
    run = await start_run()
    for number in range(5):
        await run.log(str(number))
    await start_webhooks(backoff_seconds=(60.0,) * 10, give_up_seconds=30.0)
    await eventually(lambda: all_are(store, hook, "given_up", 6))
    assert [call.seq for call in receiver.calls] == [1, 2, 3, 4, 5, 6]


async def _statuses_are(store: EventStore, hook: str, expected: list[str]) -> bool:
    return await statuses(store, hook) == expected
