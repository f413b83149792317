"""Planning without a run, for a gateway: the planner that runs are planned by, in the gateway's own sandbox."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from contracts.problems import CheckerUnavailable
from gateway.runs.trial_planner import TrialPlanner
from planner.planner import PlanContext, PlanRefused
from planner.planner_result import plan_cost
from planner.sandboxed import SandboxedPlanner
from runs.event import JsonObject
from sandbox.errors import SandboxFailed, SandboxUnavailable
from sandbox.sandbox import Sandbox
from schemas.house_policy import HousePolicy


def trial_planner(sandbox: Callable[[], Awaitable[Sandbox]]) -> TrialPlanner:
    """Plans in a child of `sandbox`. The planner raises CheckerUnavailable where no child process can be started."""

    async def plan(
        envelope: JsonObject,
        capabilities: Sequence[JsonObject],
        facets: Mapping[str, JsonObject],
        house: HousePolicy,
    ) -> JsonObject:
        context = PlanContext(
            facets=facets, forbidden=house.forbidden_capabilities, max_nodes=house.limits.nodes
        )
        try:
            checked = await SandboxedPlanner(await sandbox()).plan(envelope, capabilities, context)
        except PlanRefused as refused:
            return {"feasible": False, "diagnostics": refused.diagnostics}
        except (SandboxFailed, SandboxUnavailable) as failure:
            raise CheckerUnavailable(str(failure)) from None
        faults = [each.to_wire() for each in house.plan_faults(checked.plan)]
        if faults:
            return {"feasible": False, "diagnostics": faults}
        made = house.bounded(checked.plan)
        proved = made["metadata"].get("proved", False)
        return {"feasible": True, "plan": made, "cost": plan_cost(made, capabilities), "proved": proved}

    return plan
