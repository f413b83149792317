"""From the first node to the composed output, over both brokers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from executor.capability import CapabilityContext
from executor.config import ExecutorConfig
from tests.support.capabilities import FunctionCapability, Gate, Scripted, echo, returns
from tests.support.given import node
from tests.support.waiting import eventually
from tests.support.wired_engine import BrokerAddress
from tests.support.wiring import ExecutorWiring, StoreWiring

DRAFTS = [f"draft-{letter}" for letter in "abcdef"]


async def test_branches_run_at_the_same_time(database_url: str, broker_address: BrokerAddress) -> None:
    everyone = asyncio.Barrier(3)

    async def meet(context: CapabilityContext) -> Any:
        await everyone.wait()
        return context.bundle["nodeId"]

    capabilities = [returns("test.brief", "b"), FunctionCapability("test.meet", meet), echo("test.review")]
    meeting = [node(letter, "brief", capabilityId="test.meet") for letter in "xyz"]
    async with ExecutorWiring(database_url, capabilities, broker_address=broker_address) as executor:
        run_id = await executor.submit(node("brief"), *meeting, node("review", "x", "y", "z"))
        state = await executor.ended(run_id)
    assert state.status == "completed"
    assert state.output["dependencies"] == {"x": "x", "y": "y", "z": "z"}
    assert {n.attempt for n in state.nodes.values()} == {1}


async def test_six_drafts_that_end_together_are_each_in_the_log_once(
    database_url: str, broker_address: BrokerAddress
) -> None:
    gate = Gate("test.draft", {"text": "done"})
    capabilities = [returns("test.brief", "b"), gate, echo("test.review")]
    drafts = [node(name, "brief", capabilityId="test.draft") for name in DRAFTS]
    async with ExecutorWiring(database_url, capabilities, broker_address=broker_address) as executor:
        run_id = await executor.submit(node("brief"), *drafts, node("review", *DRAFTS))
        await eventually(lambda: len(gate.inside) == 6)
        gate.open.set()
        state = await executor.ended(run_id)
        events = await executor.events(run_id)
    assert state.status == "completed"
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert sorted(gate.inside) == DRAFTS
    for kind in ("node_start", "node_complete"):
        assert sorted(e.node_id for e in events if e.type == kind if e.node_id) == [
            "brief",
            *DRAFTS,
            "review",
        ]


async def test_two_workers_share_a_plan_and_no_node_runs_twice(
    database_url: str, broker_address: BrokerAddress
) -> None:
    runs = 12
    here, there = Gate("test.draft"), Gate("test.draft")
    here.open.set()
    there.open.set()
    drafts = [node(name, "brief", capabilityId="test.draft") for name in DRAFTS[:3]]
    plan = [node("brief"), *drafts, node("review", *DRAFTS[:3])]
    common = [returns("test.brief", "b"), echo("test.review")]
    async with (
        ExecutorWiring(database_url, [*common, here], broker_address=broker_address) as first,
        ExecutorWiring(database_url, [*common, there], broker_address=broker_address) as second,
    ):
        run_ids = await asyncio.gather(*(w.submit(*plan) for w in (first, second) for _ in range(runs // 2)))
        for run_id in run_ids:
            assert (await first.ended(run_id)).status == "completed"
            starts = await first.events(run_id, "node_start")
            assert len(starts) == 5
    assert len(here.inside) + len(there.inside) == 3 * runs


async def test_each_step_of_a_chain_is_one_commit(database_url: str) -> None:
    capabilities = [returns("test.a", 1), returns("test.b", 2), returns("test.c", 3)]
    async with ExecutorWiring(database_url, capabilities) as executor:
        run_id = await executor.submit(node("a"), node("b", "a"), node("c", "b"))
        await executor.ended(run_id)
        commits = await executor.commits_of(run_id)
    assert commits == [
        "start, plan_requested, plan_generated",
        "node_start a",
        "node_complete a, node_start b",
        "node_complete b, node_start c",
        "node_complete c, complete",
    ]


async def test_a_worker_leaves_capabilities_that_it_does_not_have_to_others(
    database_url: str, broker_address: BrokerAddress
) -> None:
    rare = Gate("test.rare", "rare")
    async with ExecutorWiring(database_url, [returns("test.a", 1)], broker_address=broker_address) as first:
        run_id = await first.submit(node("a"), node("b", "a", capabilityId="test.rare"))
        await first.reached(run_id, lambda state: state.nodes["b"].status == "ready")
        async with ExecutorWiring(database_url, [rare], broker_address=broker_address) as second:
            await eventually(lambda: rare.inside)
            assert (await second.state(run_id)).nodes["b"].attempt == 1
            rare.open.set()
            assert (await second.ended(run_id)).output == "rare"


async def test_nodes_that_no_worker_serves_do_not_keep_a_worker_from_those_that_it_serves(
    database_url: str, broker_address: BrokerAddress
) -> None:
    async with ExecutorWiring(
        database_url, [returns("test.a", 1)], broker_address=broker_address
    ) as executor:
        slots = ExecutorConfig().slots
        stuck = [node(f"n{number}", capabilityId="test.nobody") for number in range(2 * slots)]
        await executor.submit(*stuck)
        run_id = await executor.submit(node("a"))
        assert (await executor.ended(run_id)).status == "completed"


async def test_groups_are_served_by_their_own_workers(
    database_url: str, broker_address: BrokerAddress
) -> None:
    plain, special = Scripted("test.a", 1), Scripted("test.b", 2, queue="gpu")
    async with (
        ExecutorWiring(database_url, [plain], broker_address=broker_address) as first,
        ExecutorWiring(database_url, [special], broker_address=broker_address),
    ):
        run_id = await first.submit(node("a"), node("b", "a", queue="gpu"))
        state = await first.ended(run_id)
    assert state.output == 2
    assert len(plain.bundles) == len(special.bundles) == 1


async def test_the_bundle_says_all_that_a_node_needs_to_know(database_url: str) -> None:
    async with ExecutorWiring(database_url, [returns("test.a", {"n": 1}), echo("test.b")]) as executor:
        run_id = await executor.submit(
            node("a"),
            node("b", "a", bundle={"inputKeys": ["x"], "role": "copy"}, contract={"expectations": ["short"]}),
            inputs={"x": 1, "y": 2},
            policies={"brandVoice": "warm"},
            specialInstructions=["be brief"],
        )
        state = await executor.ended(run_id)
    bundle = state.output
    until = datetime.fromisoformat(bundle.pop("deadline")) - datetime.now(UTC)
    assert timedelta() < until <= timedelta(seconds=ExecutorConfig().timeout_seconds)
    assert bundle == {
        "correlationId": state.correlation_id,
        "runId": run_id,
        "nodeId": "b",
        "attempt": 1,
        "objective": "test",
        "policies": {"brandVoice": "warm"},
        "specialInstructions": ["be brief"],
        "metadata": {},
        "contract": {"expectations": ["short"]},
        "dependsOn": ["a"],
        "bundle": {"inputKeys": ["x"], "role": "copy"},
        "inputs": {"x": 1},
        "dependencies": {"a": {"n": 1}},
    }


async def test_what_a_capability_does_to_its_bundle_stays_with_it(database_url: str) -> None:
    async def spoils(context: CapabilityContext) -> Any:
        context.bundle["inputs"].clear()
        context.bundle["policies"]["brandVoice"] = "spoilt"
        return 1

    async with ExecutorWiring(
        database_url, [FunctionCapability("test.a", spoils), echo("test.b")]
    ) as executor:
        run_id = await executor.submit(
            node("a"), node("b", "a"), inputs={"x": 1}, policies={"brandVoice": "warm"}
        )
        output = (await executor.ended(run_id)).output
    assert output["inputs"] == {"x": 1}
    assert output["policies"] == {"brandVoice": "warm"}


async def test_a_person_is_started_and_waited_for_without_a_worker(database_url: str) -> None:
    async with ExecutorWiring(database_url, [returns("test.a", 1), returns("test.c", 3)]) as executor:
        person = node("b", "a", agentType="human", capabilityId="human.review")
        run_id = await executor.submit(node("a"), person, node("c", "a"))
        state = await executor.reached(run_id, lambda state: state.status == "awaiting_human")
        starts = {e.node_id: e.payload["executorType"] for e in await executor.events(run_id, "node_start")}
        assert starts == {"a": "ai", "b": "human", "c": "ai"}
        assert state.nodes["c"].status == "completed"
        await eventually(lambda: executor.worker.busy == 0)


async def test_a_first_node_that_is_a_person_is_started_too(database_url: str) -> None:
    async with ExecutorWiring(database_url, [returns("test.a", 1)]) as executor:
        run_id = await executor.submit(node("b", agentType="human", capabilityId="human.review"))
        state = await executor.reached(run_id, lambda state: state.status == "awaiting_human")
    assert state.nodes["b"].attempt == 1


async def test_the_registry_knows_what_this_worker_can_do(database_url: str) -> None:
    async with (
        ExecutorWiring(database_url, [returns("test.a", 1, queue="gpu")]) as executor,
        await psycopg.AsyncConnection.connect(database_url) as connection,
    ):
        cursor = await connection.execute(
            "select capability_id, descriptor->>'queue', worker from flex_capabilities"
        )
        assert await cursor.fetchall() == [("test.a", "gpu", executor.worker_id)]


async def test_work_that_was_there_before_the_worker_is_found(database_url: str) -> None:
    async with StoreWiring(database_url) as runs:
        run_id = await runs.submit(node("a"), plan={"metadata": {"composition": {"all": {"$node": "a"}}}})
        async with ExecutorWiring(database_url, [returns("test.a", 1)]):
            assert (await runs.ended(run_id)).output == {"all": 1}
