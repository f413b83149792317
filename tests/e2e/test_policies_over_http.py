"""Every trigger and every action of runtime policies over HTTP, with an engine and a worker of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, get_args

import aiohttp
import pytest

from flexrun.client import API
from flexrun.engine import Engine
from flexrun.settings import Settings
from schemas.vocabulary import ActionType, TriggerKind
from tests.support.waiting import eventually

CAPABILITY = "acme.score"
SCORE = {"type": "object", "properties": {"score": {"type": "number"}}, "required": ["score"]}
GOOD, WEAK, WRONG = {"score": 0.9}, {"score": 0.5}, {"points": 1}
BROKEN = {"error": {"code": "broken", "message": "no", "retryable": False}, "usage": {"inputTokens": 20}}
TIRED = {"error": {"code": "tired", "message": "later"}, "usage": {"inputTokens": 20}}
WEAK_SCORE = {"<": [{"var": "output.score"}, 0.7]}


@dataclass(frozen=True)
class Row:
    """A policy, what the worker reports of each attempt, and the status that the run comes to with it."""

    trigger: dict[str, Any]
    action: dict[str, Any]
    reports: list[dict[str, Any]]
    status: str = "completed"
    budget: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def name(self) -> str:
        return f"{self.trigger['kind']}-{self.action['type']}"


ROWS = [
    Row({"kind": "onStart"}, {"type": "setPriority", "priority": "high"}, [{"output": GOOD}]),
    Row({"kind": "onPlan"}, {"type": "hitl", "question": "Is it right?"}, [{"output": GOOD}]),
    Row({"kind": "onNodeStart"}, {"type": "emit", "event": "begun"}, [{"output": GOOD}]),
    Row(
        {"kind": "onNodeComplete", "condition": WEAK_SCORE},
        {"type": "goto", "next": CAPABILITY, "maxAttempts": 1},
        [{"output": WEAK}, {"output": GOOD}],
    ),
    Row({"kind": "onNodeError"}, {"type": "retry", "with": "shorter"}, [BROKEN, {"output": GOOD}]),
    Row({"kind": "onValidationFail"}, {"type": "fail", "message": "Once."}, [{"output": WRONG}], "failed"),
    Row({"kind": "onTimeout", "ms": 300}, {"type": "log", "message": "slow"}, [{"output": GOOD}]),
    Row(
        {"kind": "onMetricBelow", "metric": "score", "threshold": 0.7},
        {"type": "replan", "rationale": "a better one"},
        [{"output": WEAK}, {"output": GOOD}],
    ),
    Row({"kind": "onBudget"}, {"type": "pause", "reason": "enough"}, [TIRED], "paused", {"tokens": 10}),
    Row({"kind": "manual"}, {"type": "log", "message": "by hand"}, [{"output": GOOD}]),
]


class Caller:
    """A caller of the gateway, and its worker."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self._url, self._http = url, http

    async def post(self, path: str, body: Any) -> Any:
        async with self._http.post(self._url + path, json=body) as answer:
            assert answer.status in (200, 201, 202), await answer.text()
            return await answer.json()

    async def get(self, path: str) -> Any:
        async with self._http.get(self._url + path) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def submit(self, row: Row) -> str:
        envelope = {
            "objective": "Score it",
            "outputContract": {"mode": "facets", "facets": ["score_card"]},
            "policies": {"runtime": [{"id": "rule", "trigger": row.trigger, "action": row.action}]},
            "constraints": {"budget": row.budget} if row.budget else {},
        }
        return (await self.post(f"{API}/runs", envelope))["runId"]

    async def claim(self) -> dict[str, Any]:
        body = {"workerId": "w", "capabilities": [{"id": CAPABILITY}], "slots": 1, "waitSeconds": 20}
        (task,) = (await self.post(f"{API}/work/claim", body))["tasks"]
        return task

    async def report(self, task: dict[str, Any], said: dict[str, Any]) -> None:
        await self.post(f"{API}/work/{task['token']}/{'fail' if 'error' in said else 'complete'}", said)

    async def events(self, run_id: str, *types: str) -> list[dict[str, Any]]:
        found = (await self.get(f"{API}/runs/{run_id}/events?limit=1000"))["events"]
        return [event for event in found if event["type"] in types]

    async def fired(self, run_id: str) -> dict[str, Any]:
        """The firing of the row's policy."""

        async def found() -> dict[str, Any] | None:
            return next(iter(await self.events(run_id, "policy_triggered")), None)

        event = await eventually(found)
        assert event is not None
        return event["payload"]

    async def approve(self, run_id: str) -> None:
        async def asked() -> list[Any]:
            return (await self.get(f"/api/hitl/pending?runId={run_id}"))["requests"]

        (request,) = await eventually(asked)
        decided = {"runId": run_id, "requestId": request["requestId"], "responses": [{"approved": True}]}
        await self.post("/api/hitl/resume", decided)

    async def run_at(self, run_id: str, status: str) -> dict[str, Any]:
        async def reached() -> dict[str, Any]:
            run = await self.get(f"{API}/runs/{run_id}")
            assert run["status"] == status, run
            return run

        return await eventually(reached)


@pytest.fixture
async def caller(database_url: str) -> AsyncIterator[Caller]:
    settings = Settings(database_url=database_url, port=0)
    async with (
        Engine(settings, frozenset({"gateway", "planner", "executor"})) as engine,
        aiohttp.ClientSession() as http,
    ):
        assert engine.server is not None
        caller = Caller(engine.server.url, http)
        facet = {"name": "score_card", "version": "1.0.0", "description": "A score", "schema": SCORE}
        await caller.post(f"{API}/facets", facet)
        described = {"id": CAPABILITY, "version": "1.0.0", "label": "Score", "facetsOut": ["score_card"]}
        await caller.post(f"{API}/capabilities/register", {**described, "home": {"type": "worker"}})
        yield caller


async def test_every_trigger_fires_every_action_acts_and_the_log_says_why(caller: Caller) -> None:
    assert {row.trigger["kind"] for row in ROWS} == set(get_args(TriggerKind))
    assert {row.action["type"] for row in ROWS} == set(get_args(ActionType))
    for row in ROWS:
        run_id = await caller.submit(row)
        if row.action["type"] == "hitl":
            await caller.approve(run_id)
        bundles: list[dict[str, Any]] = []
        for said in row.reports:
            task = await caller.claim()
            assert task["runId"] == run_id, row.name
            bundles.append(task["bundle"])
            if row.trigger["kind"] == "manual":
                await caller.post(f"{API}/runs/{run_id}/policies/rule/trigger", {"reason": "now"})
            if row.trigger["kind"] in ("manual", "onTimeout"):
                await caller.fired(run_id)
            await caller.report(task, said)
        run = await caller.run_at(run_id, row.status)
        payload = await caller.fired(run_id)
        assert (payload["policyId"], payload["action"]["type"]) == ("rule", row.action["type"]), row.name
        assert payload["cause"], row.name
        await _acted(caller, row, run, bundles)


async def _acted(caller: Caller, row: Row, run: dict[str, Any], bundles: list[dict[str, Any]]) -> None:
    """What the action of a row has done, as a caller sees it."""
    run_id = run["runId"]
    starts = await caller.events(run_id, "node_start")
    assert len(starts) == len(row.reports), row.name
    lines = [each["message"] for each in await caller.events(run_id, "log")]
    match row.action["type"]:
        case "setPriority":  # what it does to queues is shown in tests/runs
            assert (await caller.fired(run_id))["action"]["priority"] == "high"
        case "hitl":
            (resolved,) = await caller.events(run_id, "hitl_resolved")
            assert int(resolved["id"]) < int(starts[0]["id"])
        case "emit":
            assert "begun" in str(await caller.events(run_id, "log"))
        case "retry":
            assert "shorter" in str(bundles[1])
        case "fail":
            assert run["error"]["code"] == "policy_failed"
        case "log":
            assert row.action["message"] in lines
        case "replan":
            (updated,) = await caller.events(run_id, "plan_updated")
            assert "a better one" in str(bundles[1])
            assert updated["payload"]["cause"] == "policy"
        case "pause":
            assert len(starts) == 1
        case _:
            assert (await caller.events(run_id, "complete"))[0]["payload"]["output"] == {"score_card": GOOD}
