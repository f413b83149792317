"""Planner, executor and stubs together: envelopes in, valid outputs out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import jsonschema
import pytest
from uuid_utils import uuid7

from executor.stubs.shipped import stub_capabilities
from planner.skeleton import SkeletonPlanner
from planner.worker import PlannerWorker
from runs.commands import ResolveRequest, StartRun
from runs.state import RunState
from schemas.contract_schema import effective_schema
from tests.support.given import BOB
from tests.support.linkedin import array_of, example, object_of, with_inputs
from tests.support.planner_wiring import QUICK
from tests.support.wiring import ExecutorWiring, now


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[ExecutorWiring]:
    """An executor with the stubs, and a planner beside it."""
    async with AsyncExitStack() as stack:
        executor = await stack.enter_async_context(ExecutorWiring(database_url, stub_capabilities()))  # type: ignore[arg-type] - it asks for a subclass only by its annotation
        planner = PlannerWorker(
            executor.store,
            executor.handler,
            executor.broker,
            SkeletonPlanner(),
            executor.worker_id,
            QUICK,
            append_plan=executor.worker.append_plan_and_start_node,
        )
        await planner.start()
        stack.push_async_callback(planner.close)
        yield executor


async def start(house: ExecutorWiring, envelope: dict[str, Any]) -> str:
    """Accept an envelope."""
    run_id = str(uuid7())
    await house.execute(run_id, StartRun(now=now(), envelope=envelope, schema_hash=None))
    return run_id


async def finish(house: ExecutorWiring, envelope: dict[str, Any]) -> RunState:
    """The run's end; a completed one has an output that the contract accepts."""
    state = await house.ended(await start(house, envelope))
    if state.status == "completed":
        jsonschema.validate(state.output, effective_schema(envelope["outputContract"]))
    return state


@pytest.mark.parametrize("name", ["linkedin-variants", "linkedin-flat-record"])
async def test_the_examples_complete(house: ExecutorWiring, name: str) -> None:
    state = await finish(house, example(name))
    assert (state.status, state.error) == ("completed", None)


async def test_what_no_capability_can_do_fails_with_no_node_started(house: ExecutorWiring) -> None:
    run_id = await start(house, example("infeasible"))
    assert (await house.ended(run_id)).status == "failed"
    assert [event.type for event in await house.events(run_id, "node_start", "plan_generated")] == []


async def test_the_approval_waits_and_a_rejection_is_planned_anew_with_what_was_said(
    house: ExecutorWiring,
) -> None:
    envelope = example("linkedin-approval")
    envelope["policies"]["hitl"] = {"onReject": "replan"}
    run_id = await start(house, envelope)
    waiting = await house.reached(run_id, lambda state: state.status == "awaiting_hitl")
    (request,) = waiting.open_requests
    rejection = ResolveRequest(
        now=now(), request_id=request.id, response_type="rejection", actor=BOB, note="Mention the canteen."
    )
    await house.execute(run_id, rejection)
    again = await house.reached(
        run_id, lambda state: state.plan_version == 2 and state.status == "awaiting_hitl"
    )
    (second,) = again.open_requests
    for post in second.payload["pendingOutput"]["variants"]:
        assert "the canteen" in post["body"]


@pytest.mark.parametrize("count", range(1, 7))
async def test_one_to_six_variants_complete(house: ExecutorWiring, count: int) -> None:
    post = object_of(
        {"title": {"type": "string", "maxLength": 60}, "words": {"type": "integer", "minimum": 60}}
    )
    post = object_of({**post["properties"], "text": {"type": "string", "maxLength": 700}})
    state = await finish(house, with_inputs(object_of({"posts": array_of(post)}), variantCount=count))
    assert (state.status, state.final_attempt) == ("completed", 0)
    assert len(state.output["posts"]) == count


async def test_limits_that_no_output_can_keep_end_the_run_with_their_names(house: ExecutorWiring) -> None:
    schema = object_of(
        {"text": {"type": "string", "maxLength": 20}, "wordCount": {"type": "integer", "minimum": 50}}
    )
    state = await finish(house, with_inputs(schema, variantCount=1))
    assert state.status == "failed"
    assert state.error is not None
    assert state.error.get("details", {})["error"]["code"] == "limits_impossible"


async def test_a_pattern_that_the_stubs_cannot_meet_ends_in_the_errors_of_the_contract(
    house: ExecutorWiring,
) -> None:
    schema = object_of({"text": {"type": "string", "pattern": "^[0-9]+$"}})
    state = await finish(house, with_inputs(schema, variantCount=1))
    assert state.status == "failed"
    assert state.error is not None
    assert "pattern" in str(state.error)
