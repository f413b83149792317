"""Planning, on the child's side of the sandbox. See `planner.sandboxed`, which is the only caller."""

from __future__ import annotations

from typing import Any, cast

import orjson

from planner.alternatives import another_plan
from planner.checking import plan_faults
from planner.edited import completed_plan, edited_faults, priced
from planner.listed import Listed
from planner.planner import JsonObject, PlanContext, PlanRefused, diagnostic
from planner.skeleton import SkeletonPlanner
from sandbox.errors import InputRefused

MAX_PLAN_BYTES = 4 * 1024 * 1024
"""A plan is stored with its run and sent to its readers."""

_planner = SkeletonPlanner()


_listed = Listed()


def plan(argument: dict[str, Any], blob: bytes) -> bytes:
    """The plan (JSON) for `{"envelope"}` and what a `PlanContext` has; `blob` is what is registered as JSON.

    Raises InputRefused with `{"diagnostics": [...], "faulty": bool}`; `faulty` says that the plan is at fault, and
    not the envelope.
    """
    _listed.read(blob)
    capabilities = _listed.capabilities
    context = _listed.context(argument)
    try:

        def attempt(changed: PlanContext) -> JsonObject:
            return _planner.plan(argument["envelope"], capabilities, changed)

        made = another_plan(attempt, context)
    except PlanRefused as refused:
        raise _refusal(refused.diagnostics, faulty=False) from None
    if faults := plan_faults(made, capabilities, context.done):
        raise _refusal(faults, faulty=True)
    text = orjson.dumps(made)
    if len(text) > MAX_PLAN_BYTES:
        message = f"The plan would take {len(text):,} bytes; at most {MAX_PLAN_BYTES:,} can be kept."
        raise _refusal([diagnostic("plan_too_complex", message)], faulty=False)
    return text


def check_edited(argument: dict[str, Any], blob: bytes) -> bytes:
    """The plan (JSON) that `{"envelope", "sent", "base", "forbidden"}` makes, completed and with its cost.

    `blob` is what is registered as JSON. Raises InputRefused with `{"diagnostics": [...]}`, with places in the plan.
    """
    _listed.read(blob)
    capabilities = _listed.capabilities
    sent = argument["sent"]
    if not isinstance(sent, dict):
        raise InputRefused({"diagnostics": [diagnostic("plan_invalid", "A plan is an object with nodes.")]})
    plan = completed_plan(cast(JsonObject, sent), argument["base"], capabilities)
    if faults := edited_faults(argument["envelope"], plan, capabilities, argument["forbidden"]):
        raise InputRefused({"diagnostics": faults})
    text = orjson.dumps(priced(plan, capabilities))
    if len(text) > MAX_PLAN_BYTES:
        message = f"The plan would take {len(text):,} bytes; at most {MAX_PLAN_BYTES:,} can be kept."
        raise InputRefused({"diagnostics": [diagnostic("plan_too_complex", message)]})
    return text


def _refusal(diagnostics: list[JsonObject], *, faulty: bool) -> InputRefused:
    return InputRefused({"diagnostics": diagnostics, "faulty": faulty})
