"""Tasks for LinkedIn posts: which envelopes are for the capabilities, what the plans are, and what a refusal says."""

from typing import Any

import pytest

from planner.planner import PlanContext, PlanRefused
from planner.skeleton import SkeletonPlanner
from tests.support.linkedin import (
    REGISTERED,
    VARIANTS,
    carry_out,
    contract_for,
    envelope,
    plan_of,
    refusal_of,
    with_inputs,
)


def task(objective: str, channel: Any = None, **changes: Any) -> dict[str, Any]:
    """An envelope with no more than this."""
    inputs = {} if channel is None else {"channel": channel}
    return {"objective": objective, "inputs": inputs, "outputContract": contract_for(VARIANTS), **changes}


@pytest.mark.parametrize(
    "objective",
    [
        "Create LinkedIn post variants that invite engineers",
        "draft a linkedin post about our open day",
        "Please write three posts for LINKEDIN.",
        "We need a short, friendly post for our LinkedIn page",
        "Prepare copy for LinkedIn",
        "Generate announcement posts (LinkedIn) for the launch",
        "Plan and approve a LinkedIn welcome post",
        "Please plan two LinkedIn posts for the launch",
        "LinkedIn variants please",
        "LinkedIn post variants",
        "Three short LinkedIn posts about our open day",
        "LinkedIn welcome post, please.",
    ],
)
def test_an_objective_that_speaks_of_linkedin_is_planned(objective: str) -> None:
    assert "draft-a" in [node["id"] for node in plan_of(task(objective))["nodes"]]


@pytest.mark.parametrize("channel", ["linkedin", "LinkedIn", " LINKEDIN ", ["linkedin"]])
def test_the_channel_alone_is_enough(channel: Any) -> None:
    plan = plan_of(task("Tell the world about our open day", channel))
    assert "draft-a" in [node["id"] for node in plan["nodes"]]


@pytest.mark.parametrize(
    "objective",
    ["Deliver a signed broadcast licence", "Write a post for Mastodon", "post", "Écris un article", "🙂"],
)
@pytest.mark.parametrize("channel", [None, "television", 7, {"linkedin": True}, ""])
def test_an_envelope_that_does_not_speak_of_it_is_told_what_would_help(objective: str, channel: Any) -> None:
    reasons = refusal_of(task(objective, channel))
    assert {each["code"] for each in reasons} <= {"contract_unsatisfiable", "facet_missing"}
    assert "it is for tasks about linkedin, of which neither the objective nor the inputs speak" in str(
        reasons
    )


def test_a_missing_capability_is_named_and_may_come_later() -> None:
    without = [
        each for each in REGISTERED if each["id"] not in ("stub.linkedin.draft", "stub.transform.reshape")
    ]
    with pytest.raises(PlanRefused) as refused:
        SkeletonPlanner().plan(envelope(), without, PlanContext())
    assert refused.value.retryable
    (reason,) = refused.value.diagnostics
    assert reason["code"] == "capability_missing"
    assert "'post_copy'" in reason["message"]
    without = [each for each in REGISTERED if each["id"] != "stub.transform.reshape"]
    with pytest.raises(PlanRefused, match=r"stub\.transform\.reshape") as refused:
        SkeletonPlanner().plan(envelope({"type": "string"}), without, PlanContext())
    assert refused.value.retryable


def test_a_refusal_that_the_caller_must_mend_is_final() -> None:
    with pytest.raises(PlanRefused) as refused:
        SkeletonPlanner().plan(with_inputs(variantCount=9), [], PlanContext())
    assert not refused.value.retryable


def test_another_reshaper_may_take_the_stubs_place() -> None:
    own = {
        "id": "flex.reshape",
        "version": "1",
        "label": "Reshape",
        "kind": "transformation",
        "queue": "fast",
    }
    plan = SkeletonPlanner().plan(envelope({"type": "string"}), [*REGISTERED, own], PlanContext())
    assert (plan["nodes"][-1]["capabilityId"], plan["nodes"][-1]["queue"]) == ("flex.reshape", "fast")


def test_every_reason_is_given_at_once() -> None:
    wrong = with_inputs(variantCount=9)
    wrong["policies"] = {"maxAttempts": 0, "fallback": "hope"}
    wrong["outputContract"] = {"mode": "facets", "facets": ["post_copy", "broadcast_licence"]}
    assert {(each["code"], each["path"]) for each in refusal_of(wrong)} == {
        ("variant_count_invalid", "/inputs/variantCount"),
        ("policy_invalid", "/policies/maxAttempts"),
        ("policy_invalid", "/policies/fallback"),
        ("facet_unavailable", "/outputContract/facets/1"),
    }


def test_policies_say_how_often_and_what_then() -> None:
    made = envelope()
    made["policies"] = {"maxAttempts": 7, "fallback": "hitl"}
    contracts = [node["contract"] for node in plan_of(made)["nodes"]]
    assert {(each["maxAttempts"], each["fallback"]) for each in contracts} == {(7, "hitl")}


@pytest.mark.parametrize("value", [0, 101, "3", 2.0, True])
def test_a_number_of_attempts_that_cannot_be_is_refused(value: Any) -> None:
    made = envelope()
    made["policies"] = {"maxAttempts": value}
    assert [each["path"] for each in refusal_of(made)] == ["/policies/maxAttempts"]


def test_a_facet_is_made_by_whichever_capability_gives_it() -> None:
    stranger = {
        "id": "acme.paint",
        "version": "1",
        "label": "Paint",
        "kind": "execution",
        "facetsOut": ["company_profile"],
    }
    made = envelope(outputContract={"mode": "facets", "facets": ["company_profile"]})
    (node,) = SkeletonPlanner().plan(made, [*REGISTERED, stranger], PlanContext())["nodes"]
    assert node["capabilityId"] == "acme.paint"


def test_facets_are_delivered_as_the_capabilities_give_them() -> None:
    made = with_inputs(variantCount=1)
    made["outputContract"] = {"mode": "facets", "facets": ["review", "post_copy", "creative_brief"]}
    done = carry_out(made)
    post = done.output["post_copy"]
    assert (post[0] if isinstance(post, list) else post) == done.of("draft-a")
    assert done.output["creative_brief"] == done.of("brief")
    assert done.output["review"] == done.of("review")
    assert done.plan["metadata"]["delivery"] == "direct"


@pytest.mark.parametrize("count", [1, 3])
def test_a_freeform_contract_gets_a_text(count: int) -> None:
    made = with_inputs(variantCount=count)
    made["outputContract"] = {
        "mode": "freeform",
        "instructions": "Mention the canteen.",
        "expectedFormat": "Markdown",
    }
    text = carry_out(made).output
    assert text.count("the canteen") >= count
    assert text.count("## Variant ") == (count if count > 1 else 0)


def test_a_freeform_contract_for_a_file_is_refused() -> None:
    made = envelope(
        outputContract={"mode": "freeform", "instructions": "Posts", "expectedFormat": "a PDF, please"}
    )
    (reason,) = refusal_of(made)
    assert (reason["code"], reason["path"]) == ("format_unavailable", "/outputContract/expectedFormat")


def test_a_long_contract_is_not_copied_into_the_plan() -> None:
    schema = {**VARIANTS, "$defs": {f"d{n}": {"description": "x" * 100} for n in range(300)}, "title": "long"}
    plan = plan_of(with_inputs({**schema, "properties": {**VARIANTS["properties"], "kind": {"const": "x"}}}))
    assert plan["nodes"][-1]["contract"]["output"] is None


def test_the_same_contract_is_filled_from_each_envelopes_own_facts() -> None:
    planner = SkeletonPlanner()
    schema = {"type": "array", "items": {"type": "object", "required": ["text", "company"]}}
    for company in ("Acme", "Globex", "Acme"):
        plan = planner.plan(
            with_inputs(schema, contextBundles=[], company=company), REGISTERED, PlanContext()
        )
        assert plan["nodes"][-1]["bundle"]["mapping"][0]["company"] == company


def test_the_same_contract_with_another_number_of_variants_is_another_mapping() -> None:
    planner = SkeletonPlanner()
    for count in (2, 3, 2):
        plan = planner.plan(with_inputs(VARIANTS, variantCount=count), REGISTERED, PlanContext())
        assert len(plan["metadata"]["composition"]["variants"]) == count
