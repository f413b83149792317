"""Plans that people approve, edit or reject before any of their nodes starts."""

from __future__ import annotations

from typing import Any

import pytest

from runs import commands as c
from runs import errors as e
from runs.outstanding import outstanding
from runs.rules.plan_approval import MAX_PLAN_REJECTIONS
from schemas.canonical import content_hash
from tests.support.given import BOB, Given, node, plan

METADATA = {"cost": {"micros": 7, "seconds": 2, "tokens": 0, "nodes": 2}, "proved": True}


def waiting(*nodes: dict[str, Any], envelope: dict[str, Any] | None = None, **hitl: Any) -> Given:
    """A run whose plan waits for a person under these rules."""
    given = Given().started(**{"policies": {"hitl": {"plan": True, **hitl}}, **(envelope or {})})
    return given.planned(*(nodes or (node("a"), node("b", "a"))), metadata=METADATA)


def due(given: Given) -> set[tuple[str, str]]:
    return {key for key, work in outstanding(given.state).items() if work.queue != "timer"}


def test_a_plan_is_asked_about_with_itself_and_its_cost_and_nothing_starts() -> None:
    given = waiting()
    assert given.types == ["plan_requested", "plan_generated", "hitl_request"]
    asked = given.new[-1].payload
    assert [each["id"] for each in asked["pendingOutput"]["nodes"]] == ["a", "b"]
    assert asked["additionalContext"]["cost"] == METADATA["cost"]
    assert asked["additionalContext"]["planVersion"] == 1
    assert asked["outputHash"] == content_hash(asked["pendingOutput"])
    assert (given.state.status, due(given)) == ("awaiting_hitl", set())
    with pytest.raises(e.NotReady, match="waits for a person's decision"):
        given.start("a")


def test_without_the_policy_nobody_is_asked_about_a_plan() -> None:
    given = Given().started(policies={"hitl": {"quorum": 1}}).planned(node("a"))
    assert "hitl_request" not in given.types


def test_an_approved_plan_starts() -> None:
    given = waiting().respond("approval", note="go")
    assert given.types == ["hitl_resolved"]
    assert due(given) == {("node", "a")}
    assert given.state.plan_approval == {
        "runId": given.state.run_id,
        "requestId": given.new[0].payload["requestId"],
        "operator": "ann",
    }


def test_an_edited_plan_is_the_next_version_and_nobody_is_asked_again() -> None:
    given = waiting().respond("edit", edited_output=plan(node("a"), node("c", "a")), note="no b")
    assert given.types == ["hitl_resolved", "plan_updated"]
    updated = given.new[1].payload
    assert (updated["previousVersion"], updated["version"]) == (1, 2)
    assert updated["trigger"] == "edited by ann: no b"
    assert due(given) == {("node", "a")}
    assert set(given.state.nodes) == {"a", "c"}


def test_an_edited_plan_with_errors_is_refused_with_their_places() -> None:
    error = {"instancePath": "/nodes/0/capabilityId", "keyword": "capability_missing", "message": "no"}
    with pytest.raises(e.ResponseInvalid, match="the edited plan cannot be run") as refused:
        waiting().respond("edit", edited_output=plan(node("a")), errors=(error,))
    assert refused.value.details["errors"] == [error]


def test_an_edited_plan_keeps_to_the_budget() -> None:
    given = waiting(envelope={"constraints": {"budget": {"nodes": 2}}})
    with pytest.raises(e.ResponseInvalid) as refused:
        given.respond("edit", edited_output=plan(node("a"), node("b"), node("c")))
    assert [each["keyword"] for each in refused.value.details["errors"]] == ["over_budget"]


def test_a_rejected_plan_is_made_anew_with_the_words_and_asked_about_again() -> None:
    given = waiting().respond("rejection", note="b is too dear")
    assert given.types == ["hitl_resolved"]
    assert due(given) == {("plan", "")}
    assert given.state.replan_reason == "b is too dear"
    given = given.planned(node("a"), node("c", "a"))
    assert given.types == ["plan_requested", "plan_updated", "hitl_request"]
    assert given.new[-1].payload["additionalContext"]["rejected"] == [
        {"planVersion": 1, "operator": "ann", "words": "b is too dear"}
    ]
    assert due(given) == set()


def test_the_same_plan_under_other_names_is_no_other_plan() -> None:
    given = waiting().respond("rejection", note="b is too dear")
    same = [node("x", capabilityId="test.a"), node("y", "x", capabilityId="test.b")]
    given = given.planned(*same)
    assert given.types == ["plan_requested", "plan_rejected", "complete"]
    assert given.new[1].payload["diagnostics"][0]["code"] == "no_other_plan"
    assert "ann: b is too dear" in str(given.state.error)


def test_rejections_are_bounded() -> None:
    given = waiting()
    for number in range(MAX_PLAN_REJECTIONS):
        given = given.respond("rejection", note=f"no {number}").planned(node(f"n{number}"))
        assert given.state.status == "awaiting_hitl"
    given = given.respond("rejection", note="enough")
    assert given.types == ["hitl_resolved", "complete"]
    assert "too_many_plan_rejections" in str(given.state.error)
    assert "enough" in str(given.state.error)


def test_a_rejection_ends_the_run_where_the_rules_say_so() -> None:
    given = waiting(onReject="fail").respond("rejection", note="no")
    assert "hitl_rejected" in str(given.state.error)


def test_two_must_agree_on_one_plan() -> None:
    given = waiting(quorum=2).respond("edit", edited_output=plan(node("z")))
    assert given.types == ["log"]
    assert due(given) == set()
    given = given.respond("approval", BOB)
    assert given.types == ["hitl_resolved", "plan_updated"]
    assert set(given.state.nodes) == {"z"}


@pytest.mark.parametrize(
    ("action", "status", "types"),
    [("reject", "failed", ["hitl_resolved", "complete"]), ("approve", "running", ["hitl_resolved"])],
)
def test_the_end_of_its_time(action: str, status: str, types: list[str]) -> None:
    given = waiting(expiresInSeconds=60, onExpiry=action).later(61)
    (request,) = given.state.open_requests
    given = given.when(c.ExpireRequest(now=given.now, request_id=request.id))
    assert (given.types, given.state.status) == (types, status)


def test_a_plan_that_has_expired_is_asked_about_elsewhere() -> None:
    given = waiting(expiresInSeconds=60, onExpiry="escalate", escalateTo="bob").later(61)
    (request,) = given.state.open_requests
    given = given.when(c.ExpireRequest(now=given.now, request_id=request.id))
    assert given.types == ["hitl_resolved", "hitl_request"]
    assert due(given) == set()
    given = given.respond("approval", BOB)
    assert due(given) == {("node", "a")}


def test_the_wrong_person_may_not_decide_on_a_plan() -> None:
    with pytest.raises(e.NotAllowed):
        waiting(approvers=["ann"]).respond("approval", BOB)


def test_what_policies_ask_about_a_plan_goes_with_it() -> None:
    policies = {"hitl": {"plan": True}, "runtime": [{"id": "look", "trigger": "onPlan", "action": "hitl"}]}
    given = Given().started(policies=policies).planned(node("a"))
    mine, theirs = sorted(given.state.open_requests, key=lambda each: each.subject)
    assert (mine.subject, theirs.subject) == ("plan", "policy")
    reject = c.ResolveRequest(
        now=given.now, request_id=mine.id, response_type="rejection", actor=BOB, note="other"
    )
    given = given.when(reject)
    assert given.state.open_ids == ()
    assert given.state.requests[theirs.id].decision == "removed"
    given = given.planned(node("c"))
    assert len(given.state.open_ids) == 2
