"""The existing operator screens: what they read and what they send, over HTTP."""

from typing import Any

import pytest

from tests.hitl.test_tasks import VERDICT, human, with_task
from tests.support.by_hand import ByHand
from tests.support.conforming import conforms
from tests.support.gateways import API, ENVELOPE, RunningGateway
from tests.support.given import node
from tests.support.golden import golden, settled
from tests.support.people import OUTPUT, asked, resumed, waiting_for_approval

DIALOG: dict[str, Any] = {
    "objective": "Plan and approve a LinkedIn welcome post",
    "inputs": {"channel": "linkedin"},
    "constraints": {"threadId": "brief-7"},
    "metadata": {"briefId": "brief-7"},
    "policies": {"planner": {"directives": {"brandVoice": "inspiring", "requiresHitlApproval": True}}},
    "outputContract": {"mode": "json_schema", "schema": {"type": "object", "required": ["text"]}},
}


@pytest.mark.parametrize(
    "keys",
    [
        {"policies": {"planner": {"directives": {"requiresHitlApproval": True}}}},
        {"policies": {"requiresHitlApproval": True}},
        {"constraints": {"requiresHitlApproval": True}},
    ],
)
async def test_an_approval_is_asked_for_wherever_the_dialog_puts_it(
    gateway: RunningGateway, keys: dict[str, Any]
) -> None:
    answer, body = await gateway.post(f"{API}/runs", {**ENVELOPE, **keys})
    assert answer.status == 202, body
    run = ByHand(gateway.handler, body["runId"])
    await run.planned()
    await run.work()
    outcome = await run.deliver(OUTPUT)
    assert outcome.state.status == "awaiting_hitl"


async def test_the_frames_and_lists_have_the_shapes_that_the_screens_read(gateway: RunningGateway) -> None:
    _, body = await gateway.post(f"{API}/runs", DIALOG)
    run = ByHand(gateway.handler, body["runId"])
    draft = node("draft", kind="execution", contract={"output": VERDICT})
    await run.planned(draft, node("check", "draft", kind="validation"), metadata={"scenario": "test"})
    await run.work("draft", {"approved": True})
    await run.work("check")
    await run.deliver(OUTPUT)
    _, page = await gateway.get(f"{API}/runs/{run.run_id}/events")
    frames = {frame["type"]: frame for frame in page["events"]}
    conforms("EventPage", page)
    assert settled(frames["plan_generated"]["payload"]) == golden("screens/plan_generated")
    assert settled(frames["hitl_request"]["payload"]) == golden("screens/hitl_request")
    _, pending = await gateway.get("/api/hitl/pending")
    conforms("PendingList", pending)
    assert [each["requestId"] for each in pending.pop("requests")] == [pending["runs"][0]["pendingRequestId"]]
    assert settled(pending) == golden("screens/pending")


async def test_a_node_that_asks_is_named_with_its_contract(gateway: RunningGateway) -> None:
    run = ByHand(gateway.handler, await gateway.start_run())
    await run.planned(node("a", kind="structuring"))
    await run.start()
    await asked(gateway, run, "a", additional_context={"seen": [1]}, options=({"id": "x", "label": "X"},))
    _, page = await gateway.get(f"{API}/runs/{run.run_id}/events")
    assert settled(page["events"][-1]["payload"]["request"]) == golden("screens/node_request")


async def test_a_list_of_runs_has_each_once_with_the_first_of_its_requests(gateway: RunningGateway) -> None:
    run = ByHand(gateway.handler, await gateway.start_run())
    await run.planned(node("a"), node("b"))
    for node_id in ("a", "b"):
        await run.start(node_id)
    first = await asked(gateway, run, "a")
    await asked(gateway, run, "b")
    _, pending = await gateway.get("/api/hitl/pending")
    assert len(pending["requests"]) == 2
    (shown,) = pending["runs"]
    assert (shown["runId"], shown["pendingRequestId"]) == (run.run_id, first.request_id)
    assert (shown["status"], shown["briefId"]) == ("awaiting_hitl", None)


async def test_tasks_have_the_shape_that_the_screens_read(gateway: RunningGateway) -> None:
    await with_task(gateway)
    _, body = await gateway.get(f"{API}/tasks")
    conforms("TaskList", body)
    assert settled(body) == golden("screens/tasks")
    for who, count in (("nobody", 1), ("ann", 1)):
        _, body = await gateway.get(f"{API}/tasks?assignedTo={who}")
        assert body["count"] == len(body["tasks"]) == count


async def test_tasks_of_one_person_are_found_by_assigned_to(gateway: RunningGateway) -> None:
    await with_task(gateway, bundle={"assignees": ["ann"]})
    for who, count in (("bob", 0), ("ann", 1)):
        _, body = await gateway.get(f"{API}/tasks?assignedTo={who}")
        assert (body["ok"], body["count"]) == (True, count)


async def test_an_error_says_its_sentence_under_the_name_that_the_screens_read(
    gateway: RunningGateway,
) -> None:
    waiting = await waiting_for_approval(gateway)
    assert (await waiting.respond("approval", operator="ann"))[0] == 200
    status, problem = await waiting.respond("approval", operator="bob")
    del problem["correlationId"]
    assert status == 409
    assert settled(problem) == golden("screens/problem")


@pytest.mark.parametrize(
    ("response", "decision", "note"),
    [
        ({"approved": True, "freeformText": "ship it"}, "approved", "ship it"),
        ({"approved": False, "freeformText": "dull"}, "rejected", "dull"),
    ],
)
async def test_a_yes_or_a_no_needs_no_type(
    gateway: RunningGateway, response: dict[str, Any], decision: str, note: str
) -> None:
    waiting = await waiting_for_approval(gateway)
    body = {
        "runId": waiting.run_id,
        "requestId": waiting.request_id,
        "responses": [{"requestId": waiting.request_id, **response, "metadata": {}, "responderId": "u1"}],
        "operator": {"id": "u1", "displayName": "Ada", "email": "ada@example.com"},
    }
    answer, outcome = await gateway.post("/api/hitl/resume", body)
    assert answer.status == 200, outcome
    (resolved,) = await waiting.events("hitl_resolved")
    assert (resolved.payload["decision"], resolved.payload["note"]) == (decision, note)
    assert resolved.payload["operator"] == "u1"


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ({"selectedOptionId": "x"}, {"optionId": "x"}),
        ({"selectedOptionId": "x", "approved": True}, {"optionId": "x"}),
        ({"freeformText": "the second"}, {"text": "the second"}),
    ],
)
async def test_an_answer_needs_no_type(
    gateway: RunningGateway, response: dict[str, Any], answer: dict[str, Any]
) -> None:
    run = ByHand(gateway.handler, await gateway.start_run())
    await run.planned()
    await run.start()
    waiting = await asked(gateway, run, "a", options=({"id": "x", "label": "X"},))
    body = {"runId": run.run_id, "requestId": waiting.request_id, "responses": [response]}
    reply, outcome = await gateway.post("/api/hitl/resume", body)
    assert reply.status == 200, outcome
    (resolved,) = await waiting.events("hitl_resolved")
    assert (resolved.detail or {})["answer"].items() >= answer.items()


async def test_a_response_that_does_not_say_what_it_is_is_not_guessed(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway)
    for response in (
        {},
        {"approved": None},
        {"editedOutput": OUTPUT},
        {"approved": True, "editedOutput": OUTPUT},
        {"approved": False, "selectedOptionId": "x"},
    ):
        body = {"runId": waiting.run_id, "requestId": waiting.request_id, "responses": [response]}
        answer, problem = await gateway.post("/api/hitl/resume", body)
        found = [(each["code"], each["pointer"]) for each in problem["errors"]]
        assert (answer.status, found) == (400, [("missing", "/responses/0/responseType")])
    assert await waiting.status() == "awaiting_hitl"


async def test_the_only_open_request_of_a_run_or_thread_is_removed_without_its_id(
    gateway: RunningGateway,
) -> None:
    for thread, place in (("t-1", "runId"), ("t-2", "threadId")):
        waiting = await waiting_for_approval(gateway, thread=thread)
        named = {"runId": waiting.run_id} if place == "runId" else {"threadId": thread}
        answer, outcome = await gateway.post("/api/hitl/remove", {**named, "reason": "withdrawn"})
        assert answer.status == 200, outcome
        assert [each["requestId"] for each in outcome["requests"]] == [waiting.request_id]
        assert await waiting.status() == "aborted"
        answer, problem = await gateway.post("/api/hitl/remove", {**named, "reason": "withdrawn"})
        assert (answer.status, problem["code"]) == (404, "request_unknown")


async def test_where_several_requests_are_open_the_one_to_remove_is_named(gateway: RunningGateway) -> None:
    first = await waiting_for_approval(gateway, thread="t")
    second = await waiting_for_approval(gateway, thread="t")
    answer, problem = await gateway.post("/api/hitl/remove", {"threadId": "t"})
    assert (answer.status, problem["code"]) == (409, "request_ambiguous")
    assert first.request_id in problem["detail"]
    assert second.request_id in problem["detail"]
    assert [await each.status() for each in (first, second)] == ["awaiting_hitl"] * 2
    answer, problem = await gateway.post("/api/hitl/remove", {"reason": "which?"})
    assert (answer.status, problem["errors"][0]["pointer"]) == (400, "/requestId")


async def test_a_task_is_submitted_by_run_resume_as_the_screens_do(gateway: RunningGateway) -> None:
    run, _ = await with_task(gateway)
    body = {
        "operator": {"id": "u1", "displayName": "Ada"},
        "correlationId": "screen-1",
        "payload": {
            "nodeId": "look",
            "output": {"approved": True},
            "note": "fine",
            "submittedAt": "2026-11-27T12:00:00.000Z",
        },
    }
    async with resumed(gateway, run.run_id, body) as stream:
        assert stream.response.headers["X-Correlation-Id"] == "screen-1"
        await stream.until(1)
        await run.work("b")
        await run.deliver()
        await stream.to_end()
    assert stream.types == ["node_complete", "node_start", "node_complete", "complete"]
    done = stream.frames[0]["payload"]
    assert (done["output"], done["operator"], done["note"]) == ({"approved": True}, "u1", "fine")


async def test_a_task_is_declined_by_run_resume_as_the_screens_do(gateway: RunningGateway) -> None:
    run, _ = await with_task(gateway)
    decline = {"reason": "no time", "note": None}
    body = {"operator": {"id": "u1"}, "payload": {"nodeId": "look", "decline": decline}}
    async with resumed(gateway, run.run_id, body) as stream:
        await stream.to_end()
    assert stream.types == ["node_error", "complete"]
    assert stream.frames[0]["payload"]["error"]["message"] == "declined by u1: no time"


async def test_a_task_that_cannot_be_taken_from_run_resume_is_refused_and_nothing_is_lost(
    gateway: RunningGateway,
) -> None:
    run, _ = await with_task(gateway)
    good = {"nodeId": "look", "output": {"approved": True}}
    decline = {"decline": {"reason": "no"}}
    refused: list[tuple[dict[str, Any], int, str]] = [
        ({**good, "outptu": {}}, 400, "/payload/outptu"),
        ({"nodeId": "look", "decline": {"reason": "no", "why": "?"}}, 400, "/payload/decline/why"),
        ({"output": {}}, 400, "/payload/nodeId"),
        ({"nodeId": "look"}, 400, "/payload/output"),
        ({**good, **decline}, 400, "/payload/decline"),
        ({**good, "responses": []}, 400, "/payload/nodeId"),
        ({"requestId": "q"}, 400, "/payload/responses"),
        ({"nodeId": "look", "output": {"approved": 1}}, 422, "/payload/output/approved"),
    ]
    for payload, status, pointer in refused:
        answer, problem = await gateway.post(f"{API}/run.resume", {"runId": run.run_id, "payload": payload})
        assert (answer.status, problem["errors"][0]["pointer"]) == (status, pointer)
    answer, problem = await gateway.post(f"{API}/run.resume", {"runId": run.run_id, "paylod": good})
    assert (answer.status, problem["errors"][0]["pointer"]) == (400, "/paylod")
    for node_id, code in (("b", "not_ready"), ("nowhere", "stale_attempt")):
        body = {"runId": run.run_id, "payload": {**good, "nodeId": node_id}}
        answer, problem = await gateway.post(f"{API}/run.resume", body)
        assert (answer.status, problem["code"]) == (409, code)
    assert (await gateway.store.load(run.run_id, fresh=True)).status == "awaiting_human"


async def test_a_decision_names_the_output_that_it_is_about(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway, quorum=2)
    _, shown = await gateway.get(f"/api/hitl/requests/{waiting.request_id}")
    (asked_for,) = await waiting.events("hitl_request")
    seen = shown["outputHash"]
    assert seen == asked_for.payload["outputHash"]

    async def decide(operator: str, **response: Any) -> tuple[int, Any]:
        body = {"runId": waiting.run_id, "requestId": waiting.request_id, "operator": operator}
        answer, outcome = await gateway.post("/api/hitl/resume", {**body, "responses": [response]})
        return answer.status, outcome

    edit = {"responseType": "edit", "editedOutput": {"text": "better"}, "expectedOutputHash": seen}
    assert (await decide("ann", **edit))[0] == 200
    status, problem = await decide("bob", responseType="approval", expectedOutputHash=seen)
    assert (status, problem["code"]) == (409, "stale_output")
    _, shown = await gateway.get(f"/api/hitl/requests/{waiting.request_id}")
    assert (shown["pendingOutput"], shown["outputHash"] != seen) == ({"text": "better"}, True)
    assert "outputHash" not in shown["proposal"]
    approval = {"responseType": "approval", "expectedOutputHash": shown["outputHash"]}
    assert (await decide("bob", **approval))[0] == 200
    (resolved,) = await waiting.events("hitl_resolved")
    assert resolved.payload["outputHash"] == shown["outputHash"]


async def test_a_question_without_an_output_refuses_a_hash(gateway: RunningGateway) -> None:
    run = ByHand(gateway.handler, await gateway.start_run())
    await run.planned(human("a"))
    await run.start()
    assert (await gateway.store.load(run.run_id, fresh=True)).status == "awaiting_human"
    other = ByHand(gateway.handler, await gateway.start_run())
    await other.planned()
    await other.start()
    waiting = await asked(gateway, other, "a")
    response = {"responseType": "freeform", "freeformText": "x", "expectedOutputHash": "0" * 64}
    body = {"runId": other.run_id, "requestId": waiting.request_id, "responses": [response]}
    answer, problem = await gateway.post("/api/hitl/resume", body)
    assert (answer.status, problem["code"]) == (409, "stale_output")
