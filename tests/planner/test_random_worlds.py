"""Worlds made at random, planned through the planner's own door, against a search through every set of capabilities."""

from __future__ import annotations

from itertools import chain, combinations
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.checking import plan_faults
from planner.planner import JsonObject, PlanContext, PlanRefused
from planner.skeleton import SkeletonPlanner
from tests.planner.test_derived_facets import capability

NAMES = "abcdefgh"
FACETS = st.sampled_from(NAMES)


@st.composite
def registries(draw: st.DrawFn) -> list[JsonObject]:
    return [
        capability(
            f"c{number}",
            sorted(draw(st.sets(FACETS, max_size=3))),
            sorted(draw(st.sets(FACETS, min_size=1, max_size=2))),
            cost={"micros": draw(st.integers(0, 4))},
        )
        for number in range(draw(st.integers(1, 8)))
    ]


def envelope_for(wanted: set[str], brought: set[str], forbidden: set[str]) -> JsonObject:
    return {
        "objective": "Anything at all",
        "inputs": {"facets": {name: {} for name in brought}},
        "policies": {"planner": {"selection": {"forbid": sorted(forbidden)}}},
        "outputContract": {"mode": "facets", "facets": sorted(wanted)},
    }


def planned(task: JsonObject, known: list[JsonObject]) -> JsonObject | None:
    try:
        plan = SkeletonPlanner().plan(task, known, PlanContext())
    except PlanRefused:
        return None
    assert plan_faults(plan, known) == []
    return plan


def least_cost(known: list[JsonObject], brought: set[str], goal: set[str]) -> tuple[int, int] | None:
    """Money, then nodes, of the cheapest of all sets of capabilities that lead to the goal."""
    sets = chain.from_iterable(combinations(known, size) for size in range(len(known) + 1))
    costs = [
        (sum(each["cost"]["micros"] for each in chosen), len(chosen))
        for chosen in sets
        if goal <= reached(chosen, brought)
    ]
    return min(costs, default=None)


def reached(chosen: tuple[JsonObject, ...], brought: set[str]) -> set[str]:
    have = set(brought)
    while more := [
        each for each in chosen if set(each["facetsIn"]) <= have and not set(each["facetsOut"]) <= have
    ]:
        have.update(*(each["facetsOut"] for each in more))
    return have


@settings(max_examples=300, deadline=None)
@given(
    registries(),
    st.sets(FACETS, max_size=2),
    st.sets(FACETS, min_size=1, max_size=3),
    st.sets(st.sampled_from([f"c{number}" for number in range(8)]), max_size=2),
)
def test_a_plan_is_found_where_there_is_one_at_the_least_cost_and_without_what_is_forbidden(
    known: list[JsonObject], brought: set[str], wanted: set[str], forbidden: set[str]
) -> None:
    wanted = wanted - brought or {"h"}
    brought = brought - wanted
    plan = planned(envelope_for(wanted, brought, forbidden), known)
    least = least_cost([each for each in known if each["id"] not in forbidden], brought, wanted)
    if plan is None:
        assert least is None
        return
    cost = plan["metadata"]["cost"]
    assert (cost["micros"], cost["nodes"]) == least
    assert plan["metadata"]["proved"]
    assert not forbidden & {node["capabilityId"] for node in plan["nodes"]}
    by_id = {each["id"]: each for each in known}
    for node in plan["nodes"]:
        assert set(node["bundle"]["facets"]) == set(by_id[node["capabilityId"]]["facetsIn"])


@settings(max_examples=200, deadline=None)
@given(
    registries(),
    st.sets(FACETS, max_size=2),
    st.sets(FACETS, min_size=1, max_size=3),
    st.randoms(use_true_random=False),
)
def test_the_same_world_has_the_same_plan_and_what_has_no_part_in_it_changes_nothing(
    known: list[JsonObject], brought: set[str], wanted: set[str], rnd: Any
) -> None:
    task = envelope_for(wanted, brought, set())
    plan = planned(task, known)
    shuffled = list(known)
    rnd.shuffle(shuffled)
    assert orjson.dumps(planned(task, shuffled)) == orjson.dumps(plan)
    if plan is None:
        return
    used = {node["capabilityId"] for node in plan["nodes"]}
    for gone in known:
        without = planned(task, [each for each in known if each["id"] != gone["id"]])
        if gone["id"] in used:
            assert without is None or gone["id"] not in {node["capabilityId"] for node in without["nodes"]}
        else:
            assert without is not None
            assert (without["nodes"], without["edges"]) == (plan["nodes"], plan["edges"])
