"""`POST /api/hitl/resume` and `/remove`: responses of people, and their effects."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from eventstore.batch import Lease
from eventstore.handler import Build, Outcome, RunHandler
from gateway.people.decisions import decisions_over
from runs.commands import Actor, Command, FailNode
from runs.decide import Decided
from runs.state import RunState
from schemas.hitl import ResumeBody
from schemas.parsing import validate_document
from tests.support.by_hand import ByHand
from tests.support.gateways import API, RunningGateway
from tests.support.given import node
from tests.support.people import ANN, BOB, OUTPUT, SUE, TOKENS, WRONG, Waiting, asked, waiting_for_approval

Start = Callable[..., Awaitable[RunningGateway]]


class RecordingHandler(RunHandler):
    """Records what is built for each transaction."""

    built: Sequence[Command] | Decided | None = None

    async def transact(self, run_id: str, build: Build, *, lease: Lease | None = None) -> Outcome:
        async def recorded(state: RunState) -> Sequence[Command] | Decided:
            self.built = await build(state)
            return self.built

        return await super().transact(run_id, recorded, lease=lease)


NOWHERE = "01900000-0000-7000-8000-00000000dead"


async def test_an_approval_completes_the_run_with_who_and_why(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway)
    status, body = await waiting.respond("approval", operator="ann", note="good")
    assert status == 200
    assert body == {
        "ok": True,
        "runId": waiting.run_id,
        "threadId": waiting.run_id,
        "status": "completed",
        "planVersion": 1,
        "lastEventId": "8",
        "pendingRequestId": None,
        "pendingRequestIds": [],
        "requests": [
            {
                "requestId": waiting.request_id,
                "status": "resolved",
                "decision": "approved",
                "operator": "ann",
                "note": "good",
            }
        ],
    }
    resolved, complete = (await waiting.events())[6:]
    assert resolved.payload == {
        "requestId": waiting.request_id,
        "decision": "approved",
        "operator": "ann",
        "note": "good",
        "outputHash": (await waiting.events("hitl_request"))[0].payload["outputHash"],
    }
    assert complete.payload == {"status": "completed", "output": OUTPUT}


async def test_a_rejection_fails_the_run_with_the_reason(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway)
    status, body = await waiting.respond("rejection", operator="bob", freeformText="too loud")
    assert (status, body["status"]) == (200, "failed")
    (complete,) = await waiting.events("complete")
    assert complete.payload["error"] == {
        "code": "hitl_rejected",
        "message": "rejected by bob: too loud",
        "details": {"requestId": waiting.request_id, "operator": "bob", "reason": "too loud"},
    }


async def test_a_rejection_with_rerun_sends_the_feedback_to_the_nodes(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway, onReject="rerun")
    status, body = await waiting.respond("rejection", note="warmer, please")
    assert (status, body["status"], body["pendingRequestId"]) == (200, "running", None)
    state = await gateway.store.load(waiting.run_id, fresh=True)
    assert state.nodes["a"].answers[0].get("text") == "warmer, please"
    assert state.nodes["a"].status == "ready"


async def test_a_valid_edit_is_what_goes_out(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway)
    status, body = await waiting.respond("edit", editedOutput={"text": "better"})
    assert (status, body["status"]) == (200, "completed")
    assert (await waiting.events("complete"))[0].payload["output"] == {"text": "better"}


async def test_an_edit_that_breaks_the_contract_is_refused_with_the_errors_and_nothing_is_stored(
    gateway: RunningGateway,
) -> None:
    waiting = await waiting_for_approval(gateway)
    before = await waiting.types()
    status, problem = await waiting.respond("edit", editedOutput=WRONG)
    assert (status, problem["code"]) == (422, "response_invalid")
    (error,) = problem["errors"]
    assert error == {
        "pointer": "/responses/0/editedOutput",
        "code": "required",
        "message": "must have required property 'text'",
        "instancePath": "",
        "keyword": "required",
        "params": {"missingProperty": "text"},
        "schemaPath": "#/required",
    }
    assert await waiting.types() == before
    assert (await waiting.respond("edit", editedOutput={"text": 1}))[0] == 200


async def test_an_edit_for_a_failed_node_is_checked_by_the_nodes_contract(gateway: RunningGateway) -> None:
    run = ByHand(gateway.handler, await gateway.start_run())
    contract = {
        "maxAttempts": 1,
        "fallback": "hitl",
        "output": {"type": "array", "items": {"type": "integer"}},
    }
    await run.planned(node("a", contract=contract))
    await run.start()
    outcome = await run.do(FailNode, node_id="a", attempt=1, error_code="boom", message="it broke")
    waiting = Waiting(gateway, run.run_id, outcome.state.open_requests[0].id)
    status, problem = await waiting.respond("edit", editedOutput=[1, "two"])
    assert status == 422
    assert [error["pointer"] for error in problem["errors"]] == ["/responses/0/editedOutput/1"]
    status, body = await waiting.respond("edit", editedOutput=[1, 2])
    assert (status, body["status"]) == (200, "running")
    assert (await gateway.store.load(run.run_id)).nodes["a"].output == [1, 2]


@pytest.mark.parametrize(
    ("response", "code"),
    [
        ({"responseType": "approval"}, "response_invalid"),
        ({"responseType": "option", "selectedOptionId": "zz"}, "response_invalid"),
        ({"responseType": "edit", "editedOutput": 1}, "response_invalid"),
    ],
)
async def test_a_response_that_does_not_fit_the_question_is_refused(
    gateway: RunningGateway, response: dict[str, Any], code: str
) -> None:
    run = ByHand(gateway.handler, await gateway.start_run())
    await run.planned()
    await run.start()
    waiting = await asked(gateway, run, "a", options=({"id": "x", "label": "X"},))
    body = {"runId": run.run_id, "requestId": waiting.request_id, "responses": [response]}
    answer, problem = await gateway.post("/api/hitl/resume", body)
    assert (answer.status, problem["code"]) == (422, code)
    assert [error["pointer"] for error in problem["errors"]] == ["/responses/0"]
    assert await waiting.status() == "awaiting_hitl"


async def test_a_question_is_answered_in_words_or_by_an_option(gateway: RunningGateway) -> None:
    run = ByHand(gateway.handler, await gateway.start_run())
    await run.planned(node("a"), node("b"))
    await run.start("a")
    await run.start("b")
    free = await asked(gateway, run, "a")
    choice = await asked(gateway, run, "b", options=({"id": "x", "label": "X"},), allow_free_form=False)
    status, body = await choice.respond("option", selectedOptionId="x", freeformText="of course")
    assert (status, body["pendingRequestId"]) == (200, free.request_id)
    assert (await free.respond("freeform", freeformText="Ghent"))[1]["pendingRequestId"] is None
    nodes = (await gateway.store.load(run.run_id)).nodes
    assert nodes["a"].answers[0].get("text") == "Ghent"
    assert nodes["b"].answers[0] | {"optionId": "x", "text": "of course"} == nodes["b"].answers[0]


@pytest.mark.parametrize("first", ["a", "b"])
async def test_two_open_requests_are_decided_in_either_order(gateway: RunningGateway, first: str) -> None:
    run = ByHand(gateway.handler, await gateway.start_run())
    await run.planned(node("a"), node("b"), node("c", "a", "b"))
    for name in ("a", "b"):
        await run.start(name)
    requests = {name: await asked(gateway, run, name) for name in ("a", "b")}
    second = "b" if first == "a" else "a"
    status, body = await requests[first].respond("freeform", freeformText=f"for {first}")
    assert (status, body["pendingRequestId"]) == (200, requests[second].request_id)
    assert (await requests[second].respond("freeform", freeformText=f"for {second}"))[0] == 200
    nodes = (await gateway.store.load(run.run_id, fresh=True)).nodes
    assert [nodes[name].answers[0].get("text") for name in ("a", "b")] == ["for a", "for b"]


async def test_several_responses_are_decided_in_one_commit_or_not_at_all(gateway: RunningGateway) -> None:
    run = ByHand(gateway.handler, await gateway.start_run())
    await run.planned(node("a"), node("b"))
    for name in ("a", "b"):
        await run.start(name)
    one, two = [await asked(gateway, run, name) for name in ("a", "b")]
    good = {"requestId": one.request_id, "responseType": "freeform", "freeformText": "yes"}
    bad = {"requestId": two.request_id, "responseType": "approval"}
    answer, problem = await gateway.post("/api/hitl/resume", {"runId": run.run_id, "responses": [good, bad]})
    assert (answer.status, problem["errors"][0]["pointer"]) == (422, "/responses/1")
    assert await one.events("hitl_resolved") == []
    fine = {**bad, "responseType": "freeform", "freeformText": "no"}
    answer, body = await gateway.post("/api/hitl/resume", {"runId": run.run_id, "responses": [good, fine]})
    assert answer.status == 200
    assert [each["decision"] for each in body["requests"]] == ["answered", "answered"]
    resolved = await one.events("hitl_resolved")
    assert [event.payload["requestId"] for event in resolved] == [one.request_id, two.request_id]
    assert resolved[0].recorded_at == resolved[1].recorded_at


async def test_a_rejection_does_not_keep_the_other_responses_of_its_body_from_counting(
    gateway: RunningGateway,
) -> None:
    run = ByHand(gateway.handler, await gateway.start_run())
    await run.planned(node("a"), node("b"), node("c"))
    for name in ("a", "b", "c"):
        await run.start(name)
    requests = [await asked(gateway, run, name) for name in ("a", "b", "c")]
    kinds = ("rejection", "freeform", "rejection")
    responses = [
        {"requestId": each.request_id, "responseType": kind, "freeformText": kind}
        for each, kind in zip(requests, kinds, strict=True)
    ]
    answer, body = await gateway.post("/api/hitl/resume", {"runId": run.run_id, "responses": responses})
    assert (answer.status, body["status"], body["pendingRequestId"]) == (200, "failed", None)
    assert [each["status"] for each in body["requests"]] == ["resolved", "resolved", "cancelled"]
    assert [each.get("decision") for each in body["requests"]] == ["rejected", "answered", None]


async def test_a_request_is_found_by_its_thread(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway, thread="talk")
    await waiting_for_approval(gateway, thread="talk")
    response = {"responseType": "approval"}
    body = {"threadId": "other", "requestId": waiting.request_id, "responses": [response]}
    answer, problem = await gateway.post("/api/hitl/resume", body)
    assert (answer.status, problem["code"]) == (404, "request_unknown")
    answer, decided = await gateway.post("/api/hitl/resume", {**body, "threadId": "talk"})
    assert (answer.status, decided["runId"], decided["threadId"]) == (200, waiting.run_id, "talk")


async def test_what_is_not_there_is_404(gateway: RunningGateway) -> None:
    waiting, other = await waiting_for_approval(gateway), await waiting_for_approval(gateway)
    response = {"responses": [{"responseType": "approval"}]}
    for names, code in (
        ({"runId": NOWHERE, "requestId": waiting.request_id}, "run_unknown"),
        ({"runId": "no-id", "requestId": waiting.request_id}, "run_unknown"),
        ({"runId": waiting.run_id, "requestId": NOWHERE}, "request_unknown"),
        ({"runId": waiting.run_id, "requestId": other.request_id}, "request_unknown"),
        ({"threadId": "t", "runId": waiting.run_id, "requestId": waiting.request_id}, "request_unknown"),
    ):
        answer, problem = await gateway.post("/api/hitl/resume", {**response, **names})
        assert (answer.status, problem["code"]) == (404, code), names
    assert (await gateway.get(f"/api/hitl/requests/{NOWHERE}"))[0].status == 404
    assert (await gateway.post("/api/hitl/remove", {"requestId": NOWHERE}))[0].status == 404


async def test_what_is_decided_or_over_or_out_of_date_is_409(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway)
    status, problem = await waiting.respond("approval", expectedPlanVersion=2)
    assert (status, problem["code"]) == (409, "stale_plan_version")
    assert (await waiting.respond("approval", expectedPlanVersion=1))[0] == 200
    status, problem = await waiting.respond("rejection")
    assert (status, problem["code"]) == (409, "request_resolved")
    aborted = await waiting_for_approval(gateway)
    await gateway.post(f"{API}/runs/{aborted.run_id}/abort", {})
    status, problem = await aborted.respond("approval")
    assert (status, problem["code"]) == (409, "run_finished")
    assert (await aborted.types())[-2:] == ["hitl_request", "complete"]


async def test_an_expired_request_takes_no_decision_even_if_nobody_has_fired_its_timer(
    gateway: RunningGateway,
) -> None:
    waiting = await waiting_for_approval(gateway, expiresInSeconds=0.000001)
    status, problem = await waiting.respond("approval")
    assert (status, problem["code"]) == (409, "request_expired")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"responses": [{"responseType": "approval"}]}, "/runId"),
        ({"runId": NOWHERE, "responses": []}, "/responses"),
        ({"runId": NOWHERE, "responses": [{"responseType": "approval"}]}, "/responses/0/requestId"),
        (
            {"runId": NOWHERE, "requestId": "r", "responses": [{"responseType": "shrug"}]},
            "/responses/0/responseType",
        ),
        (
            {"runId": NOWHERE, "requestId": "r", "responses": [{"responseType": "edit"}]},
            "/responses/0/editedOutput",
        ),
    ],
)
async def test_a_body_that_means_nothing_is_400_with_the_place(
    gateway: RunningGateway, body: dict[str, Any], pointer: str
) -> None:
    answer, problem = await gateway.post("/api/hitl/resume", body)
    assert (answer.status, problem["code"]) == (400, "invalid_body")
    assert pointer in [error["pointer"] for error in problem["errors"]]


async def test_without_tokens_the_operator_in_the_body_is_who_decides(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway, approvers=["ann"])
    assert (await waiting.respond("approval"))[0] == 403
    assert (await waiting.respond("approval", operator={"id": "bob"}))[0] == 403
    status, body = await waiting.respond("approval", operator={"id": "ann", "displayName": "Ann"})
    assert (status, body["requests"][0]["operator"]) == (200, "ann")


async def test_with_tokens_it_is_the_token_and_what_the_body_claims_is_kept_beside_it(
    start_gateway: Start,
) -> None:
    gateway = await start_gateway(tokens=TOKENS)
    waiting = await waiting_for_approval(gateway, by=SUE, approvers=["editor"])
    status, problem = await waiting.respond("approval", by=BOB, operator="ann")
    assert (status, problem["code"]) == (403, "not_allowed")
    assert (await waiting.respond("approval"))[0] == 401
    status, body = await waiting.respond("approval", by=ANN, operator="mallory")
    assert (status, body["requests"][0]["operator"]) == (200, "ann")
    (resolved,) = await waiting.events("hitl_resolved")
    assert resolved.detail == {"claimedOperator": "mallory"}


async def test_whoever_submitted_the_run_does_not_approve_it_where_the_policy_forbids_it(
    start_gateway: Start,
) -> None:
    gateway = await start_gateway(tokens=TOKENS)
    waiting = await waiting_for_approval(gateway, by=SUE, forbidSubmitter=True)
    assert (await waiting.respond("approval", by=SUE))[0] == 403
    assert (await waiting.respond("approval", by=ANN))[0] == 200


async def test_a_quorum_of_two_is_not_reached_by_one_person_twice(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=TOKENS)
    waiting = await waiting_for_approval(gateway, by=SUE, quorum=2)
    status, body = await waiting.respond("approval", by=ANN, note="mine")
    assert (status, body["status"], body["pendingRequestId"]) == (200, "awaiting_hitl", waiting.request_id)
    assert body["requests"] == [
        {
            "requestId": waiting.request_id,
            "status": "pending",
            "votes": [{"operator": "ann", "note": "mine"}],
            "quorum": 2,
        }
    ]
    status, problem = await waiting.respond("approval", by=ANN, operator="bob")
    assert (status, problem["code"]) == (403, "not_allowed")
    assert await waiting.status() == "awaiting_hitl"
    assert (await waiting.respond("approval", by=BOB))[1]["status"] == "completed"
    assert len(await waiting.events("hitl_resolved")) == 1


async def test_a_request_that_is_taken_back_ends_its_run(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway)
    body = {"requestId": waiting.request_id, "reason": "not needed", "operator": "ann"}
    answer, removed = await gateway.post("/api/hitl/remove", body)
    assert (answer.status, removed["status"]) == (200, "aborted")
    (outcome,) = removed["requests"]
    assert (outcome["decision"], outcome["operator"], outcome["note"]) == ("removed", "ann", "not needed")
    assert (await gateway.post("/api/hitl/remove", body))[0].status == 409


async def test_what_is_appended_is_what_the_responses_were_decided_to(gateway: RunningGateway) -> None:
    """The handler appends the decision as it is, without deciding again."""
    waiting = await waiting_for_approval(gateway)
    deps = gateway.gateway.deps
    handler = RecordingHandler(deps.store)
    decisions = decisions_over(replace(deps, handler=handler), gateway.gateway.capabilities)
    body = validate_document(
        ResumeBody,
        {
            "runId": waiting.run_id,
            "responses": [{"requestId": waiting.request_id, "responseType": "approval"}],
        },
    )
    outcome = await decisions.decide(body, Actor("ann"))
    assert isinstance(handler.built, Decided)
    assert outcome.state == handler.built.state
    assert outcome.events == handler.built.events
    assert [event.type for event in outcome.events] == ["hitl_resolved", "complete"]
    assert outcome.state.seq == len(await waiting.events())
