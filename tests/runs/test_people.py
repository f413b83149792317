"""People in the loop, rule by rule: who may decide, what follows, what happens when nobody does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runs import commands as c
from runs import errors as e
from runs.event import rfc3339
from runs.outstanding import outstanding
from tests.support.given import ANN, BOB, NOON, Given, at, node, waiting_for_approval

WRONG = (
    {"instancePath": "/x", "keyword": "type", "message": "must be string", "params": {}, "schemaPath": "#/x"},
)
SUE = c.Actor("sue", verified=True)


def due(given: Given) -> set[tuple[str, str]]:
    return {key for key, work in outstanding(given.state).items() if work.queue != "timer"}


def asking_policy(trigger: Any, **action: Any) -> dict[str, Any]:
    return {"runtime": [{"id": "look", "trigger": trigger, "action": {"type": "hitl", **action}}]}


def test_an_output_that_needs_approval_waits_with_nothing_to_do():
    given = waiting_for_approval()
    assert given.types == ["hitl_request"]
    assert given.new[0].payload["pendingOutput"] == {"n": 1}
    assert given.state.status == "awaiting_hitl"
    assert outstanding(given.state) == {}


@pytest.mark.parametrize("place", ["policies", "constraints"])
def test_approval_may_be_asked_for_in_policies_or_in_constraints(place: str):
    given = Given().started(**{place: {"requiresHitlApproval": True}})
    given = given.planned(node("a")).start("a").complete("a").deliver()
    assert given.state.status == "awaiting_hitl"


def test_approval_completes_the_run_with_the_output_that_was_shown():
    given = waiting_for_approval().respond("approval", note="fine")
    assert given.types == ["hitl_resolved", "complete"]
    assert given.new[0].payload["decision"] == "approved"
    assert given.new[0].payload["operator"] == "ann"
    assert given.new[0].payload["note"] == "fine"
    assert given.new[1].payload == {"status": "completed", "output": {"n": 1}}


def test_rejection_fails_the_run_with_the_reason():
    given = waiting_for_approval().respond("rejection", note="off brand")
    assert given.types == ["hitl_resolved", "complete"]
    assert given.state.error == {
        "code": "hitl_rejected",
        "message": "rejected by ann: off brand",
        "details": {"requestId": given.new[0].payload["requestId"], "operator": "ann", "reason": "off brand"},
    }


def test_rejection_may_run_the_work_again_with_the_feedback():
    given = waiting_for_approval(onReject="rerun").respond("rejection", text="shorter")
    assert given.types == ["hitl_resolved"]
    assert due(given) == {("node", "a")}
    assert given.state.nodes["a"].answers[0].get("text") == "shorter"
    given = given.start("a").complete("a", "short").deliver("short")
    assert given.types == ["hitl_request"]
    assert given.respond("approval").state.output == "short"


def test_rejection_may_plan_again():
    given = waiting_for_approval(onReject="replan").respond("rejection", note="no video")
    assert given.state.status == "pending"
    assert due(given) == {("plan", "")}
    given = given.planned(node("z"))
    assert given.types == ["plan_requested", "plan_updated"]
    assert given.new[1].payload["previousVersion"] == 1
    assert given.new[1].payload["version"] == 2
    assert due(given) == {("node", "z")}


def test_an_edit_replaces_the_output():
    given = waiting_for_approval().respond("edit", edited_output={"n": 2})
    assert given.new[0].payload["decision"] == "edited"
    assert given.state.output == {"n": 2}


def test_an_edit_that_breaks_the_contract_is_refused_with_the_errors_and_the_request_stays_open():
    given = waiting_for_approval()
    with pytest.raises(e.ResponseInvalid) as refusal:
        given.respond("edit", edited_output={"n": "x"}, errors=WRONG)
    assert refusal.value.details["errors"] == list(WRONG)
    assert len(given.state.open_requests) == 1


def test_a_decision_counts_once():
    given = waiting_for_approval()
    request_id = given.state.open_requests[0].id
    given = given.respond("approval")
    for response_type in ("approval", "rejection"):
        with pytest.raises(e.RequestResolved) as refusal:
            given.when(
                c.ResolveRequest(now=NOON, request_id=request_id, response_type=response_type, actor=BOB)
            )
        assert refusal.value.details["decision"] == "approved"


def test_an_unknown_request_is_refused():
    with pytest.raises(e.RequestUnknown):
        waiting_for_approval().when(
            c.ResolveRequest(now=NOON, request_id="nope", response_type="approval", actor=ANN)
        )


@pytest.mark.parametrize(("approvers", "allowed"), [(["legal"], False), (["editor"], True), (["ann"], True)])
def test_only_approvers_may_decide_by_name_or_role(approvers: list[str], allowed: bool):
    given = waiting_for_approval(approvers=approvers)
    if allowed:
        assert given.respond("approval").state.status == "completed"
        return
    with pytest.raises(e.NotAllowed):
        given.respond("approval")


def test_a_claimed_name_does_not_count_beside_a_token_but_is_kept():
    given = waiting_for_approval(approvers=["bob"])
    with pytest.raises(e.NotAllowed):
        given.respond("approval", ANN, claimed_operator="bob")
    given = given.respond("approval", BOB, claimed_operator="ann")
    assert given.new[0].payload["operator"] == "bob"
    assert given.new[0].detail == {"claimedOperator": "ann"}


def test_a_claimed_name_counts_where_there_are_no_tokens():
    given = waiting_for_approval(approvers=["bob"])
    given = given.respond("approval", c.Actor("anonymous"), claimed_operator="bob")
    assert given.new[0].payload["operator"] == "bob"


def test_whoever_submitted_may_not_approve_where_the_policy_forbids_it():
    given = waiting_for_approval(forbidSubmitter=True)
    with pytest.raises(e.NotAllowed):
        given.respond("approval", SUE)
    assert given.respond("approval", ANN).state.status == "completed"


def test_a_quorum_needs_two_different_people():
    given = waiting_for_approval(quorum=2).respond("approval", ANN)
    assert given.types == ["log"]
    assert given.state.status == "awaiting_hitl"
    with pytest.raises(e.NotAllowed):
        given.respond("approval", ANN)
    given = given.respond("approval", BOB)
    assert given.types == ["hitl_resolved", "complete"]


def test_one_rejection_ends_a_quorum():
    given = waiting_for_approval(quorum=2).respond("approval", ANN).respond("rejection", BOB)
    assert given.state.status == "failed"


def test_an_edit_under_a_quorum_needs_the_others_to_approve_the_edited_output():
    given = waiting_for_approval(quorum=2).respond("approval", ANN)
    given = given.respond("edit", BOB, edited_output={"n": 9})
    assert given.types == ["log"]
    given = given.respond("approval", ANN)
    assert given.state.output == {"n": 9}


def test_expiry_rejects_unless_told_otherwise():
    given = waiting_for_approval(expiresInSeconds=60)
    request = given.state.open_requests[0]
    assert given.new[0].payload["expiresAt"] == rfc3339(at(60))
    assert outstanding(given.state)["request_expiry", request.id].due_at == at(48)
    with pytest.raises(e.NotReady):
        given.when(c.ExpireRequest(now=at(47), request_id=request.id))
    given = given.when(c.ExpireRequest(now=at(60), request_id=request.id))
    assert given.types == ["hitl_resolved", "complete"]
    assert given.state.error is not None
    assert given.state.error["code"] == "hitl_expired"


def test_expiry_may_approve():
    given = waiting_for_approval(expiresInSeconds=60, onExpiry="approve")
    request = given.state.open_requests[0]
    given = given.when(c.ExpireRequest(now=at(60), request_id=request.id))
    assert given.state.status == "completed"
    assert given.new[0].payload["decision"] == "expired"


def test_nobody_decides_after_the_time_is_over_however_late_the_timer_is():
    given = waiting_for_approval(expiresInSeconds=60)
    request = given.state.open_requests[0]
    for command in (
        c.ResolveRequest(now=at(60), request_id=request.id, response_type="approval", actor=ANN),
        c.RemoveRequest(now=at(60), request_id=request.id, actor=ANN),
    ):
        with pytest.raises(e.RequestExpired):
            given.when(command)
    on_time = c.ResolveRequest(now=at(59), request_id=request.id, response_type="approval", actor=ANN)
    assert given.when(on_time).state.status == "completed"


def test_a_policys_question_that_expires_as_approved_lets_the_run_go_on():
    policies = asking_policy("plan_generated", hitl={"expiresInSeconds": 60, "onExpiry": "approve"})
    given = Given().started(policies=policies).planned(node("a"))
    request = given.state.open_requests[0]
    given = given.when(c.ExpireRequest(now=at(60), request_id=request.id))
    assert given.types == ["hitl_resolved"]
    assert due(given) == {("node", "a")}


def test_expiry_may_escalate_to_another_role_once():
    given = waiting_for_approval(
        approvers=["editor"], expiresInSeconds=60, onExpiry="escalate", escalateTo="legal"
    )
    first = given.state.open_requests[0]
    given = given.when(c.ExpireRequest(now=at(60), request_id=first.id))
    assert given.types == ["hitl_resolved", "hitl_request"]
    second = given.state.open_requests[0]
    assert second.id != first.id
    assert second.expires_at == at(120)
    with pytest.raises(e.NotAllowed):
        given.respond("approval", ANN)
    assert given.respond("approval", BOB).state.status == "completed"
    expired = given.when(c.ExpireRequest(now=at(120), request_id=second.id))
    assert expired.state.status == "failed"


def test_a_capability_that_asks_runs_again_with_the_answer():
    given = Given().started().planned(node("a"), node("b")).start("a").start("b")
    ask = c.RequestClarification(now=NOON, node_id="a", attempt=1, question="Which city?")
    given = given.when(ask)
    assert given.types == ["hitl_request"]
    assert given.new[0].payload["kind"] == "clarify"
    assert given.state.status == "running"
    given = given.complete("b")
    assert given.state.status == "awaiting_hitl"
    with pytest.raises(e.ResponseInvalid):
        given.respond("approval")
    given = given.respond("freeform", text="Ghent")
    assert given.new[0].payload["decision"] == "answered"
    assert due(given) == {("node", "a")}
    given = given.start("a")
    assert given.state.nodes["a"].answers[0].get("text") == "Ghent"
    assert given.state.nodes["a"].answers[0]["question"] == "Which city?"
    assert given.state.nodes["a"].failures == 0


def test_a_choice_takes_one_of_its_options_only():
    options = ({"id": "x", "label": "X"}, {"id": "y", "label": "Y"})
    ask = c.RequestClarification(
        now=NOON, node_id="a", attempt=1, question="?", options=options, allow_free_form=False
    )
    given = Given().started().planned(node("a")).start("a").when(ask)
    with pytest.raises(e.ResponseInvalid):
        given.respond("option", option_id="z")
    with pytest.raises(e.ResponseInvalid):
        given.respond("freeform", text="z")
    given = given.respond("option", option_id="y")
    assert given.state.nodes["a"].answers[0].get("optionId") == "y"


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_two_open_requests_are_resolved_in_either_order_without_mixing_them_up(order: tuple[str, str]):
    given = Given().started().planned(node("a"), node("b"), node("c", "a", "b")).start("a").start("b")
    for node_id in ("a", "b"):
        given = given.when(
            c.RequestClarification(now=NOON, node_id=node_id, attempt=1, question=f"{node_id}?")
        )
    requests = {request.node_id: request.id for request in given.state.open_requests}
    for node_id in order:
        answer = c.ResolveRequest(
            now=NOON,
            request_id=requests[node_id],
            response_type="freeform",
            actor=ANN,
            text=f"for {node_id}",
        )
        given = given.when(answer)
    for node_id in ("a", "b"):
        assert given.state.nodes[node_id].answers[0].get("text") == f"for {node_id}"
    assert due(given) == {("node", "a"), ("node", "b")}


def test_a_failed_node_may_be_done_by_the_person_who_was_asked():
    contract = {"maxAttempts": 1, "fallback": "hitl"}
    given = Given().started().planned(node("a", contract=contract), node("b", "a")).start("a").fail("a")
    given = given.respond("edit", edited_output={"by": "hand"})
    assert given.state.nodes["a"].output == {"by": "hand"}
    assert due(given) == {("node", "b")}


def test_giving_up_on_a_failed_node_fails_the_run():
    contract = {"maxAttempts": 1, "fallback": "hitl"}
    given = Given().started().planned(node("a", contract=contract)).start("a").fail("a")
    assert given.respond("option", option_id="fail").state.status == "failed"


def test_an_escalated_request_about_a_failed_node_can_still_be_answered():
    hitl = {"expiresInSeconds": 5, "onExpiry": "escalate", "escalateTo": "legal"}
    contract = {"maxAttempts": 1, "fallback": "hitl"}
    given = (
        Given().started(policies={"hitl": hitl}).planned(node("a", contract=contract)).start("a").fail("a")
    )
    given = given.when(c.ExpireRequest(now=at(5), request_id=given.state.open_requests[0].id))
    given = given.respond("option", BOB, option_id="retry")
    assert due(given) == {("node", "a")}


def test_removing_a_request_ends_the_run_as_aborted():
    given = waiting_for_approval()
    request = given.state.open_requests[0]
    given = given.when(c.RemoveRequest(now=NOON, request_id=request.id, actor=ANN))
    assert given.types == ["hitl_resolved", "complete"]
    assert given.state.status == "aborted"


def test_abort_while_waiting_leaves_nothing_to_decide():
    given = waiting_for_approval()
    request = given.state.open_requests[0]
    given = given.when(c.AbortRun(now=NOON, actor=ANN))
    with pytest.raises(e.RunFinished):
        given.when(c.ResolveRequest(now=NOON, request_id=request.id, response_type="approval", actor=ANN))


def test_a_decision_on_a_stale_plan_version_is_refused():
    with pytest.raises(e.StalePlanVersion):
        waiting_for_approval().respond("approval", expected_plan_version=7)


def test_a_human_node_waits_for_a_person_and_takes_a_valid_output_only():
    given = Given().started().planned(node("a", agentType="human"), node("b", "a")).start("a")
    assert given.new[0].payload["executorType"] == "human"
    assert given.state.status == "awaiting_human"
    assert outstanding(given.state) == {}
    with pytest.raises(e.ResponseInvalid):
        given.when(c.SubmitTask(now=NOON, node_id="a", output=1, actor=ANN, errors=WRONG))
    given = given.when(c.SubmitTask(now=at(9), node_id="a", output="text", actor=ANN))
    assert given.new[0].payload["durationMs"] == 9_000
    assert given.new[0].payload["operator"] == "ann"
    assert due(given) == {("node", "b")}
    with pytest.raises(e.NotReady):
        given.when(c.SubmitTask(now=at(9), node_id="a", output="again", actor=BOB))


def test_only_assignees_may_do_a_human_node():
    given = (
        Given().started().planned(node("a", agentType="human", bundle={"assignees": ["legal"]})).start("a")
    )
    with pytest.raises(e.NotAllowed):
        given.when(c.SubmitTask(now=NOON, node_id="a", output=1, actor=ANN))
    assert given.when(c.SubmitTask(now=NOON, node_id="a", output=1, actor=BOB)).types == ["node_complete"]


def test_a_declined_task_fails_its_node():
    given = Given().started().planned(node("a", agentType="human")).start("a")
    given = given.when(c.DeclineTask(now=NOON, node_id="a", actor=ANN, reason="on leave"))
    assert given.types == ["node_error", "complete"]
    assert given.new[0].payload["error"] == {"code": "declined", "message": "declined by ann: on leave"}


def test_who_declined_a_task_is_in_the_log_beside_the_name_that_was_claimed():
    given = Given().started().planned(node("a", agentType="human")).start("a")
    said = c.DeclineTask(
        now=NOON, node_id="a", actor=ANN, reason="on leave", claimed_operator="bob", note="ask Sue"
    )
    (error, _) = given.when(said).new
    assert error.detail == {"operator": "ann", "note": "ask Sue", "claimedOperator": "bob"}
    (error, _) = given.when(replace(said, actor=c.Actor("anonymous"))).new
    assert error.detail == {"operator": "bob", "note": "ask Sue"}
    assert error.message == "declined by bob: on leave"


def test_a_policy_can_have_the_plan_approved_before_any_node_starts():
    given = Given().started(policies=asking_policy("plan_generated")).planned(node("a"), node("b", "a"))
    assert given.types == ["plan_requested", "plan_generated", "policy_triggered", "hitl_request"]
    assert given.state.status == "awaiting_hitl"
    assert due(given) == set()
    with pytest.raises(e.NotReady):
        given.start("a")
    given = given.respond("approval")
    assert given.types == ["hitl_resolved"]
    assert due(given) == {("node", "a")}


def test_a_policy_about_a_node_holds_back_only_what_comes_after_it():
    policies = asking_policy({"event": "node_complete", "nodeId": "a"}, question="Good?")
    given = (
        Given()
        .started(policies=policies)
        .planned(node("a"), node("b"), node("c", "a"))
        .start("a")
        .complete("a")
    )
    assert given.types == ["node_complete", "policy_triggered", "hitl_request"]
    assert given.state.status == "running"
    assert due(given) == {("node", "b")}
    given = given.start("b").complete("b")
    assert given.state.status == "awaiting_hitl"
    assert due(given.respond("approval")) == {("node", "c")}
    assert given.respond("rejection").state.status == "failed"


def test_a_policy_can_fail_the_run():
    policies = {"runtime": [{"id": "strict", "trigger": "validation_error", "action": "fail"}]}
    given = Given().started(policies=policies).planned(node("a")).start("a").complete("a", 1, WRONG)
    assert given.types == ["validation_error", "node_error", "policy_triggered", "complete"]
    assert given.state.error is not None
    assert given.state.error["code"] == "policy_failed"
