"""Which measure of `constraints.budget` a plan breaks by what its capabilities say, and what is to be spared then."""

from __future__ import annotations

from typing import Any, Literal

from planner.derive.costs import Estimate
from planner.derive.world import World
from planner.planner import JsonObject
from planner.search.search import Found
from planner.text import as_object

Spared = Literal["cost", "speed", "token_efficiency"]
"""An objective of `policies.planner.optimisation`."""


def expected(world: World, found: Found) -> Estimate:
    """What all nodes of a plan take together."""
    offers = {each.capability_id: each for each in world.offers}
    used = [(offers[each.name].estimate, each.nodes) for each in found.makers]
    return Estimate(
        sum(each.micros * nodes for each, nodes in used),
        sum(each.seconds * nodes for each, nodes in used),
        sum(each.tokens * nodes for each, nodes in used),
    )


def to_spare(envelope: JsonObject, world: World, found: Found) -> list[Spared]:
    """The objectives by which a plan that fits may be found; [] for one that fits."""
    budget = as_object(as_object(envelope.get("constraints")).get("budget"))
    in_all = expected(world, found)
    sums: tuple[tuple[Spared, Any, float], ...] = (
        ("cost", budget.get("costMicros"), in_all.micros),
        ("speed", budget.get("seconds"), in_all.seconds),
        ("token_efficiency", budget.get("tokens"), in_all.tokens),
    )
    return [objective for objective, most, total in sums if most is not None and total > most]
