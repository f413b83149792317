"""Planning without a planner worker: the plan that an envelope would have, and the check of a plan that people edit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

from planner.derive.costs import plan_cost
from planner.listed import listed_text
from planner.planner import JsonObject, PlanContext, PlanRefused, diagnostic
from planner.sandboxed import PLAN_SECONDS, SandboxedPlanner
from runs.event import Json
from sandbox.errors import InputRefused, SandboxCrashed, SandboxTimedOut
from sandbox.sandbox import Sandbox
from schemas.house_policy import HousePolicy


async def trial_plan(
    sandbox: Sandbox,
    envelope: JsonObject,
    capabilities: Sequence[JsonObject],
    facets: Mapping[str, JsonObject],
    disabled: Sequence[JsonObject],
    house: HousePolicy,
) -> JsonObject:
    """`{feasible, plan, cost, proved}` or `{feasible, diagnostics}`, as a run would be planned under this house policy.

    Raises SandboxFailed, SandboxUnavailable.
    """
    context = PlanContext(
        facets=facets,
        disabled=disabled,
        forbidden=house.forbidden_capabilities,
        max_nodes=house.limits.nodes,
    )
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


async def check_edited_plan(
    sandbox: Sandbox,
    envelope: JsonObject,
    sent: Json,
    base: JsonObject,
    capabilities: Sequence[JsonObject],
    forbidden: Sequence[str],
) -> JsonObject:
    """`{plan}` with a plan that a person has edited, completed and with its cost, or `{diagnostics}`.

    `base` is the plan that was asked about. Raises SandboxFailed, SandboxUnavailable.
    """
    argument = {"envelope": envelope, "sent": sent, "base": base, "forbidden": list(forbidden)}
    try:
        text: bytes = await sandbox.call(
            "planner.child:check_edited", argument, listed_text(capabilities), deadline_seconds=PLAN_SECONDS
        )
    except InputRefused as refusal:
        return {"diagnostics": refusal.data["diagnostics"]}
    except (SandboxTimedOut, SandboxCrashed):
        return {
            "diagnostics": [
                diagnostic("plan_too_complex", "Checking the plan takes too much; make it smaller.")
            ]
        }
    return {"plan": orjson.loads(text)}
