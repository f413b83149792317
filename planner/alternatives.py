"""Another plan than those that people have rejected: the cheapest that lacks something of each of them."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from planner.planner import JsonObject, PlanContext, PlanRefused, diagnostic
from planner.text import as_object
from runs.rules.plan_approval import NO_OTHER_PLAN

MAX_PLANNINGS = 32
"""How many plans are looked at for another one."""

Plan = Callable[[PlanContext], JsonObject]


def another_plan(plan: Plan, context: PlanContext) -> JsonObject:
    """The cheapest plan with a capability less than each rejected one, whatever it has in its place.

    A capability that the words of a rejection name is left out where that leaves a plan. Raises PlanRefused.
    """
    if not context.rejected:
        return plan(context)
    search = _Search(plan, context)
    named = frozenset(_named(context))
    found = (search.plan_without(named) if named else None) or search.cheapest()
    if found is None:
        said = "; ".join(
            f"{each.get('operator')}: {each.get('words') or 'no reason'}" for each in context.rejected
        )
        message = f"No other plan meets the contract than what was rejected ({said})."
        raise PlanRefused([diagnostic(NO_OTHER_PLAN, message)])
    return found


def _named(context: PlanContext) -> Iterator[str]:
    for each in context.rejected:
        words = (each.get("words") or "").lower()
        yield from (capability for capability in each["capabilities"] if capability.lower() in words)


@dataclass(slots=True)
class _Search:
    """Best first. A plan that has all of a rejected one is branched: each branch forbids one of those capabilities."""

    plan: Plan
    context: PlanContext
    left: int = MAX_PLANNINGS
    seen: set[frozenset[str]] = field(default_factory=set[frozenset[str]])

    def cheapest(self) -> JsonObject | None:
        """The cheapest other plan; None where there is none, or none was found within MAX_PLANNINGS."""
        waiting: list[tuple[tuple[float, ...], int, frozenset[str], JsonObject]] = []
        branches = [frozenset[str]()]
        while branches or waiting:
            for forbidden in branches:
                made = self._made(forbidden)
                if made is not None:
                    heapq.heappush(waiting, (_cost(made), len(self.seen), forbidden, made))
            if not waiting:
                return None
            _, _, forbidden, made = heapq.heappop(waiting)
            hit = self._rejected(made)
            if hit is None:
                return made
            branches = [forbidden | {each} for each in hit]
        return None

    def plan_without(self, forbidden: frozenset[str]) -> JsonObject | None:
        """The cheapest plan without these, where that is another one."""
        made = self._made(forbidden)
        return made if made is not None and self._rejected(made) is None else None

    def _made(self, forbidden: frozenset[str]) -> JsonObject | None:
        if forbidden in self.seen or self.left <= 0:
            return None
        self.seen.add(forbidden)
        self.left -= 1
        try:
            return self.plan(replace(self.context, forbidden=(*self.context.forbidden, *sorted(forbidden))))
        except PlanRefused:
            if not forbidden:
                raise
            return None

    def _rejected(self, made: JsonObject) -> list[str] | None:
        """The capabilities of a rejected plan all of which this one has."""
        used = {node["capabilityId"] for node in made["nodes"]}
        return next(
            (each["capabilities"] for each in self.context.rejected if used >= set(each["capabilities"])),
            None,
        )


def _cost(made: JsonObject) -> tuple[float, ...]:
    cost = as_object(as_object(made.get("metadata")).get("cost"))
    return (*(cost.get(key, 0) for key in ("micros", "seconds", "tokens")), len(made["nodes"]))
