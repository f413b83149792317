"""`python -m bench.planning`: how long it takes to find a plan, or to refuse, among 200 capabilities and 300 facets.

CPU time of planning alone, without the check of the plan and without a database, over worlds that are made from seeds.
"""

from __future__ import annotations

import random
import sys
import time
from typing import Any

from planner.derive.planner import derive_plan
from planner.planner import JsonObject, PlanContext, PlanRefused

CAPABILITIES = 200
FACETS = 300
GIVEN = 40
WORLDS = 200
_REACH = 60


def world(seed: int) -> tuple[list[JsonObject], JsonObject]:
    """Descriptors, and an envelope that asks for three facets; every fourth world has no plan for one of them."""
    rnd = random.Random(seed)
    names = [f"f{number:03}" for number in range(FACETS)]
    made: list[JsonObject] = []
    for number in range(CAPABILITIES):
        at = rnd.randrange(GIVEN // 2, FACETS)
        takes = {names[rnd.randrange(max(0, at - _REACH), at)] for _ in range(rnd.randint(1, 3))}
        gives = {names[at], *(names[rnd.randrange(GIVEN // 2, FACETS)] for _ in range(rnd.randint(0, 2)))}
        made.append(
            {
                "id": f"c{number:03}",
                "version": "1.0.0",
                "label": f"c{number:03}",
                "facetsIn": sorted(takes),
                "facetsOut": sorted(gives - takes),
                "cost": {"micros": rnd.randint(1, 1_000)},
            }
        )
    reachable = _reachable(made, names[:GIVEN])
    wanted = rnd.sample(reachable, 3) if len(reachable) > 3 else names[GIVEN : GIVEN + 3]
    if seed % 4 == 0:
        wanted[0] = rnd.choice([name for name in names if name not in {*reachable, *names[:GIVEN], *wanted}])
    envelope: JsonObject = {
        "objective": "Anything",
        "inputs": {"facets": {name: {} for name in names[:GIVEN]}},
        "outputContract": {"mode": "facets", "facets": wanted},
    }
    return made, envelope


def _reachable(descriptors: list[JsonObject], given: list[str]) -> list[str]:
    have = set(given)
    while more := {
        facet
        for each in descriptors
        if have.issuperset(each["facetsIn"])
        for facet in each["facetsOut"]
        if facet not in have
    }:
        have |= more
    return sorted(have - set(given))


def measure(worlds: int = WORLDS) -> dict[str, Any]:
    """Milliseconds of CPU time for a plan or a refusal, and how many plans are proved to be the cheapest."""
    times: list[float] = []
    plans = proved = 0
    for seed in range(worlds):
        descriptors, envelope = world(seed)
        by_id = {each["id"]: each for each in descriptors}
        began = time.process_time()
        try:
            plan = derive_plan(envelope, by_id, PlanContext())
        except PlanRefused:
            plan = None
        times.append((time.process_time() - began) * 1_000)
        if plan is not None:
            plans += 1
            proved += plan["metadata"]["proved"]
    times.sort()
    return {
        "worlds": worlds,
        "plans": plans,
        "proved": proved,
        "median_ms": round(times[worlds // 2], 1),
        "p95_ms": round(times[worlds * 95 // 100], 1),
        "most_ms": round(times[-1], 1),
    }


if __name__ == "__main__":
    sys.stdout.write("".join(f"{name:10} {value}\n" for name, value in measure().items()))
