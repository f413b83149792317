"""What is still to be paid at least, and what it must be paid for.

A landmark is a set of makers of which every plan has one. They are found as cuts. The superior function "the dearest
facet that is needed" (Knuth's generalisation of Dijkstra's algorithm) says for each maker which of its needs comes
last. The makers that lead from what can be had for nothing into what then leads to the goal for nothing are a landmark.
Its cheapest maker is paid for, all of them become cheaper by that, and the next cut is looked for. The sum never
exceeds the cost of the cheapest plan, however much of the work is shared. In the field this is the LM-cut heuristic
(Helmert and Domshlak, 2009).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from planner.search.problem import Problem, bits


@dataclass(slots=True)
class Effort:
    """How many makers may still be looked at. What is decided by it is the same on every machine."""

    left: int
    spent: int = 0

    def spend(self, count: int) -> None:
        self.left -= count
        self.spent += count

    @property
    def exhausted(self) -> bool:
        return self.left <= 0


@dataclass(frozen=True, slots=True)
class Bound:
    """The least that is still to be paid; `landmark` is the smallest that was found, empty where all is paid."""

    least: int
    landmark: tuple[int, ...]


def bound(problem: Problem, chosen: int, barred: int, effort: Effort) -> Bound | None:
    """The bound where `chosen` makers are paid and `barred` ones may not be used; None where no plan is left."""
    paid = chosen | problem.free
    usable = problem.all_makers & ~barred
    costs = [0 if paid >> index & 1 else maker.cost for index, maker in enumerate(problem.makers)]
    least, smallest = 0, ()
    while True:
        values, last = _dearest(problem, usable, costs, effort)
        if any(values[facet] is None for facet in bits(problem.goal)):
            return None
        cut = _cut(problem, usable, costs, values, last)
        if not cut:
            return Bound(least, smallest)
        step = min(costs[index] for index in cut)
        least += step
        for index in cut:
            costs[index] -= step
        if not smallest or len(cut) < len(smallest):
            smallest = tuple(cut)
        if effort.exhausted:
            return Bound(least, smallest)


def _dearest(
    problem: Problem, usable: int, costs: Sequence[int], effort: Effort
) -> tuple[list[int | None], list[int]]:
    """For each facet the cost of its dearest need, None for one that cannot be had; for each maker the need that comes
    last, -1 for one that needs nothing that is not given."""
    values: list[int | None] = [None] * len(problem.facets)
    last = [-1] * len(problem.makers)
    lacking = [0] * len(problem.makers)
    waiting: list[tuple[int, int]] = []
    for facet in bits(problem.given):
        values[facet] = 0
    for index in bits(usable):
        lacking[index] = (problem.needs[index] & ~problem.given).bit_count()
        if not lacking[index]:
            heappush(waiting, (costs[index], index))
    looked = len(problem.makers)
    while waiting:
        value, index = heappop(waiting)
        for facet in bits(problem.gives[index]):
            if values[facet] is not None:
                continue
            values[facet] = value
            looked += len(problem.needers[facet])
            for needer in problem.needers[facet]:
                lacking[needer] -= 1
                if not lacking[needer] and usable >> needer & 1:
                    last[needer] = facet
                    heappush(waiting, (value + costs[needer], needer))
    effort.spend(looked)
    return values, last


def _cut(
    problem: Problem, usable: int, costs: Sequence[int], values: Sequence[int | None], last: Sequence[int]
) -> list[int]:
    """The makers that lead over from what costs nothing to what leads to the goal for nothing."""
    goal = max(bits(problem.goal & ~problem.given), key=lambda facet: values[facet] or 0, default=None)
    if goal is None or not values[goal]:
        return []
    near = 1 << goal
    waiting = [goal]
    while waiting:
        for index in bits(problem.givers[waiting.pop()] & usable):
            if not costs[index] and last[index] >= 0 and not near >> last[index] & 1:
                near |= 1 << last[index]
                waiting.append(last[index])
    return _leading_in(problem, usable, costs, last, near)


def _leading_in(
    problem: Problem, usable: int, costs: Sequence[int], last: Sequence[int], near: int
) -> list[int]:
    """The makers of a facet that is `near`, whose last need can be had without anything near."""
    led_by: dict[int, list[int]] = {}
    for index in bits(usable):
        led_by.setdefault(last[index], []).append(index)
    outside = problem.given
    waiting = [-1]
    cut: list[int] = []
    while waiting:
        for index in led_by.get(waiting.pop(), ()):
            if costs[index] and problem.gives[index] & near:
                cut.append(index)
                continue
            fresh = problem.gives[index] & ~near & ~outside
            outside |= fresh
            waiting += bits(fresh)
    return sorted(cut)
