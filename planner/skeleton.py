"""The planner that ships: it derives a plan for every envelope from its contract and from what is registered."""

from __future__ import annotations

from collections.abc import Sequence

from planner.derive.planner import derive_plan
from planner.planner import JsonObject, PlanContext


class SkeletonPlanner:
    """Derives plans, without I/O and at once."""

    name = "skeleton"
    instant = True

    def plan(
        self, envelope: JsonObject, capabilities: Sequence[JsonObject], context: PlanContext
    ) -> JsonObject:
        """A PlanGraph in wire form. Raises PlanRefused with every reason that was found."""
        return derive_plan(envelope, {str(each.get("id")): each for each in capabilities}, context)
