"""Another plan than the rejected ones, in worlds made at random, against a search through every set of capabilities."""

from __future__ import annotations

from itertools import chain, combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from planner.alternatives import another_plan
from planner.planner import JsonObject, PlanContext, PlanRefused
from planner.skeleton import SkeletonPlanner
from tests.planner.test_random_worlds import FACETS, envelope_for, reached, registries

MOST_REJECTIONS = 3


def other_plan(task: JsonObject, known: list[JsonObject], rejected: list[list[str]]) -> list[str] | None:
    """The capabilities of the plan that comes in the place of the rejected ones; None where none does."""
    said = [{"capabilities": each, "operator": "ann", "words": "no"} for each in rejected]
    try:
        made = another_plan(
            lambda context: SkeletonPlanner().plan(task, known, context), PlanContext(rejected=said)
        )
    except PlanRefused:
        return None
    return list(dict.fromkeys(node["capabilityId"] for node in made["nodes"]))


def least_other_cost(
    known: list[JsonObject], brought: set[str], goal: set[str], rejected: list[list[str]]
) -> tuple[int, int] | None:
    """Money, then nodes, of the cheapest set of capabilities that leads to the goal and has no rejected one in it."""
    sets = chain.from_iterable(combinations(known, size) for size in range(1, len(known) + 1))
    costs = [
        (sum(each["cost"]["micros"] for each in chosen), len(chosen))
        for chosen in sets
        if goal <= reached(chosen, brought)
        and not any({each["id"] for each in chosen} >= set(taken) for taken in rejected)
    ]
    return min(costs, default=None)


@settings(max_examples=60, deadline=None)
@given(registries(), st.sets(FACETS, min_size=1, max_size=2), st.sets(FACETS, max_size=2))
def test_the_other_plan_is_the_cheapest_until_there_is_none(
    known: list[JsonObject], wanted: set[str], brought: set[str]
) -> None:
    wanted = wanted - brought
    if not wanted:
        return
    task, costs = envelope_for(wanted, brought, set()), {each["id"]: each["cost"]["micros"] for each in known}
    rejected: list[list[str]] = []
    for _ in range(MOST_REJECTIONS):
        found = other_plan(task, known, rejected)
        least = least_other_cost(known, brought, wanted, rejected)
        assert (found is None) == (least is None)
        if found is None:
            return
        assert (sum(costs[each] for each in found), len(found)) == least
        rejected.append(found)


def test_a_capability_that_the_words_name_is_left_out_first() -> None:
    known = [
        {"id": name, "version": "1", "label": name, "kind": "execution", "facetsIn": [], "facetsOut": gives}
        for name, gives in (("x.one", ["a"]), ("x.two", ["b"]), ("y.one", ["a"]), ("y.two", ["b"]))
    ]
    costs = {"x.one": 1, "x.two": 1, "y.one": 9, "y.two": 2}
    priced = [{**each, "cost": {"micros": costs[str(each["id"])]}} for each in known]
    task = envelope_for({"a", "b"}, set(), set())
    said = {"capabilities": ["x.one", "x.two"], "operator": "ann", "words": "Never x.one again."}
    made = another_plan(
        lambda context: SkeletonPlanner().plan(task, priced, context), PlanContext(rejected=[said])
    )
    assert {node["capabilityId"] for node in made["nodes"]} == {"y.one", "x.two"}
