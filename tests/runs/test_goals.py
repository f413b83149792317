"""Goal conditions: checked of the output before the run completes, also of one that people have edited."""

from __future__ import annotations

from typing import Any

from tests.support.given import Given, node

LONG_ENOUGH: dict[str, Any] = {
    "facet": "post",
    "path": "/copy",
    "condition": {"dsl": "length", "jsonLogic": {"!=": [{"var": "value"}, ""]}},
}


def delivered(output: Any, **policies: Any) -> Given:
    given = Given().started(goal_condition=[LONG_ENOUGH], policies=policies)
    return given.planned(node("a")).start("a").complete("a").deliver(output)


def test_a_run_completes_with_the_results_of_its_goal_conditions() -> None:
    (complete,) = delivered({"post": {"copy": "We are open."}}).new
    assert complete.payload["status"] == "completed"
    assert complete.payload["goal_condition_results"] == [
        {
            "facet": "post",
            "path": "/copy",
            "expression": {"!=": [{"var": "value"}, ""]},
            "satisfied": True,
            "observedValue": "We are open.",
        }
    ]


def test_an_output_that_does_not_meet_a_goal_condition_fails_the_run() -> None:
    (complete,) = delivered({"post": {"copy": ""}}).new
    assert complete.payload["status"] == "failed"
    assert complete.payload["error"]["code"] == "goal_unmet"
    assert [each["satisfied"] for each in complete.payload["goal_condition_results"]] == [False]


def test_nobody_is_asked_to_approve_what_does_not_meet_the_goal() -> None:
    assert delivered({"post": {"copy": ""}}, requiresHitlApproval=True).types == ["complete"]


def test_what_people_have_edited_is_checked_as_well() -> None:
    asked = delivered({"post": {"copy": "fine"}}, requiresHitlApproval=True)
    edited = asked.respond("edit", edited_output={"post": {"copy": ""}})
    assert edited.types == ["hitl_resolved", "complete"]
    assert edited.state.status == "failed"


def test_a_condition_that_cannot_be_evaluated_is_not_met_and_says_why() -> None:
    goal = {"condition": {">": [{"/": [1, {"var": "value.n"}]}, 1]}}
    given = Given().started(goal_condition=[goal]).planned(node("a")).start("a").complete("a")
    (complete,) = given.deliver({"n": 0}).new
    assert "NaN" in complete.payload["goal_condition_results"][0]["error"]
