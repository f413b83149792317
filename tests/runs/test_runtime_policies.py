"""Runtime policies: each kind of trigger and each action, as given, when, then; and the bounds that end a loop."""

from __future__ import annotations

from typing import Any

import pytest

from runs import commands as c
from runs.errors import NotReady, PolicyUnknown
from runs.evolve import fold_all
from runs.outstanding import outstanding
from runs.rules.policy_steps import MAX_STEERED
from runs.state import new_run
from tests.support.given import ANN, NOON, RUN_ID, Given, at, node

LOW_SCORE: dict[str, Any] = {"<": [{"var": "output.score"}, 0.7]}


def policy(trigger: Any, action: Any = "log", **more: Any) -> dict[str, Any]:
    return {"id": "p", "trigger": trigger, "action": action, **more}


def run_with(*rules: dict[str, Any], **envelope: Any) -> Given:
    return Given().started(policies={"runtime": list(rules)}, **envelope)


def planned(*rules: dict[str, Any], **envelope: Any) -> Given:
    """A run under these policies whose plan has `a`, `b` after it and `c` beside them."""
    return run_with(*rules, **envelope).planned(node("a"), node("b", "a"), node("c"))


def firings(given: Given) -> list[dict[str, Any]]:
    return [event.payload for event in given.log if event.type == "policy_triggered"]


def ended(given: Given) -> tuple[str, str | None]:
    return given.state.status, (given.state.error or {}).get("code")


@pytest.mark.parametrize(
    ("kind", "events"),
    [
        ("onStart", ["start"]),
        ("onPlan", ["plan_generated"]),
        ("onNodeStart", ["node_start", "node_start"]),
        ("onNodeComplete", ["node_complete"]),
        ("onNodeError", ["node_error"]),
        ("onValidationFail", ["validation_error"]),
    ],
)
def test_a_policy_is_fired_by_the_events_of_its_trigger(kind: str, events: list[str]) -> None:
    given = planned(policy({"kind": kind})).start("a").complete("a").start("b")
    given = given.complete("b", errors=({"instancePath": "", "message": "is wrong"},))
    fired = firings(given)
    assert [each["cause"]["event"] for each in fired] == events
    assert {each["trigger"]["kind"] for each in fired} == {kind}


def test_a_disabled_policy_is_never_fired() -> None:
    assert firings(planned(policy("onPlan", enabled=False))) == []


@pytest.mark.parametrize(
    ("selector", "fires"),
    [
        ({"nodeId": "a"}, True),
        ({"nodeId": "b"}, False),
        ({"kind": "execution", "capabilityId": "test.a"}, True),
        ({"kind": "validation"}, False),
        ({"facet": "post"}, True),
        ({"facet": "brief"}, False),
    ],
)
def test_a_selector_names_the_nodes_that_it_is_about(selector: dict[str, str], fires: bool) -> None:
    contract = {"output": {"type": "object", "properties": {"post": {}}}}
    given = run_with(policy({"kind": "onNodeComplete", "selector": selector}))
    given = given.planned(node("a", contract=contract)).start("a").complete("a")
    assert bool(firings(given)) is fires


def test_a_condition_decides_and_what_it_read_is_in_the_cause() -> None:
    rule = policy({"kind": "onNodeComplete", "condition": LOW_SCORE})
    assert firings(planned(rule).start("a").complete("a", {"score": 0.9})) == []
    (fired,) = firings(planned(rule).start("a").complete("a", {"score": 0.5}))
    assert fired["cause"]["observed"] == {"output.score": 0.5}
    assert fired["cause"]["nodeId"] == "a"


def test_a_condition_that_cannot_be_evaluated_does_not_hold_and_a_line_says_so() -> None:
    rule = policy(
        {"kind": "onNodeComplete", "condition": {">": [{"/": [1, {"var": "output.n"}]}, 1]}}, "fail"
    )
    given = planned(rule).start("a").complete("a", {"n": 0})
    assert given.types == ["node_complete", "log"]
    assert "cannot be evaluated" in given.new[1].payload["message"]


def test_a_metric_below_its_threshold_fires() -> None:
    rule = policy({"kind": "onMetricBelow", "metric": "quality", "threshold": 0.7})
    given = planned(rule).start("a").complete("a", {"metrics": {"quality": 0.6}})
    assert firings(given)[0]["cause"] | {"eventId": ""} == {
        "event": "node_complete",
        "eventId": "",
        "nodeId": "a",
        "metric": "quality",
        "value": 0.6,
    }
    assert firings(planned(rule).start("a").complete("a", {"quality": 0.7})) == []


def test_policies_are_asked_in_the_order_of_the_envelope_until_one_ends_the_run() -> None:
    rules = [policy("onPlan", each, id=each) for each in ("log", "fail", "pause")]
    given = planned(*rules)
    assert [each["policyId"] for each in firings(given)] == ["log", "fail"]
    assert ended(given) == ("failed", "policy_failed")


def test_goto_has_a_node_and_what_follows_it_run_again() -> None:
    rule = policy({"kind": "onNodeComplete", "selector": {"nodeId": "b"}}, {"type": "goto", "next": "a"})
    given = planned(rule).start("a").complete("a").start("b").complete("b")
    nodes = given.state.nodes
    assert (nodes["a"].status, nodes["b"].status, nodes["c"].status) == ("ready", "pending", "ready")
    again = given.start("a").complete("a").start("b")
    assert again.state.nodes["b"].attempt == 2


def test_goto_makes_an_attempt_in_flight_stale() -> None:
    rule = policy({"kind": "manual"}, {"type": "goto", "next": "a"})
    given = planned(rule).start("a").complete("a").start("b").when(fire())
    assert given.state.nodes["b"].status == "pending"
    assert {work.ref for work in outstanding(given.state).values()} == {"a", "c"}


def test_goto_names_a_capability_too_and_a_plan_without_either_ends_the_run() -> None:
    first = policy({"kind": "onNodeComplete"}, {"type": "goto", "next": "test.a"})
    assert planned(first).start("c").complete("c").state.nodes["a"].status == "ready"
    second = policy({"kind": "onNodeComplete"}, {"type": "goto", "next": "nobody"})
    assert ended(planned(second).start("c").complete("c")) == ("failed", "policy_failed")


def test_what_must_not_run_twice_is_not_sent_back() -> None:
    rule = policy({"kind": "manual"}, {"type": "goto", "next": "a"})
    given = run_with(rule).planned(node("a"), node("b", "a", idempotent=False)).start("a").complete("a")
    assert given.when(fire()).state.nodes["a"].status == "ready"
    assert ended(given.start("b").when(fire())) == ("failed", "policy_failed")


def test_goto_withdraws_what_people_are_asked_about_the_work() -> None:
    rule = policy({"kind": "manual"}, {"type": "goto", "next": "a"})
    given = Given().started(policies={"runtime": [rule], "requiresHitlApproval": True}).planned(node("a"))
    given = given.start("a").complete("a").deliver({"n": 1}).when(fire())
    assert given.types == ["hitl_resolved", "policy_triggered"]
    assert given.state.open_ids == ()
    assert given.state.status == "running"


def test_two_policies_that_send_the_work_to_and_fro_end_in_the_bounds_error() -> None:
    def goes(here: str, there: str) -> dict[str, Any]:
        trigger = {"kind": "onNodeComplete", "selector": {"nodeId": here}}
        return policy(trigger, {"type": "goto", "next": there, "maxAttempts": 5}, id=f"{here}-{there}")

    given = run_with(goes("a", "b"), goes("b", "a")).planned(node("a"), node("b"))
    for turn in range(100):
        if given.state.finished:
            break
        name = "ab"[turn % 2]
        given = given.start(name).complete(name) if given.state.nodes[name].status == "ready" else given
    assert ended(given) == ("failed", "policy_loop")
    assert (given.state.error or {}).get("details", {})["limit"] == 5


def test_all_policies_together_have_a_bound_as_well() -> None:
    rules = [
        policy(
            {"kind": "onNodeComplete", "condition": {"==": [{"var": "output"}, number]}},
            goto,
            id=f"p{number}",
        )
        for number in range(10)
        for goto in [{"type": "goto", "next": "a", "maxAttempts": 20}]
    ]
    given = run_with(*rules).planned(node("a"))
    for turn in range(MAX_STEERED + 1):
        given = given.start("a").complete("a", turn % 10)
    assert ended(given) == ("failed", "policy_loop")


def test_retry_gives_a_node_that_has_failed_for_good_one_more_attempt() -> None:
    rule = policy({"kind": "onNodeError"}, {"type": "retry", "with": "Be brief.", "maxAttempts": 1})
    given = planned(rule).start("a").fail("a", retryable=False)
    assert given.types == ["node_error", "policy_triggered"]
    assert given.state.nodes["a"].status == "ready"
    assert given.state.nodes["a"].answers[0].get("text") == "Be brief."
    assert ended(given.start("a").fail("a", retryable=False)) == ("failed", "policy_loop")


def test_a_policy_that_only_writes_leaves_a_failed_node_to_its_fallback() -> None:
    given = planned(policy("onNodeError", "log")).start("a").fail("a", retryable=False)
    assert given.types == ["node_error", "policy_triggered", "complete"]
    assert ended(given) == ("failed", "node_failed")


def test_hitl_about_a_node_that_failed_for_good_holds_the_end_back() -> None:
    given = planned(policy("onNodeError", "hitl")).start("a").fail("a", retryable=False)
    assert given.state.open_ids
    assert given.state.status == "running"  # c can go on
    approved = given.respond("approval")
    assert approved.state.nodes["a"].status == "ready"
    assert ended(given.respond("rejection")) == ("failed", "hitl_rejected")


def test_what_follows_a_decision_is_said_by_the_policy() -> None:
    action = {
        "type": "hitl",
        "rationale": "The first draft is never right.",
        "approveAction": {"type": "emit", "event": "looked_at"},
        "rejectAction": {"type": "goto", "next": "a"},
    }
    asked = planned(policy({"kind": "onNodeComplete", "selector": {"nodeId": "a"}}, action))
    asked = asked.start("a").complete("a")
    (request,) = asked.state.open_requests
    assert request.payload["additionalContext"]["rationale"] == "The first draft is never right."
    approved, rejected = asked.respond("approval"), asked.respond("rejection")
    assert approved.types == ["hitl_resolved", "policy_triggered", "log"]
    assert approved.new[2].payload["event"] == "looked_at"
    assert rejected.types == ["hitl_resolved", "policy_triggered"]
    assert rejected.state.nodes["a"].status == "ready"
    assert rejected.new[1].payload["cause"]["decision"] == "rejected"


def test_pause_emit_log_and_priority() -> None:
    emit = {"type": "emit", "event": "planned", "payload": {"by": "us"}}
    given = planned(
        policy("onPlan", emit),
        policy("onPlan", {"type": "log", "message": "A plan.", "level": "warning"}),
        policy("onPlan", {"type": "setPriority", "priority": "high"}),
        policy("onPlan", {"type": "pause", "reason": "Let us look."}),
    )
    logs = [event.payload for event in given.new if event.type == "log"]
    assert logs[0] | {"message": ""} == {
        "level": "info",
        "message": "",
        "event": "planned",
        "payload": {"by": "us"},
    }
    assert logs[1] == {"level": "warning", "message": "A plan."}
    assert given.state.status == "paused"
    resumed = given.when(c.ResumeRun(now=NOON, actor=ANN))
    assert all(work.front and work.due_at == NOON for work in outstanding(resumed.state).values())


def test_the_time_of_a_run_fires_once() -> None:
    given = planned(policy({"kind": "onTimeout", "ms": 60_000}))
    (timer,) = [work for work in outstanding(given.state).values() if work.kind == "policy_timeout"]
    assert timer.due_at == at(60)
    with pytest.raises(NotReady):
        given.when(c.TimeOutPolicy(now=at(59), ref=timer.ref, attempt=1))
    fired = given.when(c.TimeOutPolicy(now=at(60), ref=timer.ref, attempt=1))
    assert firings(fired)[0]["cause"] == {"event": "timeout", "ms": 60_000}
    assert not [work for work in outstanding(fired.state).values() if work.kind == "policy_timeout"]


def test_the_time_of_an_attempt_fires_once_for_each_attempt() -> None:
    trigger = {"kind": "onTimeout", "ms": 1_000, "selector": {"nodeId": "a"}}
    given = planned(policy(trigger, "retry")).start("a")
    (timer,) = [work for work in outstanding(given.state).values() if work.kind == "policy_timeout"]
    given = given.when(c.TimeOutPolicy(now=at(1), ref=timer.ref, attempt=1))
    assert given.state.nodes["a"].status == "ready"
    again = given.later(5).start("a")
    assert [work.due_at for work in outstanding(again.state).values() if work.kind == "policy_timeout"] == [
        at(6)
    ]


def test_a_time_whose_condition_does_not_hold_is_not_asked_again() -> None:
    condition = {"==": [{"var": "run.nodesCompleted"}, 1]}
    given = planned(policy({"kind": "onTimeout", "ms": 1, "condition": condition}, "fail"))
    given = given.when(c.TimeOutPolicy(now=at(1), ref="1", attempt=1))
    assert given.types == ["log"]
    assert not [work for work in outstanding(given.state).values() if work.kind == "policy_timeout"]


def fire(policy_id: str = "p", **more: Any) -> c.TriggerPolicy:
    return c.TriggerPolicy(now=NOON, actor=ANN, policy_id=policy_id, **more)


def test_a_manual_policy_is_fired_by_hand_and_once_for_each_key() -> None:
    given = planned(policy("manual")).when(fire(key="k"))
    assert firings(given)[0]["cause"] == {"event": "manual", "operator": "ann"}
    assert given.when(fire(key="k")).new == []
    assert given.when(fire()).types == ["policy_triggered"]


def test_a_manual_policy_that_is_not_there_or_does_not_fit_is_refused() -> None:
    with pytest.raises(PolicyUnknown):
        planned(policy("onPlan")).when(fire())
    with pytest.raises(NotReady):
        planned(policy({"kind": "manual", "selector": {"nodeId": "a"}})).when(fire(node_id="b"))
    with pytest.raises(NotReady):
        planned(policy({"kind": "manual", "condition": {"!": [True]}})).when(fire())
    with pytest.raises(NotReady):
        run_with(policy("manual", {"type": "goto", "next": "a"})).when(fire())


def test_a_replay_of_the_log_gives_the_same_run() -> None:
    rule = policy({"kind": "onNodeError"}, {"type": "retry", "with": {"tone": "calm"}})
    given = planned(rule, policy("manual", "pause", id="stop")).start("a").fail("a", retryable=False)
    given = given.when(fire("stop", key="k")).when(c.ResumeRun(now=at(9), actor=ANN))
    assert fold_all(new_run(RUN_ID), given.log) == given.state
