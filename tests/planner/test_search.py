"""The search against one that looks at every set of makers."""

from __future__ import annotations

from itertools import chain, combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from planner.search.problem import Limits, Maker, state_problem
from planner.search.search import Found, NotFound, search

NAMES = "abcdefgh"


def costed(name: str, needs: set[str], gives: set[str], cost: int, nodes: int = 1) -> Maker:
    return Maker(name, frozenset(needs), frozenset(gives), cost, nodes)


@st.composite
def worlds(draw: st.DrawFn) -> list[Maker]:
    facets = st.sampled_from(NAMES)
    return [
        costed(
            f"c{number}",
            draw(st.sets(facets, max_size=3)),
            draw(st.sets(facets, min_size=1, max_size=2)),
            draw(st.integers(0, 6)),
            draw(st.integers(1, 2)),
        )
        for number in range(draw(st.integers(1, 8)))
    ]


def levels(makers: tuple[Maker, ...], given_: set[str], goal: set[str]) -> int | None:
    """How deep these makers go until they have the goal; None where they never do."""
    have, depth = settled(makers, set(given_)), 0
    open_makers = [each for each in makers if each.cost]
    while not goal <= have:
        ready = [each for each in open_makers if each.needs <= have]
        if not ready:
            return None
        open_makers = [each for each in open_makers if not each.needs <= have]
        for each in ready:
            have |= each.gives
        have, depth = settled(makers, have), depth + 1
    return depth


def settled(makers: tuple[Maker, ...], have: set[str]) -> set[str]:
    while True:
        more = have.union(*(each.gives for each in makers if not each.cost and each.needs <= have))
        if more == have:
            return have
        have = more


def exhaustive(makers: list[Maker], given_: set[str], goal: set[str], limits: Limits) -> int | None:
    """The least cost of all sets of makers that are a plan; None where there is none."""
    free = tuple(each for each in makers if not each.cost)
    paid = [each for each in makers if each.cost]
    sets = chain.from_iterable(combinations(paid, size) for size in range(len(paid) + 1))
    costs: list[int] = []
    for chosen in sets:
        depth = levels((*chosen, *free), given_, goal)
        if depth is None or (limits.depth is not None and depth > limits.depth):
            continue
        if limits.nodes is None or sum(each.nodes for each in chosen) <= limits.nodes:
            costs.append(sum(each.cost for each in chosen))
    return min(costs, default=None)


@settings(max_examples=300, deadline=None)
@given(
    worlds(),
    st.sets(st.sampled_from(NAMES), max_size=2),
    st.sets(st.sampled_from(NAMES), min_size=1, max_size=3),
    st.none() | st.integers(1, 6),
    st.none() | st.integers(1, 3),
)
def test_the_cheapest_plan_of_every_small_world_is_found_and_proved(
    makers: list[Maker], brought: set[str], goal: set[str], nodes: int | None, depth: int | None
) -> None:
    limits = Limits(nodes, depth)
    least = exhaustive(makers, brought, goal, limits)
    found = search(state_problem(makers, brought, goal), limits, effort=10_000_000)
    if isinstance(found, NotFound):
        assert least is None
        assert found.proved
        return
    assert (found.cost, found.proved) == (least, True)
    free = tuple(each for each in makers if not each.cost)
    assert levels((*found.makers, *free), brought, goal) is not None


@settings(max_examples=100, deadline=None)
@given(worlds(), st.sets(st.sampled_from(NAMES), min_size=1, max_size=3), st.integers(0, 60))
def test_where_the_effort_ends_first_the_gap_is_no_lie(
    makers: list[Maker], goal: set[str], effort: int
) -> None:
    least = exhaustive(makers, {"a"}, goal, Limits())
    found = search(state_problem(makers, {"a"}, goal), effort=effort)
    if isinstance(found, Found):
        assert least is not None
        assert found.least <= least <= found.cost
    elif found.proved:
        assert least is None
