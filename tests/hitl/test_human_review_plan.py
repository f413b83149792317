"""A plan with a person in it: `policies.humanReview`."""

from typing import Any

import pytest

from executor.human_capabilities import HUMAN_REVIEW
from planner.checking import plan_faults
from planner.planner import PlanContext, PlanRefused
from planner.skeleton import SkeletonPlanner
from tests.support.linkedin import REGISTERED, VARIANTS, envelope, example

KNOWN = [*REGISTERED, HUMAN_REVIEW.to_wire()]


def plan_of(task: dict[str, Any], known: list[dict[str, Any]] = KNOWN) -> dict[str, Any]:
    plan = SkeletonPlanner().plan(task, known, PlanContext())
    assert plan_faults(plan, known) == []
    return plan


def reviewed(**policies: Any) -> dict[str, Any]:
    return envelope(VARIANTS, policies={"humanReview": True, **policies})


def test_a_person_looks_at_the_drafts_beside_the_other_review() -> None:
    plan = plan_of(reviewed())
    nodes = {node["id"]: node for node in plan["nodes"]}
    drafts = [node_id for node_id in nodes if node_id.startswith("draft-")]
    review = nodes["human-review"]
    assert review["dependsOn"] == drafts
    assert (review["agentType"], review["kind"], review["capabilityId"]) == (
        "human",
        "validation",
        "human.review",
    )
    assert review["contract"]["output"]["required"] == ["approved", "comments"]
    assert "assignees" not in review["bundle"]


def test_the_approvers_are_those_who_may_review() -> None:
    plan = plan_of(reviewed(hitl={"approvers": ["editor", "ann"]}))
    (review,) = [node for node in plan["nodes"] if node["id"] == "human-review"]
    assert review["bundle"]["assignees"] == ["editor", "ann"]


def test_the_output_is_not_shaped_before_the_person_has_looked() -> None:
    task = example("linkedin-flat-record")
    task["policies"] = {**task.get("policies", {}), "humanReview": True}
    (shape,) = [node for node in plan_of(task)["nodes"] if node["id"] == "shape"]
    assert "human-review" in shape["dependsOn"]


@pytest.mark.parametrize("policies", [{}, {"humanReview": False}])
def test_nobody_is_asked_unless_the_envelope_says_so(policies: dict[str, Any]) -> None:
    plan = plan_of(envelope(VARIANTS, policies=policies))
    assert "human-review" not in [node["id"] for node in plan["nodes"]]


@pytest.mark.parametrize(
    ("policies", "known", "code"),
    [
        ({"humanReview": "yes"}, KNOWN, "policy_invalid"),
        ({"humanReview": True}, REGISTERED, "capability_missing"),
    ],
)
def test_what_cannot_be_reviewed_is_refused(
    policies: dict[str, Any], known: list[dict[str, Any]], code: str
) -> None:
    with pytest.raises(PlanRefused) as refused:
        plan_of(envelope(VARIANTS, policies=policies), known)
    assert [each["code"] for each in refused.value.diagnostics] == [code]
