"""Abort, pause and resume over HTTP: endpoints that apply the rules of the run."""

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
