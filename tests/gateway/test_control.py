"""Abort, pause and resume over HTTP: endpoints that apply the rules of the run."""

from eventstore import leases
from tests.support.by_hand import ByHand
from tests.support.gateways import API, RunningGateway, stream_of


async def test_abort_ends_the_run_once_with_who_and_why(gateway: RunningGateway) -> None:
    run_id = await gateway.start_run()
    async with stream_of(gateway, run_id) as stream:
        body = {"reason": "changed my mind", "operator": "ann"}
        answer, first = await gateway.post(f"{API}/runs/{run_id}/abort", body)
        assert (answer.status, first) == (200, {"runId": run_id, "status": "aborted", "lastEventId": "2"})
        assert answer.headers["X-Run-Id"] == run_id
        await stream.to_end()
    (_, end) = stream.frames
    assert end["payload"]["status"] == "aborted"
    assert end["payload"]["error"]["details"] == {"operator": "ann", "reason": "changed my mind"}
    answer, again = await gateway.post(f"{API}/runs/{run_id}/abort", b"")
    assert (answer.status, again) == (200, first)


async def test_a_completed_run_cannot_be_aborted(gateway: RunningGateway) -> None:
    run_id = await gateway.start_run()
    await ByHand(gateway.handler, run_id).to_the_end()
    for verb in ("abort", "pause", "resume"):
        answer, problem = await gateway.post(f"{API}/runs/{run_id}/{verb}", {})
        assert (answer.status, problem["code"]) == (409, "run_finished")


async def test_pause_and_resume_are_events_and_a_second_pause_is_none(gateway: RunningGateway) -> None:
    run_id = await gateway.start_run()
    operator = {"operator": {"id": "ann", "displayName": "Ann"}, "reason": "lunch"}
    for _ in range(2):
        answer, body = await gateway.post(f"{API}/runs/{run_id}/pause", operator)
        assert (answer.status, body["status"], body["lastEventId"]) == (200, "paused", "2")
    answer, body = await gateway.post(f"{API}/runs/{run_id}/resume", b"")
    assert (answer.status, body["status"], body["lastEventId"]) == (200, "pending", "3")
    answer, problem = await gateway.post(f"{API}/runs/{run_id}/resume", {})
    assert (answer.status, problem["code"]) == (409, "not_waiting")
    paused, resumed = (await gateway.store.read(run_id))[1:]
    assert paused.payload == {"reason": "lunch", "operator": "ann"}
    assert resumed.payload == {"reason": None, "operator": "anonymous"}


async def test_a_run_goes_before_others_and_takes_its_turn_again(gateway: RunningGateway) -> None:
    first, second = await gateway.start_run(), await gateway.start_run()
    for run_id in (first, second):
        await ByHand(gateway.handler, run_id).planned()
    path = f"{API}/runs/{second}/priority"
    answer, body = await gateway.post(path, {"priority": "high", "operator": "ann", "reason": "launch"})
    assert (answer.status, body["priority"], body["status"]) == (200, "high", "running")
    _, again = await gateway.post(path, {"priority": "high"})
    assert again["lastEventId"] == body["lastEventId"]
    (row,) = await leases.claim(gateway.store, ["node.default"], "w", 30, 1)
    assert row.run_id == second, "it is as old as its run, and the node of the first became due after that"
    await leases.release(gateway.store, [row], "w")
    await gateway.post(path, {"priority": "normal"})
    (row,) = await leases.claim(gateway.store, ["node.default"], "w", 30, 1)
    assert row.run_id == first
    events = await gateway.store.read(second)
    assert [each.payload for each in events if each.type == "priority_changed"] == [
        {"priority": "high", "operator": "ann", "reason": "launch"},
        {"priority": "normal", "operator": "anonymous", "reason": None},
    ]
    answer, problem = await gateway.post(path, {"priority": "urgent"})
    assert (answer.status, problem["code"]) == (400, "invalid_body")
    await gateway.post(f"{API}/runs/{second}/abort", b"")
    answer, problem = await gateway.post(path, {"priority": "high"})
    assert (answer.status, problem["code"]) == (409, "run_finished")
