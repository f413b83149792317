"""Goal conditions: checked of the output before the run completes; one that is not met fails the run."""

from __future__ import annotations

from collections.abc import Sequence

from runs import new_events
from runs.draft import Draft
from runs.event import Json, JsonObject
from runs.event_data import ReplanDetail
from runs.replans import makers_of
from runs.rules.policy_context import condition_context
from runs.rules.replans import record_trouble
from schemas import pointer
from schemas.conditions import ConditionFailed, compiled, logic_of, value_at
from schemas.goals import GoalCondition


def complete_run(draft: Draft, output: Json) -> None:
    """End the run with the output, or as failed where it does not meet the goal conditions."""
    results = goal_results(draft, output)
    if not stop_unmet(draft, results):
        draft.add(new_events.run_completed(output, results))


def stop_unmet(draft: Draft, results: Sequence[JsonObject]) -> bool:
    """End the run as failed where a goal condition is not met, or plan it again; whether one is not met."""
    unmet = [each for each in results if not each["satisfied"]]
    if not unmet:
        return False
    places = ", ".join(f"{each['facet'] or 'output'}{each['path']}" for each in unmet)
    message = f"the output does not meet {len(unmet)} of {len(results)} goal condition(s): {places}"
    if "goal_unmet" in draft.state.policies.replan_on:
        wish: ReplanDetail = {
            "cause": "goal_unmet",
            "rationale": message,
            "redo": makers_of(draft.state, [_place(each) for each in unmet]),
        }
        record_trouble(draft, "goal_unmet", wish, {"event": "goal", "goals": unmet})
        return True
    draft.add(new_events.run_ended("failed", {"code": "goal_unmet", "message": message}, results=results))
    return True


def _place(result: JsonObject) -> str:
    facet = (result["facet"],) if result["facet"] is not None else ()
    return pointer.build((*facet, *pointer.split(result["path"])))


def goal_results(draft: Draft, output: Json) -> list[JsonObject]:
    """How the output stands to each goal condition of the envelope, in its order."""
    return [_result(draft, goal, output) for goal in draft.state.policies.goals]


def _result(draft: Draft, goal: GoalCondition, output: Json) -> JsonObject:
    facet = (goal.facet,) if goal.facet is not None else ()
    value = value_at(output, (*facet, *pointer.split(goal.path)))
    context = {**condition_context(draft.state, None, None, output), "value": lambda: value}
    result: JsonObject = {
        "facet": goal.facet,
        "path": goal.path,
        "expression": logic_of(goal.condition),
        "satisfied": False,
        "observedValue": value,
    }
    try:
        result["satisfied"] = compiled(goal.condition).check(context, draft.allowance).holds
    except ConditionFailed as failure:
        result["error"] = str(failure)
    return result
