"""Reading what an envelope says of the plan that it wants."""

from __future__ import annotations

from collections.abc import Mapping

from planner.findings import check_capabilities
from planner.planner import JsonObject, PlanRefused, diagnostic
from planner.text import as_list, as_object
from schemas.parsing import validate_document
from schemas.planner_policies import PlannerPolicies
from schemas.refusal import DocumentRefused

HUMAN_REVIEW = "human.review"
_READ = ("topology", "selection", "optimisation")


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


def read_reviewers(envelope: JsonObject, descriptors: Mapping[str, JsonObject]) -> list[str] | None:
    """Who may do the review that `policies.humanReview` asks for: the approvers of `policies.hitl`, any operator where
    there are none; None where it asks for none. Raises PlanRefused."""
    policies = as_object(envelope.get("policies"))
    asked = policies.get("humanReview")
    if asked is None or asked is False:
        return None
    if asked is not True:
        message = "humanReview is true or false."
        raise PlanRefused([diagnostic("policy_invalid", message, "/policies/humanReview")])
    check_capabilities((HUMAN_REVIEW,), descriptors)
    return [str(name) for name in as_list(as_object(policies.get("hitl")).get("approvers"))]
