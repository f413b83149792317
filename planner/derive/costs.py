"""What a maker costs, as one whole number that orders plans.

It has fields, the most important one in front: how many nodes no process serves now, how many are avoided, how many are
people's work, how many are not preferred, then what is optimised for, then nodes, and last a number out of the ids, by
which no two plans cost the same: which plan is the cheapest never depends on the order in which they are looked at, nor
on capabilities that have no part in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any

from planner.planner import JsonObject
from planner.text import as_object
from schemas.planner_policies import Optimisation, PlannerPolicies, Weights

_ID_BYTES = 32
_HASH_BYTES = 8
_COUNT_BITS = 20
_TIE_BITS = 8 * (_ID_BYTES + _HASH_BYTES) + _COUNT_BITS
_WEIGHTED_BITS = 120
_MOST_WEIGHTED = (1 << (_WEIGHTED_BITS - _COUNT_BITS)) - 1
_UNIT = 1_000_000
_MONEY = Weights(money=1)
_OBJECTIVES = {"speed": Weights(seconds=1), "token_efficiency": Weights(tokens=1)}


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a descriptor says of one call: millionths of a unit of money, seconds, tokens; 0 where it says nothing."""

    micros: int = 0
    seconds: float = 0
    tokens: int = 0


def read_estimate(descriptor: Mapping[str, Any]) -> Estimate:
    """The `cost` of a descriptor in wire form."""
    cost = as_object(descriptor.get("cost"))
    micros, seconds, tokens = (_number(cost.get(name)) for name in ("micros", "seconds", "tokens"))
    return Estimate(int(micros), seconds, int(tokens))


def plan_cost(plan: JsonObject, capabilities: Sequence[JsonObject]) -> JsonObject:
    """What the descriptors say that a plan (wire form) costs; 0 for what they do not say."""
    estimates = {str(each.get("id")): read_estimate(each) for each in capabilities}
    used = [estimates.get(node["capabilityId"], Estimate()) for node in plan["nodes"]]
    return {
        "micros": sum(each.micros for each in used),
        "seconds": sum(each.seconds for each in used),
        "tokens": sum(each.tokens for each in used),
        "nodes": len(used),
    }


def _number(value: Any) -> float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else 0


@dataclass(frozen=True, slots=True)
class Standing:
    """What counts before money: no process serves it now, it is avoided, people do it, it is not preferred."""

    unserved: bool = False
    avoided: bool = False
    people: bool = False
    unpreferred: bool = False


def weights_of(optimisation: Optimisation) -> Weights:
    """The weights that were told, or those of the objective."""
    return optimisation.weights or _OBJECTIVES.get(optimisation.objective, _MONEY)


def cost_number(
    capability_id: str, estimate: Estimate, standing: Standing, policies: PlannerPolicies, nodes: int
) -> int:
    """The cost of a maker that is this many nodes."""
    weights = weights_of(policies.optimisation)
    parts = (
        weights.money * estimate.micros,
        weights.seconds * estimate.seconds * _UNIT,
        weights.tokens * estimate.tokens * _UNIT,
        weights.steps * _UNIT,
    )
    weighted = min(sum(round(part * 1000) for part in parts), _MOST_WEIGHTED)
    number = 0
    for flag in (standing.unserved, standing.avoided, standing.people, standing.unpreferred):
        number = number << _COUNT_BITS | int(flag)
    number = number << _WEIGHTED_BITS | weighted
    number = (number << _COUNT_BITS | 1) << _TIE_BITS | _tie(capability_id)
    return number * nodes


@lru_cache(maxsize=1_024)
def _tie(capability_id: str) -> int:
    """In the order of the ids, as far as one number can be; another one for every id."""
    text = capability_id.encode()[:_ID_BYTES].ljust(_ID_BYTES, b"\0")
    return int.from_bytes(text + sha256(capability_id.encode()).digest()[:_HASH_BYTES])


def gap_of(cost: int, least: int) -> dict[str, float]:
    """By how much a plan may be dearer than the cheapest, in what is optimised for and in nodes; at most."""
    spare = (cost >> _TIE_BITS) - (least >> _TIE_BITS)
    nodes = spare & ((1 << _COUNT_BITS) - 1)
    weighted = spare >> _COUNT_BITS & ((1 << _WEIGHTED_BITS) - 1)
    return {"weighted": weighted / 1000, "nodes": nodes}
