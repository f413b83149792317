"""A planner in the same process: what its plan makes ready starts in the append that stores the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from uuid_utils import uuid7

from runs.commands import AcceptPlan, Command, RejectPlan, RequestPlan, StartRun
from runs.errors import StaleAttempt
from runs.state import RunState
from tests.support.capabilities import Gate, returns
from tests.support.given import node, plan
from tests.support.waiting import eventually
from tests.support.workshop import QUICK, Carrier, Workshop, now

PLANNED = "plan_requested, plan_generated"
STARTED = "plan_requested, plan_generated, node_start a"
ONE_SLOT = replace(QUICK, slots=1)


async def accepted(workshop: Workshop) -> str:
    """A run that waits for its plan; its id."""
    run_id = str(uuid7())
    envelope = {"objective": "test", "outputContract": {"schema": True}}
    await workshop.execute(run_id, StartRun(now=now(), envelope=envelope, schema_hash="h"))
    return run_id


async def append(workshop: Workshop, run_id: str, answer: Command, attempt: int = 1) -> None:
    """What an instant planner does with its answer."""

    async def build(_: RunState) -> Sequence[Command]:
        request = RequestPlan(now=now(), attempt=attempt, planner="test", capability_count=1)
        return [request, answer]

    await workshop.worker.append_plan_and_start_node(run_id, build)


async def planned(workshop: Workshop, *nodes: dict[str, Any]) -> str:
    """A run that is given a plan of these nodes; its id."""
    run_id = await accepted(workshop)
    await append(workshop, run_id, AcceptPlan(now=now(), attempt=1, plan=plan(*nodes)))
    return run_id


async def started_with_its_plan(workshop: Workshop, *nodes: dict[str, Any]) -> str:
    """The same; sooner or later one starts with its plan: while the table is asked for older work, none does."""

    async def look() -> str:
        run_id = await planned(workshop, *nodes)
        assert (await workshop.commits_of(run_id))[1] == STARTED
        return run_id

    found = await eventually(look)
    assert found is not None
    return found


async def test_a_plan_and_the_start_of_its_first_node_are_one_commit(
    database_url: str, carrier: Carrier
) -> None:
    capabilities = [returns("test.a", 1), returns("test.b", 2)]
    async with Workshop(database_url, capabilities, carrier=carrier) as workshop:
        run_id = await started_with_its_plan(workshop, node("a"), node("b", "a"))
        assert (await workshop.ended(run_id)).output == 2
        assert await workshop.commits_of(run_id) == [
            "start",
            STARTED,
            "node_complete a, node_start b",
            "node_complete b, complete",
        ]


async def test_without_a_free_slot_the_first_node_waits_its_turn(database_url: str, carrier: Carrier) -> None:
    gate = Gate("test.a")
    async with Workshop(database_url, [gate], carrier=carrier, config=ONE_SLOT) as workshop:
        first = await planned(workshop, node("a"))
        await eventually(lambda: gate.inside)
        second = await planned(workshop, node("a"))
        assert await workshop.commits_of(second) == ["start", PLANNED]
        assert workshop.worker.busy == 1
        gate.open.set()
        for run_id in (first, second):
            assert (await workshop.ended(run_id)).status == "completed"


async def test_a_slot_that_is_not_needed_is_given_back(database_url: str, carrier: Carrier) -> None:
    async with Workshop(database_url, [returns("test.a", 1)], carrier=carrier, config=ONE_SLOT) as workshop:
        refused = RejectPlan(now=now(), attempt=1, diagnostics=[], retryable=False, jitter=0)
        for _ in range(3):
            await append(workshop, await accepted(workshop), refused)
            with pytest.raises(StaleAttempt):
                await append(workshop, await accepted(workshop), refused, attempt=7)
            elsewhere = await planned(workshop, node("a", capabilityId="test.elsewhere"))
            assert await workshop.commits_of(elsewhere) == ["start", PLANNED]
        run_id = await started_with_its_plan(workshop, node("a"))
        assert (await workshop.ended(run_id)).status == "completed"


async def test_a_node_that_started_with_its_plan_is_given_back_when_its_worker_closes(
    database_url: str, carrier: Carrier
) -> None:
    gate = Gate("test.a")
    async with Workshop(database_url, [returns("test.a", 1)], carrier=carrier) as other:
        async with Workshop(database_url, [gate], carrier=carrier) as workshop:
            run_id = await started_with_its_plan(workshop, node("a"))
            await eventually(lambda: gate.inside)
        state = await other.ended(run_id)
    assert (state.status, state.nodes["a"].attempt, state.nodes["a"].losses) == ("completed", 2, 1)
