"""The steps of a plan: each capability once, after those that make what it needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from planner.chain.makers import Maker, Makers
from planner.planner import JsonObject
from runs.facet_sources import from_node
from schemas import pointer


@dataclass(frozen=True, slots=True)
class Step:
    """One node: its capability, the nodes that it waits for, and where its facets come from."""

    node_id: str
    maker: Maker
    depends_on: tuple[str, ...]
    facets: JsonObject


@dataclass(slots=True)
class Chain:
    """Steps in the order in which they were found, and the source of each facet that one of them gives."""

    makers: Makers
    given: Mapping[str, Sequence[JsonObject]]
    steps: list[Step] = field(default_factory=list[Step])
    made: dict[str, tuple[str, JsonObject]] = field(default_factory=dict[str, tuple[str, JsonObject]])

    def make(self, facet: str) -> JsonObject:
        """The source of a facet that a capability makes, with all steps that lead to it."""
        waiting = [facet]
        while waiting:
            name = waiting[-1]
            maker = self.makers.cheapest(name)
            if maker is None:
                raise KeyError(name)
            before = [each for each in maker.needs if each not in self.given and each not in self.made]
            if name in self.made or not before:
                waiting.pop()
                if name not in self.made:
                    self._add(maker)
            else:
                waiting += reversed(before)
        return self.made[facet][1]

    def _add(self, maker: Maker) -> None:
        taken = [*maker.needs, *(each for each in maker.may_take if each in self.given or each in self.made)]
        facets: JsonObject = {}
        depends_on: dict[str, None] = {}
        for name in taken:
            sources = list(self.given.get(name, ()))
            if not sources:
                node_id, source = self.made[name]
                depends_on.setdefault(node_id)
                sources = [source]
            facets[name] = sources if name in maker.many else sources[0]
        node_id = _node_id(maker.capability_id, [step.node_id for step in self.steps])
        self.steps.append(Step(node_id, maker, tuple(depends_on), facets))
        for name in maker.gives:
            place = "" if len(maker.gives) == 1 else pointer.build((name,))
            self.made.setdefault(name, (node_id, from_node(node_id, place)))


def _node_id(capability_id: str, taken: Iterable[str]) -> str:
    """The capability's id, cut to what a node's may have."""
    short = capability_id[:90]
    others = set(taken)
    number = 1
    node_id = short
    while node_id in others:
        number += 1
        node_id = f"{short}-{number}"
    return node_id
