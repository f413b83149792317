"""`run.resume` and `constraints.resumeRunId`: continuing a run that waits, and streaming the rest."""

import pytest

from runs.commands import AcceptPlan, RequestPlan
from runs.event import rfc3339
from tests.support.by_hand import ByHand
from tests.support.gateways import API, ENVELOPE, RunningGateway, run_stream
from tests.support.given import node, plan
from tests.support.people import OUTPUT, WRONG, asked, resumed, waiting_for_approval

NOWHERE = "01900000-0000-7000-8000-00000000dead"
APPROVAL = {"payload": {"responses": [{"responseType": "approval"}]}}


async def test_a_resumed_stream_starts_with_the_whole_picture_and_goes_on_when_somebody_decides(
    gateway: RunningGateway,
) -> None:
    waiting = await waiting_for_approval(gateway)
    async with resumed(gateway, waiting.run_id) as stream:
        await stream.until_picture()
        assert stream.frames == []
        assert (await waiting.respond("approval", operator="ann"))[0] == 200
        await stream.to_end()
    (picture,) = stream.pictures
    (planned,) = await waiting.events("plan_generated")
    assert picture["type"] == "plan_generated"
    assert "id" not in picture, "it would move a client back that reads its place there"
    assert picture["payload"]["nodes"] == [
        {**planned.payload["nodes"][0], "status": "completed", "attempt": 1}
    ]
    assert [each["status"] for each in picture["payload"]["plan"]["nodes"]] == ["completed"]
    metadata = picture["payload"]["metadata"]
    assert metadata["resumed"] is True
    assert (metadata["runStatus"], metadata["lastEventId"]) == ("awaiting_hitl", "6")
    assert metadata["pendingRequestIds"] == [waiting.request_id]
    assert stream.retries == [1000]
    assert stream.types == ["hitl_resolved", "complete"]
    assert stream.ids == [7, 8]
    assert stream.frames[-1]["payload"]["output"] == OUTPUT


async def test_responses_in_the_payload_are_decided_and_their_frames_follow(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway)
    body = {
        "operator": "ann",
        "payload": {"requestId": waiting.request_id, **APPROVAL["payload"]},
    }
    async with resumed(gateway, waiting.run_id, body) as stream:
        await stream.to_end()
    assert stream.types == ["hitl_resolved", "complete"]
    assert stream.frames[0]["payload"]["operator"] == "ann"
    assert stream.pictures[0]["payload"]["metadata"]["runStatus"] == "awaiting_hitl"


async def test_a_bad_payload_is_refused_with_its_place_before_anything_is_streamed(
    gateway: RunningGateway,
) -> None:
    waiting = await waiting_for_approval(gateway)
    edit = {"requestId": waiting.request_id, "responseType": "edit", "editedOutput": WRONG}
    for payload, status, pointer in (
        ({"responses": [edit]}, 422, "/payload/responses/0/editedOutput"),
        ({"responses": [{"responseType": "approval"}]}, 400, "/payload/responses/0/requestId"),
        ({"responses": [{**edit, "responseType": "x"}]}, 400, "/payload/responses/0/responseType"),
    ):
        body = {"runId": waiting.run_id, "payload": payload}
        answer, problem = await gateway.post(f"{API}/run.resume", body)
        assert (answer.status, problem["errors"][0]["pointer"]) == (status, pointer)
    assert await waiting.status() == "awaiting_hitl"


async def test_a_run_that_waits_for_nothing_is_409_and_one_that_is_not_there_404(
    gateway: RunningGateway,
) -> None:
    run_id = await gateway.start_run()
    answer, problem = await gateway.post(f"{API}/run.resume", {"runId": run_id})
    assert (answer.status, problem["code"]) == (409, "not_waiting")
    await ByHand(gateway.handler, run_id).to_the_end()
    answer, problem = await gateway.post(f"{API}/run.resume", {"runId": run_id})
    assert (answer.status, problem["code"]) == (409, "run_finished")
    for name in (NOWHERE, "no-id"):
        answer, problem = await gateway.post(f"{API}/run.resume", {"runId": name})
        assert (answer.status, problem["code"]) == (404, "run_unknown")


async def test_a_stale_plan_version_is_409_whether_the_run_waits_or_is_paused(
    gateway: RunningGateway,
) -> None:
    waiting = await waiting_for_approval(gateway)
    for _ in range(2):
        body = {"runId": waiting.run_id, "expectedPlanVersion": 2}
        answer, problem = await gateway.post(f"{API}/run.resume", body)
        assert (answer.status, problem["code"]) == (409, "stale_plan_version")
        await gateway.post(f"{API}/runs/{waiting.run_id}/pause", {})


async def test_a_paused_run_goes_on(gateway: RunningGateway) -> None:
    run = ByHand(gateway.handler, await gateway.start_run())
    await run.planned()
    await gateway.post(f"{API}/runs/{run.run_id}/pause", {"operator": "ann"})
    async with resumed(gateway, run.run_id, {"operator": "bob", "note": "back"}) as stream:
        await stream.until(1)
        await run.work()
        await run.deliver()
        await stream.to_end()
    assert stream.types == ["run_resumed", "node_start", "node_complete", "complete"]
    assert stream.frames[0]["payload"] == {"reason": "back", "operator": "bob"}
    assert stream.pictures[0]["payload"]["nodes"][0]["status"] == "ready"


async def test_a_run_that_is_paused_before_its_plan_has_no_picture_yet(gateway: RunningGateway) -> None:
    run_id = await gateway.start_run()
    await gateway.post(f"{API}/runs/{run_id}/pause", {})
    async with resumed(gateway, run_id) as stream:
        await stream.until(1)
        await gateway.post(f"{API}/runs/{run_id}/abort", {})
        await stream.to_end()
    assert (stream.pictures, stream.types) == ([], ["run_resumed", "complete"])


async def test_a_paused_run_that_also_waits_is_resumed_decided_and_told_in_order(
    gateway: RunningGateway,
) -> None:
    waiting = await waiting_for_approval(gateway)
    await gateway.post(f"{API}/runs/{waiting.run_id}/pause", {})
    body = {"payload": {"requestId": waiting.request_id, **APPROVAL["payload"]}}
    async with resumed(gateway, waiting.run_id, body) as stream:
        await stream.to_end()
    assert stream.types == ["run_resumed", "hitl_resolved", "complete"]


async def test_the_stream_ends_at_the_next_wait_and_not_at_a_vote(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway, quorum=2, onReject="rerun")
    async with resumed(gateway, waiting.run_id) as stream:
        await waiting.respond("approval", operator="ann")
        await stream.until(1)
        await waiting.respond("rejection", operator="bob")
        run = waiting.by_hand()
        await run.start(attempt=2)
        await run.complete(attempt=2)
        await run.deliver(OUTPUT)
        await stream.to_end()
    assert stream.types == ["log", "hitl_resolved", "node_start", "node_complete", "hitl_request"]


async def test_a_vote_that_leaves_the_run_waiting_ends_the_stream_of_who_gave_it(
    gateway: RunningGateway,
) -> None:
    waiting = await waiting_for_approval(gateway, quorum=2)
    body = {"operator": "ann", "payload": {"requestId": waiting.request_id, **APPROVAL["payload"]}}
    async with resumed(gateway, waiting.run_id, body) as stream:
        await stream.to_end()
    assert stream.types == ["log"]


async def test_what_was_missed_before_comes_first(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway)
    async with resumed(gateway, waiting.run_id, Last_Event_ID="4") as stream:
        await stream.until(2)
        assert stream.ids == [5, 6]
        await waiting.respond("approval")
        await stream.to_end()
    assert stream.ids == [5, 6, 7, 8]
    metadata = stream.pictures[0]["payload"]["metadata"]
    assert (metadata["lastEventId"], metadata["runStatus"]) == ("4", "running")
    assert stream.pictures[0]["payload"]["nodes"][0]["status"] == "running"
    answer, problem = await gateway.post(
        f"{API}/run.resume", {"runId": (await waiting_for_approval(gateway)).run_id}, Last_Event_ID="99"
    )
    assert (answer.status, problem["code"]) == (400, "last_event_id_beyond_end")


async def test_after_a_new_plan_the_picture_is_that_plan(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway, onReject="replan")
    await waiting.respond("rejection", note="start over")
    run = waiting.by_hand()
    await run.do(RequestPlan, attempt=2, planner="test", capability_count=1)
    await run.do(AcceptPlan, attempt=2, plan=plan(node("x")))
    await run.work("x")
    await run.deliver(OUTPUT)
    async with resumed(gateway, waiting.run_id) as stream:
        await stream.until_picture()
    (picture,) = stream.pictures
    (updated,) = await waiting.events("plan_updated")
    assert (picture["type"], picture["planVersion"]) == ("plan_generated", 2)
    assert picture["timestamp"] == rfc3339(updated.recorded_at)
    assert [shown["id"] for shown in picture["payload"]["nodes"]] == ["x"]


async def test_run_stream_ends_after_the_request_and_run_resume_streams_the_rest(
    gateway: RunningGateway,
) -> None:
    envelope = {**ENVELOPE, "policies": {"requiresHitlApproval": True}}
    async with run_stream(gateway, envelope) as first:
        await first.until(1)
        run = ByHand(gateway.handler, first.frames[0]["runId"])
        await run.planned()
        await run.work()
        await run.deliver(OUTPUT)
        await first.to_end()
    assert first.types[-1] == "hitl_request"
    request_id = first.frames[-1]["payload"]["requestId"]
    body = {"payload": {"requestId": request_id, **APPROVAL["payload"]}}
    async with resumed(gateway, run.run_id, body) as rest:
        await rest.to_end()
    assert first.ids + rest.ids == list(range(1, 9))
    assert rest.types[-1] == "complete"


async def test_an_envelope_may_attach_to_a_run_and_starts_none(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway)
    before = await gateway.rows()
    envelope = {**ENVELOPE, "constraints": {"resumeRunId": waiting.run_id}}
    async with run_stream(gateway, envelope) as stream:
        await stream.to_end()
    assert (stream.ids, stream.types[-1]) == (list(range(1, 7)), "hitl_request")
    await waiting.respond("approval")
    async with run_stream(gateway, envelope, Last_Event_ID="6") as stream:
        await stream.to_end()
    assert stream.types == ["hitl_resolved", "complete"]
    assert (await gateway.rows())["flex_runs"] == before["flex_runs"]
    unknown = {**ENVELOPE, "constraints": {"resumeRunId": NOWHERE}}
    answer, problem = await gateway.post(f"{API}/run.stream", unknown)
    assert (answer.status, problem["code"]) == (404, "run_unknown")


@pytest.mark.parametrize("first", ["a", "b"])
async def test_a_stream_goes_on_to_the_end_when_both_questions_are_answered_elsewhere(
    gateway: RunningGateway, first: str
) -> None:
    run = ByHand(gateway.handler, await gateway.start_run())
    await run.planned(node("a"), node("b"))
    for name in ("a", "b"):
        await run.start(name)
    requests = {name: await asked(gateway, run, name) for name in ("a", "b")}
    second = "b" if first == "a" else "a"
    async with resumed(gateway, run.run_id) as stream:
        await requests[first].respond("freeform", freeformText="yes")
        await requests[second].respond("freeform", freeformText="no")
        for name in ("a", "b"):
            await run.start(name, attempt=2)
            await run.complete(name, attempt=2)
        await run.deliver(OUTPUT)
        await stream.to_end()
    assert stream.types.count("hitl_resolved") == 2
    assert stream.types[-1] == "complete"
