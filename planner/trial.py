"""Planning without a run: the plan that an envelope would have, or why it has none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from planner.planner import JsonObject, PlanContext, PlanRefused
from planner.planner_result import plan_cost
from planner.sandboxed import SandboxedPlanner
from sandbox.sandbox import Sandbox
from schemas.house_policy import HousePolicy


async def trial_plan(
    sandbox: Sandbox,
    envelope: JsonObject,
    capabilities: Sequence[JsonObject],
    facets: Mapping[str, JsonObject],
    house: HousePolicy,
) -> JsonObject:
    """`{feasible, plan, cost, proved}` or `{feasible, diagnostics}`, as a run would be planned under this house policy.

    Raises SandboxFailed, SandboxUnavailable.
    """
    context = PlanContext(facets=facets, forbidden=house.forbidden_capabilities, max_nodes=house.limits.nodes)
    try:
        checked = await SandboxedPlanner(sandbox).plan(envelope, capabilities, context)
    except PlanRefused as refused:
        return {"feasible": False, "diagnostics": refused.diagnostics}
    faults = [each.to_wire() for each in house.plan_faults(checked.plan)]
    if faults:
        return {"feasible": False, "diagnostics": faults}
    made = house.bounded(checked.plan)
    proved = made["metadata"].get("proved", False)
    return {"feasible": True, "plan": made, "cost": plan_cost(made, capabilities), "proved": proved}
