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
from tests.support.wired_engine import BrokerAddress
from tests.support.wiring import QUICK, ExecutorWiring, now

PLANNED = "plan_requested, plan_generated"
STARTED = "plan_requested, plan_generated, node_start a"
ONE_SLOT = replace(QUICK, slots=1)


async def accepted(executor: ExecutorWiring) -> str:
    """A run that waits for its plan; its id."""
    run_id = str(uuid7())
    envelope = {"objective": "test", "outputContract": {"schema": True}}
    await executor.execute(run_id, StartRun(now=now(), envelope=envelope, schema_hash="h"))
    return run_id


async def append(executor: ExecutorWiring, run_id: str, answer: Command, attempt: int = 1) -> None:
    """What an instant planner does with its answer."""

    async def build(_: RunState) -> Sequence[Command]:
        request = RequestPlan(now=now(), attempt=attempt, planner="test", capability_count=1)
        return [request, answer]

    await executor.worker.append_plan_and_start_node(run_id, build)


async def planned(executor: ExecutorWiring, *nodes: dict[str, Any]) -> str:
    """A run that is given a plan of these nodes; its id."""
    run_id = await accepted(executor)
    await append(executor, run_id, AcceptPlan(now=now(), attempt=1, plan=plan(*nodes)))
    return run_id


async def started_with_its_plan(executor: ExecutorWiring, *nodes: dict[str, Any]) -> str:
    """The same; sooner or later one starts with its plan: while the table is asked for older work, none does."""

    async def look() -> str:
        run_id = await planned(executor, *nodes)
        assert (await executor.commits_of(run_id))[1] == STARTED
        return run_id

    found = await eventually(look)
    assert found is not None
    return found


async def test_a_plan_and_the_start_of_its_first_node_are_one_commit(
    database_url: str, broker_address: BrokerAddress
) -> None:
    capabilities = [returns("test.a", 1), returns("test.b", 2)]
    async with ExecutorWiring(database_url, capabilities, broker_address=broker_address) as executor:
        run_id = await started_with_its_plan(executor, node("a"), node("b", "a"))
        assert (await executor.ended(run_id)).output == 2
        assert await executor.commits_of(run_id) == [
            "start",
            STARTED,
            "node_complete a, node_start b",
            "node_complete b, complete",
        ]


async def test_without_a_free_slot_the_first_node_waits_its_turn(
    database_url: str, broker_address: BrokerAddress
) -> None:
    gate = Gate("test.a")
    async with ExecutorWiring(
        database_url, [gate], broker_address=broker_address, config=ONE_SLOT
    ) as executor:
        first = await planned(executor, node("a"))
        await eventually(lambda: gate.inside)
        second = await planned(executor, node("a"))
        assert await executor.commits_of(second) == ["start", PLANNED]
        assert executor.worker.busy == 1
        gate.open.set()
        for run_id in (first, second):
            assert (await executor.ended(run_id)).status == "completed"


async def test_a_slot_that_is_not_needed_is_given_back(
    database_url: str, broker_address: BrokerAddress
) -> None:
    async with ExecutorWiring(
        database_url, [returns("test.a", 1)], broker_address=broker_address, config=ONE_SLOT
    ) as executor:
        refused = RejectPlan(now=now(), attempt=1, diagnostics=[], retryable=False, jitter=0)
        for _ in range(3):
            await append(executor, await accepted(executor), refused)
            with pytest.raises(StaleAttempt):
                await append(executor, await accepted(executor), refused, attempt=7)
            elsewhere = await planned(executor, node("a", capabilityId="test.elsewhere"))
            assert await executor.commits_of(elsewhere) == ["start", PLANNED]
        run_id = await started_with_its_plan(executor, node("a"))
        assert (await executor.ended(run_id)).status == "completed"


async def test_a_node_that_started_with_its_plan_is_given_back_when_its_worker_closes(
    database_url: str, broker_address: BrokerAddress
) -> None:
    gate = Gate("test.a")
    async with ExecutorWiring(database_url, [returns("test.a", 1)], broker_address=broker_address) as other:
        async with ExecutorWiring(database_url, [gate], broker_address=broker_address) as executor:
            run_id = await started_with_its_plan(executor, node("a"))
            await eventually(lambda: gate.inside)
        state = await other.ended(run_id)
    assert (state.status, state.nodes["a"].attempt, state.nodes["a"].losses) == ("completed", 2, 1)
