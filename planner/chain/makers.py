"""Which capability makes a facet at the least cost, from what is given.

The cost of a facet is that of the capability that gives it and of all that this one needs: first how many of them
nobody serves at the moment, then money (millionths, whatever the currency), then nodes. It never falls on the way, so
that the cheapest facets can be settled one after the other, as Dijkstra does for paths, and no chain is a circle.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from heapq import heappop, heappush

from planner.planner import JsonObject
from planner.text import as_list, as_object

Cost = tuple[int, int, int]
_NOTHING: Cost = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Maker:
    """A capability, with the facets that it needs, those that it may take as well, and those of which it takes many."""

    capability_id: str
    needs: tuple[str, ...]
    may_take: tuple[str, ...]
    many: frozenset[str]
    gives: tuple[str, ...]
    own_cost: Cost
    needs_inputs: frozenset[str] = frozenset()
    """Keys that its inputSchema requires."""

    takes_inputs: bool = False


def read_maker(descriptor: JsonObject) -> Maker:
    """What a descriptor (wire form) says of this."""
    taken = [
        as_object({"name": each} if isinstance(each, str) else each)
        for each in as_list(descriptor.get("facetsIn"))
    ]
    schema = as_object(descriptor.get("inputSchema"))
    micros = as_object(descriptor.get("cost")).get("micros")
    return Maker(
        capability_id=str(descriptor.get("id")),
        needs=tuple(str(each.get("name")) for each in taken if each.get("required", True)),
        may_take=tuple(str(each.get("name")) for each in taken if not each.get("required", True)),
        many=frozenset(str(each.get("name")) for each in taken if each.get("many")),
        gives=tuple(str(each) for each in as_list(descriptor.get("facetsOut"))),
        own_cost=(int(descriptor.get("status") == "silent"), micros if isinstance(micros, int) else 0, 1),
        needs_inputs=frozenset(str(each) for each in as_list(schema.get("required")))
        if not taken
        else frozenset(),
        takes_inputs=bool(schema) and not taken,
    )


class Makers:
    """All capabilities that give facets, and what each facet costs with these facets and inputs given."""

    def __init__(
        self,
        makers: Iterable[Maker],
        given: Collection[str],
        inputs: Collection[str],
        wanted: Collection[str] = (),
    ) -> None:
        """`wanted` are facets that are to be made although they are given."""
        self.all = sorted(makers, key=lambda each: each.capability_id)
        self.given = frozenset(given)
        self.inputs = frozenset(inputs)
        self._cheapest: dict[str, Maker] = {}
        self._needers: dict[str, list[Maker]] = {}
        for each in self.all:
            for facet in each.needs:
                self._needers.setdefault(facet, []).append(each)
        self._settle(wanted)

    def cheapest(self, facet: str) -> Maker | None:
        """What makes the facet; None where nothing can."""
        return self._cheapest.get(facet)

    def givers(self, facet: str) -> list[Maker]:
        """Every capability that gives the facet, whether it can be reached or not."""
        return [each for each in self.all if facet in each.gives]

    def _settle(self, wanted: Collection[str]) -> None:
        costs: dict[str, Cost] = dict.fromkeys(self.given, _NOTHING)
        open_needs = {each.capability_id: len(set(each.needs) - self.given) for each in self.all}
        waiting: list[tuple[Cost, str, Maker]] = []
        for maker in self.all:
            if open_needs[maker.capability_id] == 0 and maker.needs_inputs <= self.inputs:
                heappush(waiting, (maker.own_cost, maker.capability_id, maker))
        while waiting:
            cost, _, maker = heappop(waiting)
            for facet in maker.gives:
                if facet in costs and (facet not in wanted or facet in self._cheapest):
                    continue
                self._cheapest[facet] = maker
                if facet not in costs:
                    costs[facet] = cost
                    self._release(facet, costs, open_needs, waiting)

    def _release(
        self,
        facet: str,
        costs: dict[str, Cost],
        open_needs: dict[str, int],
        waiting: list[tuple[Cost, str, Maker]],
    ) -> None:
        """Queue what needed this facet and nothing else any more."""
        for maker in self._needers.get(facet, ()):
            open_needs[maker.capability_id] -= 1
            if open_needs[maker.capability_id] == 0 and maker.needs_inputs <= self.inputs:
                parts = [maker.own_cost, *(costs[each] for each in set(maker.needs))]
                total: Cost = (sum(p[0] for p in parts), sum(p[1] for p in parts), sum(p[2] for p in parts))
                heappush(waiting, (total, maker.capability_id, maker))
