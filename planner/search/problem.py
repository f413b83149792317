"""What is searched: facets that are given, makers that lead from facets to facets, and facets that are wanted.

Facets and makers are bits of integers, so that "has all that it needs" is one operation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes all facets that it `gives` of all that it `needs`, at a `cost` that is paid once.

    A maker without a cost costs nothing and is no node: it only says that one facet will do in place of others.
    `nodes` is how many nodes of a plan it is.
    """

    name: str
    needs: frozenset[str]
    gives: frozenset[str]
    cost: int
    nodes: int = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """What a plan may have at most; None for as many as there are."""

    nodes: int | None = None
    depth: int | None = None


def bits(mask: int) -> Iterator[int]:
    """The positions of the bits that are set, lowest first."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


@dataclass(slots=True)
class Problem:
    """A problem in numbers. `needs[i]` and `gives[i]` are facets of maker `i`, `givers[f]` the makers of facet `f`."""

    makers: list[Maker]
    needs: list[int]
    gives: list[int]
    givers: list[int]
    needers: list[list[int]]
    given: int
    goal: int
    free: int
    facets: list[str]
    all_makers: int = field(init=False)

    def __post_init__(self) -> None:
        self.all_makers = (1 << len(self.makers)) - 1

    def cost_of(self, chosen: int) -> int:
        """What these makers cost together."""
        return sum(self.makers[index].cost for index in bits(chosen))

    def nodes_of(self, chosen: int) -> int:
        """How many nodes they are."""
        return sum(self.makers[index].nodes for index in bits(chosen & ~self.free))

    def reached(self, chosen: int) -> int:
        """The facets that these makers and those that cost nothing can make."""
        have = self.given
        open_makers = list(bits(chosen | self.free))
        while True:
            left: list[int] = []
            before = have
            for index in open_makers:
                if self.needs[index] & ~have:
                    left.append(index)
                else:
                    have |= self.gives[index]
            if have == before:
                return have
            open_makers = left

    def reaches(self, chosen: int) -> bool:
        """Whether these makers are a plan."""
        return not self.goal & ~self.reached(chosen)

    def depth_of(self, chosen: int) -> int:
        """How many nodes stand one after the other at most, where each facet is made as early as it can be.

        Only for makers that are a plan.
        """
        have, depth = self._settled(self.given), 0
        open_makers = list(bits(chosen & ~self.free))
        while self.goal & ~have:
            ready = [index for index in open_makers if not self.needs[index] & ~have]
            open_makers = [index for index in open_makers if self.needs[index] & ~have]
            for index in ready:
                have |= self.gives[index]
            have, depth = self._settled(have), depth + 1
        return depth

    def _settled(self, have: int) -> int:
        """With all that follows from these facets without a node."""
        before = -1
        while have != before:
            before = have
            for index in bits(self.free):
                if not self.needs[index] & ~have:
                    have |= self.gives[index]
        return have


def state_problem(makers: Iterable[Maker], given: Iterable[str], goal: Iterable[str]) -> Problem:
    """The problem without what cannot be made, what leads nowhere, and what another maker does better."""
    given_set, goal_set = frozenset(given), frozenset(goal)
    usable = _reachable(sorted(makers, key=lambda each: each.name), given_set)
    relevant = _relevant(usable, given_set, goal_set)
    while True:
        better = _undominated(relevant, given_set, goal_set)
        narrowed = _relevant(better, given_set, goal_set)
        if len(narrowed) == len(relevant):
            return _numbered(narrowed, given_set, goal_set)
        relevant = narrowed


def reachable_facets(makers: Iterable[Maker], given: Iterable[str]) -> frozenset[str]:
    """All facets that can be made, at any cost."""
    given_set = frozenset(given)
    usable = _reachable(list(makers), given_set)
    return given_set.union(*(each.gives for each in usable))


def _reachable(makers: Sequence[Maker], given: frozenset[str]) -> list[Maker]:
    """The makers that have all they need, from one another and from what is given."""
    lacking = {index: len(each.needs - given) for index, each in enumerate(makers)}
    needers: dict[str, list[int]] = {}
    for index, each in enumerate(makers):
        for facet in each.needs - given:
            needers.setdefault(facet, []).append(index)
    ready = [index for index, count in lacking.items() if not count]
    seen: set[str] = set(given)
    done: set[int] = set()
    while ready:
        index = ready.pop()
        done.add(index)
        for facet in makers[index].gives - seen:
            seen.add(facet)
            for needer in needers.get(facet, ()):
                lacking[needer] -= 1
                if not lacking[needer]:
                    ready.append(needer)
    return [each for index, each in enumerate(makers) if index in done]


def _relevant(makers: Sequence[Maker], given: frozenset[str], goal: frozenset[str]) -> list[Maker]:
    """The makers of something that is wanted, or needed by one of these."""
    givers: dict[str, list[int]] = {}
    for index, each in enumerate(makers):
        for facet in each.gives:
            givers.setdefault(facet, []).append(index)
    wanted = set(goal)
    waiting = [facet for facet in goal if facet not in given]
    kept: set[int] = set()
    while waiting:
        for index in givers.get(waiting.pop(), ()):
            if index not in kept:
                kept.add(index)
                further = makers[index].needs - given - wanted
                wanted |= further
                waiting += sorted(further)
    return [each for index, each in enumerate(makers) if index in kept]


def _undominated(makers: Sequence[Maker], given: frozenset[str], goal: frozenset[str]) -> list[Maker]:
    """Without each maker of which another gives all that counts, needs no more and costs less."""
    counts = goal.union(*(each.needs for each in makers)) - given
    needs = [each.needs - given for each in makers]
    gives = [each.gives & counts for each in makers]
    no_givers: list[int] = []
    givers: dict[str, list[int]] = {}
    for index, facets in enumerate(gives):
        for facet in facets:
            givers.setdefault(facet, []).append(index)

    def beaten(index: int) -> bool:
        fewest = min((givers[facet] for facet in gives[index]), key=len, default=no_givers)
        return any(
            other != index
            and _rank(makers[other]) < _rank(makers[index])
            and makers[other].nodes <= makers[index].nodes
            and needs[other] <= needs[index]
            and gives[other] >= gives[index]
            for other in fewest
        )

    return [each for index, each in enumerate(makers) if not each.cost or not beaten(index)]


def _rank(maker: Maker) -> tuple[int, int, str]:
    return (maker.cost, maker.nodes, maker.name)


def _numbered(makers: list[Maker], given: frozenset[str], goal: frozenset[str]) -> Problem:
    counts = goal.union(given, *(each.needs for each in makers), *(each.gives for each in makers))
    facets = sorted(counts)
    number: Mapping[str, int] = {facet: index for index, facet in enumerate(facets)}

    def mask(names: Iterable[str]) -> int:
        return sum(1 << number[name] for name in names)

    givers = [0] * len(facets)
    needers: list[list[int]] = [[] for _ in facets]
    for index, each in enumerate(makers):
        for facet in each.gives:
            givers[number[facet]] |= 1 << index
        for facet in each.needs:
            needers[number[facet]].append(index)
    return Problem(
        makers=makers,
        needs=[mask(each.needs) for each in makers],
        gives=[mask(each.gives) for each in makers],
        givers=givers,
        needers=needers,
        given=mask(given),
        goal=mask(goal),
        free=sum(1 << index for index, each in enumerate(makers) if not each.cost),
        facets=facets,
    )
