"""A fork may tighten the rules of approval; to loosen them takes somebody who may decide, and authors stay authors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from runs import commands as c
from runs import errors as e
from runs.fork import ForkChange, fork_commands, retry_commands
from runs.rules.loosening import loosened_plan, loosened_policies
from runs.state import NodeState, new_run
from tests.support.given import ANN, BOB, NOON, Given, at, node, waiting_for_approval

OTHER_ID = "01900000-0000-7000-8000-000000000002"
CAT = c.Actor("cat", verified=True)
SUE = c.Actor("sue", verified=True)
LEGAL = {"approvers": ["legal"]}


def fork(given: Given, actor: c.Actor, **change: Any) -> Given:
    said = ForkChange(operator=actor.name, roles=actor.roles, **change)
    return Given(state=new_run(OTHER_ID)).when(*fork_commands(given.state, said, NOON))


def retry(given: Given, actor: c.Actor) -> Given:
    said = ForkChange(operator=actor.name, roles=actor.roles)
    return Given(state=new_run(OTHER_ID)).when(*retry_commands(given.state, said, NOON))


def hitl(**rules: Any) -> dict[str, Any]:
    return {"policies": {"hitl": rules}}


def asking(*policies: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"policies": {"runtime": list(policies), **more}}


LOOK = {"id": "look", "trigger": "node_complete", "action": "hitl"}
STRICT = {"id": "strict", "trigger": "validation_error", "action": "fail"}
BY_LEGAL = {"trigger": "plan_generated", "action": {"type": "hitl", "hitl": {"approvers": ["legal"]}}}
BY_ALL = {"trigger": "plan_generated", "action": {"type": "hitl", "hitl": {"approvers": []}}}
APPROVED = {"policies": {"requiresHitlApproval": True}}
DIRECTED = {"policies": {"planner": {"directives": {"requiresHitlApproval": True}}}}


@pytest.mark.parametrize(
    ("before", "after", "pointer"),
    [
        (APPROVED, {"policies": {"requiresHitlApproval": False}}, "/policies/requiresHitlApproval"),
        (APPROVED, {}, "/policies/requiresHitlApproval"),
        (DIRECTED, {"policies": {"planner": {"directives": {}}}}, "/policies/requiresHitlApproval"),
        (hitl(approvers=["a", "b"]), hitl(approvers=["a"]), "/policies/hitl/approvers"),
        (hitl(approvers=["a"]), hitl(approvers=["a", "b"]), "/policies/hitl/approvers"),
        (hitl(approvers=["a"]), hitl(), "/policies/hitl/approvers"),
        (hitl(quorum=3), hitl(quorum=2), "/policies/hitl/quorum"),
        (hitl(forbidSubmitter=True), hitl(), "/policies/hitl/forbidSubmitter"),
        (hitl(), hitl(onReject="rerun"), "/policies/hitl/onReject"),
        (hitl(expiresInSeconds=9), hitl(expiresInSeconds=10), "/policies/hitl/expiresInSeconds"),
        (hitl(expiresInSeconds=9), hitl(), "/policies/hitl/expiresInSeconds"),
        (
            hitl(expiresInSeconds=9),
            hitl(expiresInSeconds=9, onExpiry="approve"),
            "/policies/hitl/onExpiry",
        ),
        (
            hitl(expiresInSeconds=9, onExpiry="approve"),
            hitl(expiresInSeconds=1, onExpiry="approve"),
            "/policies/hitl/expiresInSeconds",
        ),
        (
            hitl(expiresInSeconds=9, onExpiry="escalate", escalateTo="a"),
            hitl(expiresInSeconds=9, onExpiry="escalate", escalateTo="b"),
            "/policies/hitl/onExpiry",
        ),
        ({"policies": {"humanReview": True}}, {}, "/policies/humanReview"),
        ({"policies": {"fallback": "hitl"}}, {"policies": {"fallback": "retry"}}, "/policies/fallback"),
        (asking(LOOK), asking(), "/policies/runtime"),
        (asking(STRICT), asking(), "/policies/runtime"),
        (asking(LOOK), asking({**LOOK, "action": "log"}), "/policies/runtime"),
        (
            asking(LOOK),
            asking({**LOOK, "trigger": {"event": "node_complete", "nodeId": "a"}}),
            "/policies/runtime",
        ),
        (
            asking(LOOK),
            asking({**LOOK, "action": {"type": "hitl", "question": "Ok?"}}),
            "/policies/runtime",
        ),
        (asking(BY_LEGAL), asking(BY_ALL), "/policies/runtime"),
    ],
)
def test_what_is_not_provably_as_strict_is_loosening(
    before: dict[str, Any], after: dict[str, Any], pointer: str
):
    assert [each.pointer for each in loosened_policies(before, after)] == [pointer]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, APPROVED),
        (hitl(), hitl(approvers=["a"], quorum=2, forbidSubmitter=True, expiresInSeconds=9)),
        (hitl(quorum=2, expiresInSeconds=9), hitl(quorum=3, expiresInSeconds=8)),
        (hitl(onReject="rerun", expiresInSeconds=9, onExpiry="approve"), hitl(expiresInSeconds=9)),
        (asking(LOOK), asking({**LOOK, "id": "other"}, STRICT)),
        (asking({**LOOK, "action": "log"}), asking()),
        (asking(BY_ALL), asking(BY_LEGAL)),
        ({"policies": {"brandVoice": "calm"}}, {"policies": {"brandVoice": "loud"}}),
    ],
)
def test_tightening_is_free(before: dict[str, Any], after: dict[str, Any]):
    assert loosened_policies(before, after) == []
    assert loosened_policies(before, before) == []
    assert loosened_policies(after, after) == []


def a_node(node_id: str, *needs: str, human: bool = False, **more: Any) -> NodeState:
    facts = {"contract": {}, "bundle": {}, "queue": "default", "kind": "execution", "label": node_id, **more}
    return NodeState(
        id=node_id,
        capability_id=node_id,
        depends_on=needs,
        executor_type="human" if human else "ai",
        **facts,
    )


REVIEW = a_node("review", "draft", human=True, bundle={"assignees": ["ann"]})
CHAIN = [a_node("draft"), REVIEW, a_node("publish", "review")]


@pytest.mark.parametrize(
    "after",
    [
        [a_node("draft"), a_node("publish", "draft")],
        [a_node("draft"), a_node("review", "draft"), a_node("publish", "review")],
        [a_node("draft"), a_node("review", "draft", human=True), a_node("publish", "review")],
        [a_node("draft"), REVIEW, a_node("publish", "draft")],
        [a_node("draft"), REVIEW, a_node("publish", "review"), a_node("other")],
        [a_node("publish"), a_node("draft", "publish"), REVIEW],
        [a_node("draft", "publish"), REVIEW, a_node("publish", "review")],
    ],
)
def test_nodes_that_take_a_say_from_people_are_loosening(after: list[NodeState]):
    found = loosened_plan(CHAIN, after, new_run(OTHER_ID).policies)
    assert {each.pointer for each in found} == {"/nodes"}


def test_nodes_that_come_after_the_peoples_are_free():
    policies = new_run(OTHER_ID).policies
    after = [a_node("draft"), REVIEW, a_node("publish", "review"), a_node("other", "publish")]
    assert loosened_plan(CHAIN, after, policies) == []
    assert loosened_plan([a_node("draft")], [a_node("other")], policies) == []


def test_the_largest_plans_are_compared_in_one_pass():
    chain = [a_node("n0", human=True)] + [a_node(f"n{n}", f"n{n - 1}", human=True) for n in range(1, 1_000)]
    assert loosened_plan(chain, chain, new_run(OTHER_ID).policies) == []


def test_a_fork_of_a_waiting_run_does_not_get_round_its_approval():
    given = waiting_for_approval(approvers=["legal"])
    for policies in ({"requiresHitlApproval": False}, {"hitl": {"approvers": ["cat"]}}, {"hitl": {}}):
        with pytest.raises(e.NotAllowed) as refusal:
            fork(given, CAT, policies=policies)
        (error,) = refusal.value.details["errors"]
        assert error["instancePath"].startswith("/policies/")
        assert error["message"] in refusal.value.message


def test_somebody_who_may_decide_loosens_and_the_log_of_the_fork_says_so():
    given = waiting_for_approval(approvers=["legal"])
    made = fork(given, BOB, policies={"requiresHitlApproval": False})
    assert made.types[:2] == ["start", "log"]
    loosened = [
        {
            "pointer": "/policies/requiresHitlApproval",
            "message": "The output would not need approval any more.",
        }
    ]
    assert made.state.origin is not None
    assert made.state.origin["loosened"] == loosened
    assert made.new[1].payload["level"] == "warning"
    assert made.new[1].detail == {"loosened": loosened, "operator": "bob"}
    assert made.deliver("out").state.status == "completed"


def test_a_policys_own_approvers_have_a_say_before_it_has_asked():
    given = Given().started(policies={"runtime": [{**BY_LEGAL, "trigger": "node_error"}]}).planned(node("a"))
    with pytest.raises(e.NotAllowed):
        fork(given, ANN, policies={"runtime": []})
    assert fork(given, BOB, policies={"runtime": []}).types[:2] == ["start", "log"]


def test_who_is_asked_now_has_a_say_in_a_fork():
    given = waiting_for_approval(expiresInSeconds=60, onExpiry="escalate", escalateTo="legal", quorum=2)
    given = given.when(c.ExpireRequest(now=at(60), request_id=given.state.open_requests[0].id))
    with pytest.raises(e.NotAllowed):
        fork(given, ANN, policies={"requiresHitlApproval": False})
    assert fork(given, BOB, policies={"requiresHitlApproval": False}).types[1] == "log"


def test_tightening_needs_no_right_and_no_line_in_the_log():
    given = waiting_for_approval(approvers=["legal"])
    made = fork(given, CAT, policies={"hitl": {**LEGAL, "quorum": 2}})
    assert all("loosened" not in (event.detail or {}) for event in made.new)
    assert made.state.origin is not None
    assert "loosened" not in made.state.origin


@pytest.mark.parametrize("again", [retry, fork])
def test_authors_stay_authors(again: Callable[..., Given]):
    given = waiting_for_approval(forbidSubmitter=True).respond("edit", BOB, edited_output={"n": 2})
    given = given.when(c.AbortRun(now=NOON, actor=ANN))
    made = again(given, ANN).start("a").complete("a").deliver()
    assert made.state.authors == ("sue", "bob", "ann")
    for author in (SUE, BOB, ANN):
        with pytest.raises(e.NotAllowed):
            made.respond("approval", author)
    assert made.respond("approval", CAT).state.status == "completed"
    with pytest.raises(e.NotAllowed):
        fork(made, SUE, policies={"hitl": {}})


def test_who_did_the_work_does_not_approve_it_and_who_judged_it_may():
    policies = {"requiresHitlApproval": True, "hitl": {"forbidSubmitter": True}}
    people = {"agentType": "human"}
    given = Given().started(policies=policies)
    given = given.planned(node("a", **people), node("b", "a", **{**people, "kind": "validation"}))
    for node_id, actor in (("a", ANN), ("b", BOB)):
        submit = c.SubmitTask(now=NOON, node_id=node_id, output="o", actor=actor)
        given = given.start(node_id).when(submit)
    given = given.deliver()
    with pytest.raises(e.NotAllowed):
        given.respond("approval", ANN)
    assert given.respond("approval", BOB).state.status == "completed"


def test_work_that_a_policy_asks_about_is_not_taken_over_without_being_asked_about():
    given = Given().started(policies={"runtime": [LOOK]}).planned(node("a"), node("b", "a"))
    given = given.start("a").complete("a")
    waiting = fork(given, CAT)
    assert waiting.types[-3:] == ["node_complete", "policy_triggered", "hitl_request"]
    assert waiting.state.status == "awaiting_hitl"
    approved = given.respond("approval")
    assert approved.state.nodes["a"].approved == ("look",)
    made = fork(approved, CAT)
    assert made.types[-1] == "node_complete"
    assert fork(made, CAT).types[-1] == "node_complete"
    stricter = {"id": "more", "trigger": "node_complete", "action": "hitl"}
    assert fork(approved, CAT, policies={"runtime": [LOOK, stricter]}).types.count("hitl_request") == 2
    rejected = given.respond("rejection")
    assert retry(rejected, CAT).state.status == "awaiting_hitl"


def test_a_changed_plan_that_people_were_to_look_at_is_asked_about_in_a_fork_too():
    policies = {
        "requiresHitlApproval": True,
        "hitl": {"onReject": "replan"},
        "runtime": [{"trigger": "plan_updated", "action": "hitl"}],
    }
    given = Given().started(policies=policies).planned(node("a")).start("a").complete("a").deliver()
    given = given.respond("rejection").planned(node("b"))
    assert given.state.status == "awaiting_hitl"
    made = fork(given, CAT)
    assert made.state.status == "awaiting_hitl"
    assert fork(made, CAT).state.status == "awaiting_hitl"
