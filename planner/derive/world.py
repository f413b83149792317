"""From offers to makers that can be searched: with variants counted, inputs there, and what a policy requires."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from planner.derive.catalogue import Catalogue
from planner.derive.costs import Standing, cost_number
from planner.derive.goal import Goal, choice, made_anew
from planner.derive.offers import Offer
from planner.planner import JsonObject
from planner.search.problem import Maker
from schemas.planner_policies import PlannerPolicies

_KIND = "\0kind:"
_REQUIRED = "\0required:"
_KEPT = "\0kept:"
_CHECK = "\0check:"


@dataclass(frozen=True, slots=True)
class Ground:
    """What the envelope brings: facets, and the keys of its inputs."""

    facets: Collection[str]
    inputs: Collection[str]


@dataclass(slots=True)
class World:
    """The makers of one plan. `wide` facets are made once for each variant.

    `kept` are facets that completed nodes of the plan before have made, with their sources: they cost nothing.

    `unusable` says of an offer why it has no part in this plan, where that is not for lack of a facet.
    """

    offers: Sequence[Offer]
    ground: Ground
    catalogue: Catalogue
    policies: PlannerPolicies
    copies: int = 1
    kept: Mapping[str, Sequence[JsonObject]] = field(default_factory=dict[str, Sequence[JsonObject]])
    wide: frozenset[str] = frozenset()
    makers: list[Maker] = field(default_factory=list[Maker])
    unusable: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        if self.copies > 1:
            made = {facet for each in self.offers for facet in each.gives}
            made |= {facet for facet, sources in self.kept.items() if len(sources) > 1}
            self.wide = self.catalogue.many & made - frozenset(self.ground.facets)
        self.kept = {
            facet: sources
            for facet, sources in self.kept.items()
            if len(sources) == (self.copies if facet in self.wide else 1)
        }
        self.makers = [maker for each in self.offers if (maker := self._maker(each)) is not None]
        self.makers += [
            Maker(_KEPT + facet, frozenset(), frozenset({facet, made_anew(facet)}), 0, 0)
            for facet in sorted(self.kept)
        ]

    def taken_one_by_one(self, offer: Offer) -> frozenset[str]:
        """Facets that are made for each variant, of which the capability takes one."""
        return frozenset(offer.needs) & self.wide - offer.many

    def is_wide(self, offer: Offer) -> bool:
        """Whether there is a node of it for each variant."""
        return bool(self.wide & set(offer.gives) or self.taken_one_by_one(offer))

    def gives(self, offer: Offer) -> frozenset[str]:
        """What it gives in this plan: for each variant only facets of which there may be several."""
        return frozenset(offer.gives) & self.wide if self.is_wide(offer) else frozenset(offer.gives)

    def reason(self, offer: Offer) -> str | None:
        """Why it can have no part in the plan, whichever facets there are."""
        lacking = sorted(offer.needs_inputs - set(self.ground.inputs))
        if offer.barred is not None:
            return offer.barred
        if lacking:
            return f"it needs these inputs: {', '.join(lacking)}"
        one = sorted(self.taken_one_by_one(offer))
        if one and not self.gives(offer):
            return f"it takes one {one[0]}, and there are to be {self.copies}"
        return None

    def _maker(self, offer: Offer) -> Maker | None:
        if not offer.gives and not offer.checks and not self._is_required(offer):
            return None
        reason = self.reason(offer)
        if reason is not None:
            self.unusable[offer.capability_id] = reason
            return None
        nodes = self.copies if self.is_wide(offer) else 1
        selection = self.policies.selection
        standing = Standing(
            unserved=not offer.served,
            avoided=offer.called(selection.avoid),
            people=offer.people,
            unpreferred=bool(selection.prefer) and not offer.called(selection.prefer),
        )
        given = self.gives(offer)
        return Maker(
            name=offer.capability_id,
            needs=frozenset(offer.needs),
            gives=given | {made_anew(each) for each in given} | self._marks(offer),
            cost=cost_number(offer.capability_id, offer.estimate, standing, self.policies, nodes),
            nodes=nodes,
        )

    def _is_required(self, offer: Offer) -> bool:
        return (
            offer.called(self.policies.selection.require)
            or offer.kind in self.policies.topology.required_kinds
        )

    def _marks(self, offer: Offer) -> set[str]:
        """What a policy requires and this is."""
        marks = {_REQUIRED + each for each in self.policies.selection.require if each in offer.names}
        marks |= {_KIND + each for each in self.policies.topology.required_kinds if each == offer.kind}
        return marks | ({_CHECK + offer.capability_id} if offer.checks else set[str]())

    def checks_of(self, makers: Iterable[Maker], reachable: Collection[str]) -> list[str]:
        """What the search has to reach so that what these make is looked at by all that are there for it, unless a
        policy avoids them."""
        made = {facet for each in makers for facet in each.gives} | self.kept.keys()
        return [
            _CHECK + each.capability_id
            for each in self.offers
            if each.checks & made
            and not (each.gives and self.kept.keys() >= set(each.gives))
            and _CHECK + each.capability_id in reachable
            and not each.called(self.policies.selection.avoid)
        ]

    def required(self) -> dict[str, str]:
        """What the search has to reach for the policies, with the place of the policy that asks for it."""
        place = "/policies/planner"
        kinds = self.policies.topology.required_kinds
        names = self.policies.selection.require
        return {
            **{_KIND + each: f"{place}/topology/requiredKinds/{at}" for at, each in enumerate(kinds)},
            **{_REQUIRED + each: f"{place}/selection/require/{at}" for at, each in enumerate(names)},
        }


def wanted_of(goal: Goal) -> tuple[list[str], list[Maker]]:
    """What the search has to reach for the goal, and the free makers that choose among options."""
    wanted: list[str] = []
    free: list[Maker] = []
    numbers: dict[tuple[str, ...], str] = {}
    for slot in goal.slots:
        names = tuple(dict.fromkeys(each.wanted for each in slot.options))
        if len(names) == 1:
            wanted.append(names[0])
            continue
        mark = numbers.get(names)
        if mark is None:
            mark = numbers[names] = choice(len(numbers))
            free += [
                Maker(f"{mark}:{at}", frozenset({each}), frozenset({mark}), 0, 0)
                for at, each in enumerate(names)
            ]
        wanted.append(mark)
    return list(dict.fromkeys(wanted)), free
