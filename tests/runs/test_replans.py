"""Planning again: what a new plan keeps, each cause, the bounds, and that nothing which is done is done twice."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given as any_given
from hypothesis import settings
from hypothesis import strategies as st

from runs import commands as c
from runs.bundle import context_bundle
from runs.errors import NotReady, RunError, StaleAttempt
from runs.evolve import fold_all
from runs.outstanding import outstanding
from runs.replans import ground_of
from runs.rules.replans import DEFAULT_MAX_REPLANS
from runs.state import new_run
from tests.support.given import ANN, NOON, RUN_ID, Given, node, plan, waiting_for_approval

A, B, C = node("a"), node("b"), node("c", "a", "b")
WRONG = (
    {"instancePath": "/x", "keyword": "type", "message": "must be string", "params": {}, "schemaPath": "#/x"},
)


def run_under(*rules: dict[str, Any], replan_on: list[str] | None = None, **envelope: Any) -> Given:
    more = {} if replan_on is None else {"replanOn": replan_on}
    return Given().started(policies={"runtime": list(rules), **more}, **envelope)


def by_hand(**more: Any) -> dict[str, Any]:
    return {"id": "again", "trigger": "manual", "action": {"type": "replan", "rationale": "go left"}, **more}


def asked(given: Given, **more: Any) -> Given:
    return given.when(c.TriggerPolicy(now=NOON, actor=ANN, policy_id="again", **more))


def half_done(*rules: dict[str, Any], **envelope: Any) -> Given:
    """`a` is done, `b` is under way, `c` waits for both."""
    given = run_under(*(rules or (by_hand(),)), **envelope).planned(A, B, C)
    return given.start("a").start("b").complete("a", "A")


def difference(given: Given) -> dict[str, Any]:
    updated = [event for event in given.log if event.type == "plan_updated"]
    return updated[-1].payload["difference"]


def ids(given: Given, part: str) -> list[str]:
    return [each["id"] for each in difference(given)[part]]


def starts(given: Given, node_id: str) -> list[int]:
    return [
        event.payload["attempt"]
        for event in given.log
        if event.type == "node_start" and event.node_id == node_id
    ]


def ended(given: Given) -> tuple[str, str | None]:
    return given.state.status, (given.state.error or {}).get("code")


def due(given: Given) -> set[tuple[str, str, bool]]:
    return {(kind, ref, work.started) for (kind, ref), work in outstanding(given.state).items()}


def test_while_a_plan_is_made_anew_what_is_under_way_goes_on_and_nothing_starts():
    given = asked(half_done())
    assert given.types == ["policy_triggered"]
    assert given.state.status == "pending"
    assert due(given) == {("plan", "", False), ("node", "b", True)}
    given = given.complete("b", "B")
    assert due(given) == {("plan", "", False)}
    with pytest.raises(NotReady):
        given.start("c")


def test_a_branch_that_is_done_is_kept_and_does_not_start_again():
    given = asked(half_done()).planned(A, B, node("d", "a", "b"))
    (updated,) = [event for event in given.new if event.type == "plan_updated"]
    assert (updated.payload["cause"], updated.payload["trigger"]) == ("policy", "go left")
    assert {each["id"]: each["status"] for each in updated.payload["difference"]["kept"]} == {
        "a": "completed",
        "b": "running",
    }
    assert (ids(given, "added"), ids(given, "dropped")) == (["d"], ["c"])
    given = given.complete("b", "B").start("d").complete("d", "D").deliver("D")
    assert given.state.status == "completed"
    assert (starts(given, "a"), starts(given, "b")) == ([1], [1])
    assert fold_all(new_run(RUN_ID), given.log) == given.state


def test_what_is_dropped_while_it_is_under_way_is_cancelled_and_its_late_answer_refused():
    given = asked(half_done()).planned(A, node("d", "a"))
    assert due(given) == {("node", "d", False)}
    assert difference(given)["dropped"][0] == {
        "id": "b",
        "why": "the new plan does not need it; what was under way is cancelled",
    }
    with pytest.raises(StaleAttempt):
        given.when(c.CompleteNode(now=NOON, node_id="b", attempt=1, output="late", duration_ms=1))


def test_a_node_that_comes_back_counts_on_so_that_late_answers_of_before_are_told_apart():
    other = node("b", bundle={"tone": "calm"})
    given = asked(half_done()).planned(A, other, node("d", "b"))
    assert ids(given, "dropped") == ["b", "c"]
    assert difference(given)["added"][0] == {"id": "b", "why": "it has another bundle"}
    given = given.start("b")
    assert starts(given, "b") == [1, 2]
    with pytest.raises(StaleAttempt):
        given.when(c.CompleteNode(now=NOON, node_id="b", attempt=1, output="late", duration_ms=1))
    gone = asked(given).planned(A, node("d", "a"))
    assert gone.state.past_attempts == {"b": 2}
    assert asked(gone).planned(A, B, node("d", "a", "b")).start("b").new[0].payload["attempt"] == 3


def test_a_node_whose_inputs_change_is_not_kept():
    given = run_under(by_hand()).planned(A, node("b", "a"), node("c", "b"))
    given = given.start("a").complete("a").start("b").complete("b")
    given = asked(given).planned(node("a", bundle={"x": 1}), node("b", "a"), node("c", "b"))
    assert ids(given, "kept") == []
    why = {each["id"]: each["why"] for each in difference(given)["added"]}
    assert why["b"] == "what it depends on is made anew"
    assert due(given) == {("node", "a", False)}


def test_a_node_that_has_failed_is_tried_anew_and_its_capability_is_not_used_again():
    rule = {"id": "x", "trigger": "onNodeError", "action": "replan"}
    given = half_done(rule).fail("b", retryable=False)
    assert given.types == ["node_error", "policy_triggered"]
    assert given.state.not_again == ("test.b",)
    refused = given.planned(A, B, C)
    assert ended(refused) == ("failed", "plan_rejected")
    assert refused.state.error is not None
    details = refused.state.error.get("details", {})
    assert details["diagnostics"][0]["code"] == "capability_tried"
    assert details["replan"]["without"] == ["test.b"]
    other = given.planned(A, node("b", capabilityId="test.other"), C)
    assert ids(other, "kept") == ["a"]
    assert other.start("b").state.nodes["b"].attempt == 2


def test_a_failure_while_a_plan_is_made_does_not_end_the_run():
    given = asked(half_done()).fail("b", retryable=False)
    assert given.state.status == "pending"
    assert ids(given.planned(A, B, C), "added") == ["b", "c"]


def test_a_rejected_output_is_made_anew_and_what_it_began_with_is_kept():
    rules = {"requiresHitlApproval": True, "hitl": {"onReject": "replan"}}
    brief = node("brief", kind="structuring")
    given = Given().started(policies=rules).planned(brief, node("draft", "brief"))
    given = given.start("brief").complete("brief").start("draft").complete("draft").deliver("one")
    given = given.respond("rejection", note="no video")
    ground = ground_of(given.state)
    assert ground is not None
    assert [each["id"] for each in ground["nodes"]] == ["brief"]
    given = given.planned(brief, node("draft", "brief", bundle={"feedback": "no video"}))
    assert (ids(given, "kept"), ids(given, "added")) == (["brief"], ["draft"])
    assert difference(given)["added"][0]["why"] == "its output is not wanted as it is"
    given = given.start("draft")
    assert starts(given, "draft") == [1, 2]
    assert context_bundle(given.state, given.state.nodes["draft"])["bundle"] == {"feedback": "no video"}


def test_an_output_that_cannot_be_mended_is_planned_anew_without_its_makers():
    given = run_under(replan_on=["invalid_output"]).planned(node("a", kind="structuring"), node("b", "a"))
    given = given.start("a").complete("a").start("b").complete("b")
    for _ in range(2):
        given = given.deliver("bad", WRONG, ("b",)).start("b").complete("b")
    given = given.deliver("bad", WRONG, ("b",))
    assert given.types == ["validation_error", "policy_triggered"]
    assert given.state.not_again == ("test.b",)
    given = given.planned(node("a", kind="structuring"), node("c", "a"))
    assert (given.new[-1].payload["cause"], ids(given, "kept")) == ("invalid_output", ["a"])


def test_a_policy_may_have_an_output_that_cannot_be_mended_planned_anew():
    rule = {"id": "v", "trigger": "onValidationFail", "action": "replan"}
    given = run_under(rule).planned(A).start("a").complete("a").deliver("bad", WRONG)
    assert given.types == ["validation_error", "policy_triggered"]
    assert given.state.status == "pending"


def test_an_unmet_goal_is_planned_anew_where_the_envelope_says_so():
    goal = {"path": "/b", "condition": {">": [{"var": "value"}, 5]}}
    composition = {"composition": {"a": {"$node": "a"}, "b": {"$node": "b"}}}
    given = run_under(replan_on=["goal_unmet"], goal_condition=[goal])
    given = given.planned(A, B, metadata=composition)
    given = given.start("a").complete("a", 1).start("b").complete("b", 1).deliver({"a": 1, "b": 1})
    assert given.types == ["policy_triggered"]
    assert given.new[0].payload["cause"]["goals"][0]["observedValue"] == 1
    given = given.planned(A, B, metadata=composition)
    assert (ids(given, "kept"), ids(given, "added")) == (["a"], ["b"])
    given = given.start("b").complete("b", 9).deliver({"a": 1, "b": 9})
    assert given.state.status == "completed"
    assert starts(given, "a") == [1]


def test_a_capability_that_is_gone_has_the_run_planned_anew_and_only_where_the_envelope_lets_it():
    gone = c.ReportCapabilityGone(now=NOON, node_id="b", capability_id="test.b", reason="it was removed")
    given = run_under().planned(A, B, C).start("a").complete("a").when(gone)
    assert given.new[0].payload["policyId"] == "capability_gone"
    assert given.state.replan is not None
    assert given.state.replan.absent == ("test.b",)
    assert given.planned(A, node("d", "a")).new[-1].payload["cause"] == "capability_gone"
    with pytest.raises(NotReady):
        run_under(replan_on=[]).planned(A, B, C).when(gone)
    with pytest.raises(NotReady):
        run_under().planned(A, B, C).start("b").when(gone)


def test_a_second_wish_for_a_plan_adds_to_the_first_and_is_not_counted():
    given = asked(half_done(by_hand(), {"id": "x", "trigger": "onNodeError", "action": "replan"}))
    given = given.fail("b")
    assert given.state.replan_reason == "go left; policy x reacted to node_error"
    assert given.state.not_again == ("test.b",)
    assert given.planned(A, node("d", "a")).state.plan_version == 2


def test_policies_that_would_plan_for_ever_end_in_the_bound():
    rules = [
        {"id": "one", "trigger": {"kind": "onNodeComplete", "selector": {"nodeId": "a"}}, "action": "replan"},
        {"id": "two", "trigger": {"kind": "onNodeComplete", "selector": {"nodeId": "b"}}, "action": "replan"},
    ]
    given = run_under(*rules).planned(A)
    for number in range(DEFAULT_MAX_REPLANS + 1):
        here, there = ("a", "b") if number % 2 == 0 else ("b", "a")
        given = given.start(here).complete(here)
        if given.state.finished:
            break
        given = given.planned(node(there))
    assert ended(given) == ("failed", "replan_limit")
    assert given.state.plan_version == DEFAULT_MAX_REPLANS + 1


def test_a_budget_of_replans_ends_the_run_with_the_same_code_unless_a_policy_lets_it_go_on():
    budget = {"constraints": {"budget": {"replans": 0}}}
    assert ended(asked(half_done(**budget))) == ("failed", "replan_limit")
    told = {"id": "told", "trigger": "onBudget", "action": "log"}
    given = half_done(by_hand(), told, **budget)
    for _ in range(DEFAULT_MAX_REPLANS):
        given = asked(given).planned(A, B, C)
    assert ended(asked(given)) == ("failed", "replan_limit")


def test_what_was_used_counts_against_the_budget_that_a_new_plan_must_fit():
    given = asked(half_done(constraints={"budget": {"nodes": 3}})).complete("b")
    given = given.planned(A, B, node("d", "a"), node("e", "d"))
    assert ended(given) == ("failed", "plan_rejected")
    assert given.state.error is not None
    assert "of the 3 that the budget allows, 2 are used" in given.state.error["message"]


def test_what_must_not_run_twice_is_not_planned_twice():
    once = node("a", idempotent=False)
    given = run_under(by_hand()).planned(once, node("b", "a")).start("a").complete("a")
    kept = asked(given).planned(once, node("d", "a"))
    assert ids(kept, "kept") == ["a"]
    refused = asked(given).planned(node("a", idempotent=False, bundle={"to": "ann"}))
    assert refused.state.error is not None
    assert refused.state.error.get("details", {})["diagnostics"][0]["code"] == "must_not_run_twice"


def test_questions_about_work_that_is_dropped_are_withdrawn_and_others_stay():
    given = half_done()
    asks = c.RequestClarification(now=NOON, node_id="b", attempt=1, question="which?")
    given = given.when(asks)
    assert given.state.status == "awaiting_hitl"
    dropped = asked(given).planned(A, node("d", "a"))
    assert dropped.types == ["plan_requested", "hitl_resolved", "plan_updated"]
    kept = asked(given).planned(A, B, C)
    assert len(kept.state.open_requests) == 1
    answered = kept.respond("freeform", text="this one")
    assert due(answered) == {("node", "b", False)}


def test_an_answer_that_comes_while_the_plan_is_made_is_taken():
    given = half_done().when(c.RequestClarification(now=NOON, node_id="b", attempt=1, question="which?"))
    given = asked(given).respond("freeform", text="this one")
    assert given.state.status == "pending"
    assert due(given.planned(A, B, C)) == {("node", "b", False)}


def test_a_doubled_message_and_a_planner_that_is_lost_make_one_version():
    given = asked(half_done())
    request = c.RequestPlan(now=NOON, attempt=2, planner="p", capability_count=1)
    accept = c.AcceptPlan(now=NOON, attempt=2, plan=plan(A, node("d", "a")))
    given = given.when(request)
    with pytest.raises(StaleAttempt):
        given.when(request)
    lost = c.RejectPlan(now=NOON, attempt=2, diagnostics=[], retryable=True, lost=True)
    given = given.when(lost)
    with pytest.raises(StaleAttempt):
        given.when(accept)
    given = given.planned(A, node("d", "a"))
    assert given.state.plan_version == 2
    with pytest.raises(StaleAttempt):
        given.when(accept)


def test_a_run_that_is_paused_while_it_is_planned_anew_goes_on_from_there():
    given = asked(half_done()).when(c.PauseRun(now=NOON, actor=ANN)).complete("b")
    assert due(given) == set()
    given = given.when(c.ResumeRun(now=NOON, actor=ANN))
    assert (given.state.status, due(given)) == ("pending", {("plan", "", False)})


def test_an_approval_that_is_withdrawn_for_a_new_plan_is_not_open_any_more():
    runtime = {"runtime": [by_hand()], "requiresHitlApproval": True}
    given = Given().started(policies=runtime).planned(node("a")).start("a").complete("a").deliver({"n": 1})
    given = asked(given)
    assert given.types == ["hitl_resolved", "policy_triggered"]
    assert (given.state.open_ids, given.state.status) == ((), "pending")


def test_a_plan_that_people_reject_or_change_in_the_middle_keeps_what_is_done():
    policies = {"hitl": {"plan": True}, "runtime": [by_hand()]}
    given = Given().started(policies=policies).planned(A, B, C).respond("approval")
    given = given.start("a").start("b").complete("a", "A")
    given = asked(given).planned(A, B, node("d", "a", "b"))
    assert given.types == ["plan_requested", "plan_updated", "hitl_request"]
    assert due(given) == {("node", "b", True)}
    rejected = given.complete("b", "B").respond("rejection", note="not d")
    rejected = rejected.planned(A, B, node("e", "a", "b"))
    assert (ids(rejected, "kept"), ids(rejected, "added")) == (["a", "b"], ["e"])
    assert rejected.new[1].payload["cause"] == "plan_rejected"
    edited = given.respond("edit", edited_output=plan(A, node("f", "a")))
    assert (ids(edited, "kept"), ids(edited, "dropped")) == (["a"], ["b", "d"])
    assert edited.new[-1].payload["cause"] == "plan_edited"
    assert due(edited) == {("node", "f", False)}


SHAPES = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=3), st.booleans()),
    min_size=1,
    max_size=6,
    unique_by=lambda each: each[0],
)


def drawn_plan(shape: list[tuple[str, list[str], bool]]) -> list[dict[str, Any]]:
    """Nodes that depend on nodes before them only; some of another make."""
    made: list[dict[str, Any]] = []
    for name, needs, other in shape:
        known = [each["id"] for each in made]
        more = {"bundle": {"other": True}} if other else {}
        made.append(node(name, *dict.fromkeys(each for each in needs if each in known), **more))
    return made


@settings(max_examples=150, deadline=None)
@any_given(
    plans=st.lists(SHAPES, min_size=2, max_size=5),
    moves=st.lists(st.integers(0, 11), min_size=0, max_size=40),
    steps=st.integers(1, 12),
)
def test_no_kept_node_that_is_completed_starts_again_and_every_input_is_there(
    plans: list[list[tuple[str, list[str], bool]]], moves: list[int], steps: int
) -> None:
    given = run_under(by_hand()).planned(*drawn_plan(plans[0]))
    left = iter(moves)
    for shape in plans[1:]:
        for _ in range(steps):
            given = moved(given, next(left, 0))
        if given.state.finished:
            return
        given = asked(given)
        given = moved(given, next(left, 0))
        done = {key: each.output for key, each in given.state.nodes.items() if each.status == "completed"}
        before = len(given.log)
        given = given.planned(*drawn_plan(shape))
        kept = {each["id"] for each in difference(given)["kept"] if each["status"] == "completed"}
        for _ in range(20):
            given = moved(given, 0)
        assert all(starts_after(given, each, before) == [] for each in kept)
        assert all(given.state.nodes[each].output == done[each] for each in kept)
    assert given.state.nodes
    assert all(each.status == "completed" for each in given.state.nodes.values())
    assert fold_all(new_run(RUN_ID), given.log) == given.state


def starts_after(given: Given, node_id: str, seq: int) -> list[int]:
    return [e.seq for e in given.log[seq:] if e.type == "node_start" and e.node_id == node_id]


def moved(given: Given, choice: int) -> Given:
    """One step of the run: a node starts, with all its inputs, or completes."""
    active = [each for each in given.state.nodes.values() if each.status in ("ready", "running")]
    if not active:
        return given
    chosen = active[choice % len(active)]
    try:
        if chosen.status == "running":
            return given.complete(chosen.id, f"{chosen.id}{chosen.attempt}")
        given = given.start(chosen.id)
    except RunError:
        assert given.state.replan is not None
        return given
    bundle = context_bundle(given.state, given.state.nodes[chosen.id])
    assert set(bundle["dependencies"]) == set(chosen.depends_on)
    assert all(bundle["dependencies"].values())
    return given


def test_a_rejection_that_has_the_run_planned_again_resolves_its_request_once():
    waiting = waiting_for_approval(onReject="replan")
    rejected = waiting.respond("rejection", note="not like this")
    resolved = [event.payload for event in rejected.new if event.type == "hitl_resolved"]
    assert [(each["decision"], each["operator"]) for each in resolved] == [("rejected", ANN.name)]
