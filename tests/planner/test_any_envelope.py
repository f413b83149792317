"""Any envelope has a plan without fault or a refusal with reasons; and a plan does what it says."""

from __future__ import annotations

from typing import Any

import jsonschema
import orjson
from hypothesis import HealthCheck, assume, event, given, settings

from executor.capability import CapabilityError
from planner.planner import PlanContext, PlanRefused
from planner.skeleton import SkeletonPlanner
from schemas.envelope import parse_envelope
from tests.planner.strategies import CONTRACTS, PLAIN_SCHEMAS, contracts_that_can_be, envelopes
from tests.support.linkedin import REGISTERED, carry_out, contract_for, plan_of, with_inputs

SLOW = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


def outcome(task: dict[str, Any]) -> str:
    """plan, or the code of the refusal; anything else is an error of the planner."""
    refused: PlanRefused | None = None
    try:
        orjson.dumps(plan_of(task))
    except PlanRefused as raised:
        refused = raised
    if refused is None:
        return "plan"
    assert all(
        each["code"] and each["message"] and isinstance(each["path"], str) for each in refused.diagnostics
    )
    return str(refused.diagnostics[0]["code"])


@SLOW
@given(envelopes(CONTRACTS))
def test_any_envelope_has_a_plan_or_a_refusal(task: dict[str, Any]) -> None:
    event(outcome(task))


@SLOW
@given(envelopes(CONTRACTS))
def test_any_envelope_that_the_gateway_accepts_is_the_same_to_the_planner(task: dict[str, Any]) -> None:
    stored = parse_envelope(orjson.dumps(task)).to_wire()
    assert outcome(stored) == outcome(task)


@SLOW
@given(PLAIN_SCHEMAS, PLAIN_SCHEMAS)
def test_a_plan_that_is_made_meets_the_contract(schema: Any, shared: Any) -> None:
    assume(isinstance(schema, dict) and "shared" not in str(shared))
    task = {
        **with_inputs(variantCount=None),
        "outputContract": contract_for({**schema, "$defs": {"shared": shared}}),
    }
    jsonschema.Draft202012Validator.check_schema(task["outputContract"]["schema"])
    try:
        done = carry_out(task)
    except PlanRefused as refused:
        event(refused.diagnostics[0]["code"])
    except CapabilityError as failure:
        assert (failure.code, failure.retryable) == ("limits_impossible", False)  # noqa: PT017 - one of three outcomes
        event("limits_impossible")
    else:
        event(f"delivered by {done.plan['metadata']['delivery']}")


@SLOW
@given(contracts_that_can_be())
def test_a_contract_that_can_be_met_is_met(made: tuple[dict[str, Any], int]) -> None:
    schema, count = made
    done = carry_out(with_inputs(schema, variantCount=count))
    event(done.plan["metadata"]["delivery"])


@SLOW
@given(envelopes(CONTRACTS))
def test_any_plan_can_be_carried_out(task: dict[str, Any]) -> None:
    task["outputContract"] = with_inputs()["outputContract"]
    task["objective"] = "Create LinkedIn posts"
    task.setdefault("inputs", {})["variantCount"] = 2
    task["specialInstructions"] = [
        each for each in task.get("specialInstructions", []) if "Variant" not in each
    ]
    task["policies"] = {"brandVoice": task.get("policies", {}).get("brandVoice")}
    output = carry_out(task).output
    text = str(output)
    assert "None" not in text or "None" in str(task)
    assert output["variants"][0] != output["variants"][1]


def test_planning_twice_gives_the_same_plan() -> None:
    planner = SkeletonPlanner()
    task = with_inputs()
    first = orjson.dumps(planner.plan(task, REGISTERED, PlanContext("r")))
    assert orjson.dumps(planner.plan(task, REGISTERED, PlanContext("r"))) == first
    assert orjson.dumps(SkeletonPlanner().plan(task, REGISTERED, PlanContext("r"))) == first
