"""Branch and bound over choices of makers, best bound first.

A branch has makers that are chosen and makers that are barred. What it costs at least is what its chosen makers cost
and what `landmarks.bound` says is still to be paid. A branch whose chosen makers are a plan is done; any other is split
by a landmark, of which every plan has a maker: with the first, with the second and without the first, and so on. So no
plan is looked at twice and none is missed, and a plan is proved to be the cheapest when no branch may cost less.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heappop, heappush

from planner.search.landmarks import Effort, bound
from planner.search.problem import Limits, Maker, Problem, bits

MAX_EFFORT = 50_000
"""How many looks at makers a search takes at most: some hundredths of a second."""

_Branch = tuple[int, int, int, int, tuple[int, ...]]
"""The least it costs, a number that tells branches of the same cost apart, chosen, barred, what to split it by."""


@dataclass(frozen=True, slots=True)
class Found:
    """The chosen makers in the order of their names, without those that cost nothing; what they cost together.

    `least` is what no plan can be cheaper than; where it is `cost`, the plan is `proved` to be the cheapest.
    `considered` is how many makers could have had a part in it, `branches` how many choices were looked at.
    """

    makers: tuple[Maker, ...]
    cost: int
    least: int
    considered: int
    branches: int

    @property
    def proved(self) -> bool:
        return self.least >= self.cost


@dataclass(frozen=True, slots=True)
class NotFound:
    """There is no plan; without `proved`, none within the limits was found with the effort that is spent on it.

    `beyond` is a plan that only the limits forbid.
    """

    proved: bool
    beyond: tuple[Maker, ...] = ()


@dataclass(slots=True)
class _Search:
    problem: Problem
    limits: Limits
    effort: Effort
    best: int | None = None
    best_cost: int = 0
    beyond: int | None = None
    branches: int = 0
    waiting: list[_Branch] = field(default_factory=list["_Branch"])

    def run(self) -> Found | NotFound:
        self._add(0, 0, 0)
        while self.waiting and not self.effort.exhausted:
            if self.best is not None and self.waiting[0][0] >= self.best_cost:
                break
            least, _, chosen, barred, landmark = heappop(self.waiting)
            for index in landmark:
                self._add(chosen | 1 << index, barred, least)
                barred |= 1 << index
        least = self.waiting[0][0] if self.waiting else self.best_cost
        if self.best is None:
            beyond = () if self.beyond is None else self._named(self.beyond)
            return NotFound(proved=not self.waiting, beyond=beyond)
        return Found(
            makers=self._named(self.best),
            cost=self.best_cost,
            least=min(least, self.best_cost),
            considered=(self.problem.all_makers & ~self.problem.free).bit_count(),
            branches=self.branches,
        )

    def _named(self, chosen: int) -> tuple[Maker, ...]:
        return tuple(self.problem.makers[index] for index in bits(chosen & ~self.problem.free))

    def _add(self, chosen: int, barred: int, least: int) -> None:
        """Bound a branch, and keep it where it may lead to something better."""
        self.branches += 1
        chosen = self._forced(chosen, barred)
        if self.limits.nodes is not None and self.problem.nodes_of(chosen) > self.limits.nodes:
            self._note_beyond(chosen, barred)
            return
        found = bound(self.problem, chosen, barred, self.effort)
        if found is None:
            return
        least = max(least, self.problem.cost_of(chosen) + found.least)
        if self.best is not None and least >= self.best_cost:
            return
        if found.landmark:
            self._offer(self._greedy(chosen, barred))
            self._keep(least, chosen, barred, found.landmark)
            return
        if not self._offer(chosen):
            rest = self.problem.all_makers & ~(chosen | barred | self.problem.free)
            self._keep(least, chosen, barred, tuple(bits(rest)))

    def _note_beyond(self, chosen: int, barred: int) -> None:
        plan = chosen if self.problem.reaches(chosen) else self._greedy(chosen, barred)
        if plan is not None and self.beyond is None:
            self.beyond = plan

    def _keep(self, least: int, chosen: int, barred: int, landmark: tuple[int, ...]) -> None:
        if landmark:
            ranked = sorted(landmark, key=lambda index: (self.problem.makers[index].cost, index))
            heappush(self.waiting, (least, self.branches, chosen, barred, tuple(ranked)))

    def _offer(self, chosen: int | None) -> bool:
        """Take a plan for the best one, where it is; whether it is within the limits."""
        if chosen is None:
            return False
        too_many = self.limits.nodes is not None and self.problem.nodes_of(chosen) > self.limits.nodes
        if too_many or (self.limits.depth is not None and self.problem.depth_of(chosen) > self.limits.depth):
            self.beyond = chosen if self.beyond is None else self.beyond
            return False
        cost = self.problem.cost_of(chosen)
        if self.best is None or cost < self.best_cost:
            self.best, self.best_cost = chosen, cost
        return True

    def _forced(self, chosen: int, barred: int) -> int:
        """With every maker that is the only one left of a facet that is needed."""
        problem = self.problem
        needed = problem.goal & ~problem.given
        for index in bits(chosen):
            needed |= problem.needs[index] & ~problem.given
        waiting = list(bits(needed))
        while waiting:
            givers = problem.givers[waiting.pop()] & ~barred
            if not givers or givers & (givers - 1):
                continue
            index = givers.bit_length() - 1
            chosen |= givers & ~problem.free
            fresh = problem.needs[index] & ~problem.given & ~needed
            needed |= fresh
            waiting += bits(fresh)
        return chosen

    def _greedy(self, chosen: int, barred: int) -> int | None:
        """A plan that need not be the cheapest: each facet from its cheapest maker as if nothing were shared."""
        problem = self.problem
        usable = problem.all_makers & ~barred
        supporter = _cheapest(problem, usable, chosen)
        self.effort.spend(len(problem.makers))
        plan = chosen
        waiting = list(bits(problem.goal & ~problem.given))
        seen = 0
        while waiting:
            facet = waiting.pop()
            if seen >> facet & 1:
                continue
            seen |= 1 << facet
            index = supporter[facet]
            if index < 0:
                return None
            plan |= 1 << index
            waiting += bits(problem.needs[index] & ~problem.given & ~seen)
        return self._without_waste(plan & ~problem.free, chosen)

    def _without_waste(self, plan: int, chosen: int) -> int:
        """Without makers that the plan does not need, the dearest left out first."""
        removable = sorted(bits(plan & ~chosen), key=lambda index: -self.problem.makers[index].cost)
        for index in removable if len(removable) <= _MAX_TRIED else ():
            without = plan & ~(1 << index)
            if self.problem.reaches(without):
                plan = without
        return plan


_MAX_TRIED = 40


def _cheapest(problem: Problem, usable: int, chosen: int) -> list[int]:
    """For each facet the maker by which it costs least where all needs are paid for one by one; -1 for none.

    This is Knuth's generalisation of Dijkstra's algorithm for a sum.
    """
    supporter = [-1] * len(problem.facets)
    value: dict[int, int] = dict.fromkeys(bits(problem.given), 0)
    lacking = {index: (problem.needs[index] & ~problem.given).bit_count() for index in bits(usable)}
    paid = chosen | problem.free
    sums = {index: 0 if paid >> index & 1 else problem.makers[index].cost for index in lacking}
    waiting = [(sums[index], index) for index, count in lacking.items() if not count]
    waiting.sort()
    while waiting:
        cost, index = heappop(waiting)
        for facet in bits(problem.gives[index]):
            if facet in value:
                continue
            value[facet], supporter[facet] = cost, index
            for needer in problem.needers[facet]:
                if needer in lacking:
                    lacking[needer] -= 1
                    sums[needer] += cost
                    if not lacking[needer]:
                        heappush(waiting, (sums[needer], needer))
    return supporter


def search(problem: Problem, limits: Limits = Limits(), effort: int = MAX_EFFORT) -> Found | NotFound:  # noqa: B008
    """The cheapest plan, the best one that was found with this effort, or that there is none."""
    return _Search(problem, limits, Effort(effort)).run()
