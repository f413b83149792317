"""Planning again through the real doors: HTTP, workers at a gateway, executors, the keeper, planners that are lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from uuid_utils import uuid7

from broker.keeper import Keeper, KeeperConfig
from eventstore.capabilities import register, remove, set_disabled
from eventstore.gone import gone_capabilities
from eventstore.leases import lapse
from executor.capability import Capability
from flexrun.cli.render import new_plan
from flexrun.client import API
from flexrun.engine import Engine
from flexrun.settings import Settings
from planner.config import PlannerConfig
from planner.planner import JsonObject, PlanContext
from planner.skeleton import SkeletonPlanner
from planner.worker import PlannerWorker
from runs.commands import Actor, StartRun, TriggerPolicy
from runs.event import Event
from tests.support.capabilities import Gate, Scripted, returns
from tests.support.planner_wiring import QUICK
from tests.support.waiting import eventually
from tests.support.wiring import ExecutorWiring, now

AGAIN = {"id": "again", "trigger": "manual", "action": {"type": "replan", "rationale": "another way to b"}}


def remote(name: str, takes: list[str], gives: str) -> JsonObject:
    described = {"id": name, "version": "1.0.0", "label": name, "facetsIn": takes, "facetsOut": [gives]}
    return {**described, "home": {"type": "worker"}}


class Door:
    """A gateway as a caller and a worker use it."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self._url = url
        self._http = http

    async def post(self, path: str, body: Any = None) -> tuple[int, Any]:
        async with self._http.post(f"{self._url}{API}{path}", json={} if body is None else body) as answer:
            return answer.status, await answer.json()

    async def register(self, *descriptors: JsonObject) -> None:
        """Register the facets that the capabilities give, and then these."""
        for name in {facet for each in descriptors for facet in each["facetsOut"]}:
            facet = {"name": name, "version": "1.0.0", "description": name, "schema": {"type": "string"}}
            status, answer = await self.post("/facets", facet)
            assert status in (200, 201), answer
        for each in descriptors:
            status, answer = await self.post("/capabilities/register", each)
            assert status == 201, answer

    async def get(self, path: str) -> Any:
        async with self._http.get(f"{self._url}{API}{path}") as answer:
            return await answer.json()

    async def claim(self, *names: str) -> dict[str, Any]:
        """The one task that there is for these capabilities."""
        wanted = [{"id": name} for name in names]
        body = {"workerId": "w", "capabilities": wanted, "slots": 1, "waitSeconds": 20}
        status, found = await self.post("/work/claim", body)
        assert status == 200, found
        (task,) = found["tasks"]
        return task

    async def finish(self, task: Mapping[str, Any]) -> int:
        return (await self.post(f"/work/{task['token']}/complete", {"output": f"<{task['nodeId']}>"}))[0]

    async def events(self, run_id: str, *types: str) -> list[dict[str, Any]]:
        found = (await self.get(f"/runs/{run_id}/events?limit=1000"))["events"]
        return [event for event in found if event["type"] in types]

    async def run_at(self, run_id: str, status: str) -> dict[str, Any]:
        async def reached() -> dict[str, Any]:
            run = await self.get(f"/runs/{run_id}")
            assert run["status"] == status, run
            return run

        return await eventually(reached)


@pytest.fixture
async def door(database_url: str) -> AsyncIterator[Door]:
    async with (
        Engine(
            Settings(database_url=database_url, port=0), frozenset({"gateway", "planner", "executor"})
        ) as engine,
        aiohttp.ClientSession() as http,
    ):
        assert engine.server is not None
        yield Door(engine.server.url, http)


async def test_a_new_plan_in_the_middle_keeps_the_branch_that_is_done_and_cancels_the_one_that_it_drops(
    door: Door,
) -> None:
    await door.register(
        remote("get.a", [], "a"),
        remote("get.b", [], "b"),
        remote("other.b", [], "b"),
        remote("join", ["a", "b"], "c"),
    )
    await door.post("/capabilities/other.b/disable")
    envelope = {
        "objective": "join",
        "outputContract": {"mode": "facets", "facets": ["c"]},
        "policies": {"runtime": [AGAIN]},
    }
    run_id = (await door.post("/runs", envelope))[1]["runId"]
    assert await door.finish(await door.claim("get.a")) == 200
    late = await door.claim("get.b")
    await door.post("/capabilities/other.b/enable")
    await door.post("/capabilities/get.b/disable")
    status, _ = await door.post(f"/runs/{run_id}/policies/again/trigger", {"reason": "b takes too long"})
    assert status == 200
    other = await door.claim("other.b")

    (updated,) = await door.events(run_id, "plan_updated")
    assert updated["payload"]["trigger"] == "another way to b; b takes too long"
    changed = updated["payload"]["difference"]
    assert [each["id"] for each in changed["kept"]] == ["get.a"]
    assert {each["id"] for each in changed["dropped"]} == {"get.b", "join"}
    assert {each["id"]: each["status"] for each in updated["payload"]["nodes"]}["get.a"] == "completed"
    assert "kept get.a" in new_plan(updated)
    run = await door.get(f"/runs/{run_id}")
    assert run["planVersion"] == 2
    assert {each["id"]: each["status"] for each in run["nodes"]} == {
        "get.a": "completed",
        "other.b": "running",
        "join": "pending",
    }
    assert (await door.post(f"/work/{late['token']}/heartbeat"))[1]["cancelled"] is True
    assert await door.finish(late) == 409

    assert await door.finish(other) == 200
    last = await door.claim("join")
    assert last["bundle"]["facets"] == {"a": "<get.a>", "b": "<other.b>"}
    assert await door.finish(last) == 200
    assert (await door.run_at(run_id, "completed"))["output"] == {"c": "<join>"}
    started = [event["nodeId"] for event in await door.events(run_id, "node_start")]
    assert sorted(started) == ["get.a", "get.b", "join", "other.b"]


async def test_a_policy_at_a_failure_finds_another_way_and_one_that_never_ends_is_ended(door: Door) -> None:
    await door.register(remote("first", [], "x"), remote("second", [], "x"))
    rule = {"id": "around", "trigger": "onNodeError", "action": "replan"}
    envelope = {
        "objective": "x",
        "outputContract": {"mode": "facets", "facets": ["x"]},
        "policies": {"runtime": [rule]},
    }
    run_id = (await door.post("/runs", envelope))[1]["runId"]
    task = await door.claim("first", "second")
    failed = {"error": {"code": "broken", "message": "no", "retryable": True}}
    await door.post(f"/work/{task['token']}/fail", failed)
    other = await door.claim("first", "second")
    assert other["capabilityId"] != task["capabilityId"]
    assert await door.finish(other) == 200
    await door.run_at(run_id, "completed")

    for_ever = [
        {"id": name, "trigger": "onPlan", "action": {"type": "replan", "rationale": name}}
        for name in ("l", "r")
    ]
    envelope["policies"] = {"runtime": for_ever}
    ended = await door.run_at((await door.post("/runs", envelope))[1]["runId"], "failed")
    assert ended["error"]["code"] == "replan_limit"
    assert ended["error"]["details"]["limit"] == 5


class House(ExecutorWiring):
    """An executor, and planners that a test starts."""

    async def planner(self, planner: Any, name: str = "p", config: PlannerConfig = QUICK) -> PlannerWorker:
        worker = PlannerWorker(self.store, self.handler, self.broker, planner, name, config)
        await worker.start()
        return worker

    async def submit_for(self, *facets: str, **envelope: Any) -> str:
        run_id = str(uuid7())
        whole = {
            "objective": "test",
            "outputContract": {"mode": "facets", "facets": list(facets)},
            **envelope,
        }
        await self.execute(run_id, StartRun(now=now(), envelope=whole, schema_hash=None))
        return run_id

    async def again(self, run_id: str) -> None:
        await self.execute(run_id, TriggerPolicy(now=now(), policy_id="again", actor=Actor("ann")))

    async def starts(self, run_id: str) -> list[str | None]:
        return [event.node_id for event in await self.events(run_id, "node_start")]

    async def updates(self, run_id: str) -> list[Event]:
        return await self.events(run_id, "plan_updated")


@asynccontextmanager
async def house(database_url: str, *capabilities: Capability, keeps: bool = True) -> AsyncIterator[House]:
    async with House(database_url, capabilities, keeps=keeps) as wiring:
        planner = await wiring.planner(SkeletonPlanner())
        try:
            yield wiring
        finally:
            await planner.close()


def facets(takes: Sequence[str], *gives: str) -> dict[str, Any]:
    return {"facets_in": list(takes), "facets_out": list(gives)}


async def test_an_attempt_that_the_new_plan_drops_is_cancelled_in_its_executor_and_one_that_it_keeps_goes_on(
    database_url: str,
) -> None:
    slow, kept = Gate("test.slow", **facets([], "b")), Gate("test.kept", **facets([], "a"))
    quick = returns("test.zz", "quick", **facets([], "b"))
    join = returns("test.join", "joined", **facets(["a", "b"], "c"))
    async with house(database_url, slow, kept, quick, join) as wiring:
        run_id = await wiring.submit_for("c", policies={"runtime": [AGAIN]})
        await wiring.reached(run_id, lambda _: slow.inside and kept.inside)
        assert await set_disabled(wiring.store, "test.slow", None, disabled=True)
        await wiring.again(run_id)
        await wiring.reached(run_id, lambda _: slow.cancelled == ["test.slow"])
        assert kept.cancelled == []
        kept.open.set()
        ended = await wiring.ended(run_id)
        assert (ended.status, ended.output) == ("completed", {"c": "joined"})
        assert sorted(map(str, await wiring.starts(run_id))) == [
            "test.join",
            "test.kept",
            "test.slow",
            "test.zz",
        ]
        (updated,) = await wiring.updates(run_id)
        assert [each["id"] for each in updated.payload["difference"]["kept"]] == ["test.kept"]


async def test_a_node_whose_capability_is_gone_has_its_run_planned_again(database_url: str) -> None:
    gate, end = Gate("test.begin", **facets([], "a")), returns("test.zz.end", "end", **facets(["a"], "c"))
    async with house(database_url, gate, end, keeps=False) as wiring:
        far = {"id": "elsewhere.end", "version": "1", "label": "x", "facetsIn": ["a"], "facetsOut": ["c"]}
        await register(wiring.store, [{**far, "home": {"type": "worker"}}], "api", "api")
        await set_disabled(wiring.store, "test.zz.end", None, disabled=True)
        run_id = await wiring.submit_for("c")
        await wiring.reached(run_id, lambda state: gate.inside and "elsewhere.end" in state.nodes)
        gate.open.set()
        await wiring.reached(run_id, lambda state: state.nodes["elsewhere.end"].status == "ready")
        await set_disabled(wiring.store, "test.zz.end", None, disabled=False)
        await set_disabled(wiring.store, "elsewhere.end", None, disabled=True)
        assert await gone_capabilities(wiring.store, 0, 10) == [], "an operator may enable it again"
        await remove(wiring.store, "elsewhere.end", None)
        config = KeeperConfig(round_seconds=0.05, gone_seconds=0.1)
        keeper = Keeper(wiring.store, wiring.handler, wiring.broker, config)
        await keeper.start()
        ended = await wiring.ended(run_id)
        await keeper.close()
        assert (ended.status, ended.output) == ("completed", {"c": "end"})
        (updated,) = await wiring.updates(run_id)
        assert updated.payload["cause"] == "capability_gone"
        assert "no version of it is registered" in updated.payload["trigger"]
        assert await wiring.starts(run_id) == ["test.begin", "test.zz.end"]


async def test_an_unmet_goal_is_tried_again_with_the_words_and_the_rest_is_kept(database_url: str) -> None:
    begin, end = returns("test.begin", 1, **facets([], "a")), Scripted("test.end", 3, 9, **facets(["a"], "b"))
    goal = {"facet": "b", "condition": {">": [{"var": "value"}, 5]}}
    async with house(database_url, begin, end) as wiring:
        policies = {"replanOn": ["goal_unmet"]}
        run_id = await wiring.submit_for("b", policies=policies, goal_condition=[goal])
        ended = await wiring.ended(run_id)
        assert (ended.status, ended.output) == ("completed", {"b": 9})
        assert await wiring.starts(run_id) == ["test.begin", "test.end", "test.end"]
        assert "does not meet" in end.bundles[1]["bundle"]["feedback"]


async def test_an_output_that_cannot_be_mended_is_made_by_another_capability(database_url: str) -> None:
    contract = {
        "mode": "json_schema",
        "schema": {
            "type": "object",
            "required": ["b"],
            "properties": {"b": {"type": "string", "maxLength": 3}},
        },
    }
    begin = returns("test.begin", 1, **facets([], "a"))
    long = returns("test.long", "far too long", **facets(["a"], "b"), output_schema={"type": "string"})
    short = returns("test.short", "ok", **facets(["a"], "b"), output_schema={"type": "string"})
    async with house(database_url, begin, long, short) as wiring:
        rule = {"id": "around", "trigger": "onNodeError", "action": "replan"}
        policies = {"runtime": [rule], "planner": {"selection": {"prefer": ["test.long"]}}}
        run_id = await wiring.submit_for("b", policies=policies, outputContract=contract)
        ended = await wiring.ended(run_id)
        assert (ended.status, ended.output) == ("completed", {"b": "ok"})
        assert await wiring.starts(run_id) == ["test.begin", "test.long", "test.short"]


class Stuck:
    """A planner that answers when it is let go."""

    name = "stuck"
    instant = False

    def __init__(self) -> None:
        self.waits, self.let_go = asyncio.Event(), asyncio.Event()

    async def plan(
        self, envelope: JsonObject, capabilities: Sequence[JsonObject], context: PlanContext
    ) -> JsonObject:
        self.waits.set()
        await self.let_go.wait()
        return SkeletonPlanner().plan(envelope, capabilities, context)


@pytest.mark.parametrize("how", ["stops", "is silent"])
async def test_a_planner_that_is_lost_while_it_plans_again_makes_no_second_version(
    database_url: str, how: str
) -> None:
    gate = Gate("test.begin", **facets([], "a"))
    async with House(database_url, [gate]) as wiring:
        first = await wiring.planner(SkeletonPlanner())
        run_id = await wiring.submit_for("a", policies={"runtime": [AGAIN]})
        await wiring.reached(run_id, lambda _: gate.inside)
        await first.close()
        stuck = Stuck()
        lost = await wiring.planner(stuck, "host:lost", replace(QUICK, slots=1))
        await wiring.again(run_id)
        await stuck.waits.wait()
        if how == "stops":
            await lost.close()
        else:
            await lapse(wiring.store, "lost")
        next_one = await wiring.planner(SkeletonPlanner(), "next")
        await wiring.reached(run_id, lambda state: state.plan_version == 2)
        stuck.let_go.set()
        await lost.close()
        gate.open.set()
        ended = await wiring.ended(run_id)
        await next_one.close()
        assert (ended.status, ended.plan_version) == ("completed", 2)
        assert await wiring.starts(run_id) == ["test.begin"]
        assert [event.payload["attempt"] for event in await wiring.events(run_id, "plan_requested")] == [
            1,
            2,
            3,
        ]
