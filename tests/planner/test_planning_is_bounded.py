"""No contract and no input keeps a planner busy: it plans, or refuses with a code, within its deadline."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from planner.mapping.values import frozen, weight
from planner.planner import PlanContext, PlanRefused
from planner.sandboxed import PLAN_SECONDS, SandboxedPlanner
from planner.skeleton import SkeletonPlanner
from sandbox.config import SandboxConfig
from sandbox.sandbox import Sandbox
from schemas.refusal import MAX_PROBLEMS
from tests.support.linkedin import REGISTERED, envelope, object_of, plan_of, refusal_of, with_inputs
from tests.support.loop_time import MOST_SECONDS, loop_time
from tests.support.poisons import PLANNED, REFUSED, many_instructions


@pytest.fixture(name="planner")
async def fixture_planner() -> AsyncIterator[SandboxedPlanner]:
    async with Sandbox(SandboxConfig(spares=0, preload=("planner.child",))) as sandbox:
        yield SandboxedPlanner(sandbox)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_made_is_refused_in_time_and_with_its_place(name: str) -> None:
    make, code = REFUSED[name]
    task = make()
    began = time.process_time()
    reasons = refusal_of(task)
    assert time.process_time() - began < PLAN_SECONDS
    assert {reason["code"] for reason in reasons} == {code}
    assert all(reason["path"].startswith("/outputContract/schema") for reason in reasons)
    assert len(reasons) <= MAX_PROBLEMS


@pytest.mark.parametrize("name", PLANNED)
def test_what_can_be_made_is_planned_in_time(name: str) -> None:
    task = PLANNED[name]()
    began = time.process_time()
    assert plan_of(task)["nodes"]
    assert time.process_time() - began < PLAN_SECONDS


def test_problems_are_listed_up_to_a_limit() -> None:
    schema = object_of({f"unknown{number}": {"type": "string"} for number in range(900)})
    assert len(refusal_of(with_inputs(schema, variantCount=1))) == MAX_PROBLEMS


async def test_the_child_plans_as_the_planner_does(planner: SandboxedPlanner) -> None:
    task, context = envelope(), PlanContext("01900000-0000-7000-8000-000000000001", 2, "shorter, please")
    with loop_time() as held:
        for _ in range(3):
            checked = await planner.plan(task, REGISTERED, context)
    assert checked.plan == SkeletonPlanner().plan(task, REGISTERED, context)
    assert held.longest_seconds < MOST_SECONDS, held.longest


async def test_the_child_refuses_as_the_planner_does(planner: SandboxedPlanner) -> None:
    task = with_inputs(object_of({"licence": {"type": "string"}}))
    with pytest.raises(PlanRefused) as refused:
        await planner.plan(task, REGISTERED, PlanContext())
    assert refused.value.diagnostics == refusal_of(task)


async def test_what_takes_too_long_or_too_much_is_a_refusal_that_no_retry_repeats(
    planner: SandboxedPlanner,
) -> None:
    with pytest.raises(PlanRefused) as refused:
        await planner.plan(many_instructions(), REGISTERED, PlanContext())
    assert refused.value.diagnostics[0]["code"] == "plan_too_complex"
    assert not refused.value.retryable
    async with Sandbox(SandboxConfig(spares=0)) as sandbox:
        hasty = SandboxedPlanner(sandbox, deadline_seconds=0.001)
        with pytest.raises(PlanRefused, match="CPU time") as stopped:
            await hasty.plan(many_instructions(), REGISTERED, PlanContext())
    assert stopped.value.diagnostics[0]["code"] == "plan_too_complex"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        ("1", 1, False),
        ([1, {"a": None}], [1.0, {"a": None}], True),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ([], {}, False),
    ],
)
def test_values_are_compared_as_json_compares_them(one: Any, other: Any, same: bool) -> None:
    assert (frozen(one) == frozen(other)) is same


def test_long_texts_weigh_more_than_short_ones() -> None:
    assert weight("x") == 1
    assert weight("x" * 6_400) == 101
    assert weight({"a": [1, 2, {"b": None}]}) == 6
