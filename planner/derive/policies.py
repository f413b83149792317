"""Reading what an envelope says of the plan that it wants."""

from __future__ import annotations

from typing import Any

from planner.planner import JsonObject, PlanRefused, diagnostic
from planner.text import as_object
from schemas.parsing import validate_document
from schemas.planner_policies import MAX_VARIANTS, PlannerPolicies
from schemas.refusal import DocumentRefused

_READ = ("topology", "selection", "optimisation")
_STATED = ("policies", "constraints")


def read_policies(envelope: JsonObject) -> PlannerPolicies:
    """`policies.planner`, of which the planner obeys `topology`, `selection` and `optimisation`. Raises PlanRefused."""
    planner = as_object(as_object(envelope.get("policies")).get("planner"))
    asked = {key: planner[key] for key in _READ if key in planner}
    try:
        return validate_document(PlannerPolicies, asked)
    except DocumentRefused as refused:
        raise PlanRefused(
            diagnostic("policy_invalid", each.message, f"/policies/planner{each.pointer}")
            for each in refused.problems
        ) from None


def stated_copies(envelope: JsonObject, policies: PlannerPolicies) -> int | None:
    """How many variants the envelope asks for. What `inputs.variantCount` says counts where it can be a number of
    variants; elsewhere it must be one. Raises PlanRefused."""
    if policies.topology.variant_count is not None:
        return policies.topology.variant_count
    for name in _STATED:
        value: Any = as_object(envelope.get(name)).get("variantCount")
        if value is not None:
            if _is_count(value):
                return int(value)
            message = f"variantCount is a whole number from 1 to {MAX_VARIANTS}, not {str(value)[:40]!r}."
            raise PlanRefused([diagnostic("variant_count_invalid", message, f"/{name}/variantCount")])
    value = as_object(envelope.get("inputs")).get("variantCount")
    return int(value) if _is_count(value) else None


def _is_count(value: Any) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and float(value).is_integer()
        and 1 <= value <= MAX_VARIANTS
    )
