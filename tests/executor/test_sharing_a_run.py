"""Many nodes of one run, and several executors: each takes as much as it has slots for, in few appends."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from tests.support.capabilities import Gate
from tests.support.given import node
from tests.support.waiting import eventually
from tests.support.wired_engine import BrokerAddress
from tests.support.wiring import QUICK, ExecutorWiring, StoreWiring

NODES, SLOTS = 120, 20


@pytest.mark.parametrize("executors", [2, 4])
async def test_executors_share_a_wide_run_in_few_appends(
    database_url: str, broker_address: BrokerAddress, executors: int
) -> None:
    gates = [Gate("test.wide") for _ in range(executors)]
    async with AsyncExitStack() as stack:
        runs = await stack.enter_async_context(StoreWiring(database_url, broker_address=broker_address))
        for gate in gates:
            config = replace(QUICK, slots=SLOTS)
            wiring = ExecutorWiring(database_url, [gate], config=config, broker_address=broker_address)
            await stack.enter_async_context(wiring)
        run_id = await runs.submit(*(node(f"n{index}", capabilityId="test.wide") for index in range(NODES)))
        await eventually(lambda: all(len(gate.inside) == SLOTS for gate in gates))
        for gate in gates:
            gate.open.set()
        state = await runs.reached(
            run_id, lambda state: all(each.status == "completed" for each in state.nodes.values())
        )
    assert {each.attempt for each in state.nodes.values()} == {1}
    assert len(await runs.commits_of(run_id)) < NODES, (
        "one append for each start and each end would be twice as many"
    )
