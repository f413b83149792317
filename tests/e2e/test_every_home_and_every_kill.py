"""A plan with a capability of every home, while each process and server dies once in the middle of its work."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from flexrun.client import API
from tests.support.held.house import House
from tests.support.held.steps import step
from tests.support.model_endpoint import Asked, completion, model_endpoint
from tests.support.postgres_server import PostgresServer
from tests.support.processes import Setting
from tests.support.rabbit_server import RabbitServer
from tests.support.sites import decide, log_of
from tests.support.waiting import eventually

NODES = ["held.function", "held.service", "held.worker", "held.model", "held.tool", "held.person"]


@pytest.fixture
async def postgres() -> AsyncIterator[PostgresServer]:
    """One to stop and to start again."""
    async with PostgresServer() as server:
        yield server


@pytest.fixture
async def rabbit() -> AsyncIterator[RabbitServer]:
    """One to kill and to start again."""
    async with RabbitServer() as server:
        yield server


def _chain(house: House, model_url: str) -> list[dict[str, Any]]:
    """What stands between the function and the person: each takes what the one before it gives."""
    model = {
        "type": "model",
        "model": "test",
        "baseUrl": model_url,
        "prompt": "{{ facets.draft.text }}",
    }
    person = {"agentType": "human", "home": {"type": "human"}}
    return [
        _described("service", "sorted_ticket", "account", house.service_home("/later"), idempotent=False),
        _described("model", "draft", "polished", model),
        _described("tool", "polished", "measured", house.tool_home()),
        {**_described("person", "measured", "approved", {}), **person},
    ]


def _described(name: str, takes: str, gives: str, home: dict[str, Any], **more: Any) -> dict[str, Any]:
    described = {"id": f"held.{name}", "label": name, "facetsIn": [takes], "facetsOut": [gives]}
    return {**described, "home": home, **more}


@pytest.mark.timeout(180)
async def test_a_run_through_every_home_outlives_the_death_of_each_process_and_server(
    postgres: PostgresServer, rabbit: RabbitServer, tmp_path: Path
) -> None:
    setting = Setting(postgres.url, rabbit.url, lease_seconds=2.0)
    house = House(setting, tmp_path)
    steps = house.steps

    async def polish(asked: Asked) -> web.StreamResponse:
        steps.note_call("model")
        await eventually(lambda: steps.may_go_on("model"), 60)
        return completion(json.dumps(step("model", asked.prompt)))

    async with model_endpoint(polish) as model, house:
        await house.register(*_chain(house, model.url))
        house.engine["planner"].send(signal.SIGSTOP)
        run_id = await house.submit("approved")
        reading = asyncio.create_task(house.frames(run_id))
        await house.kill("planner")
        await _kill_executor(house)
        await _kill_service_and_gateway(house, run_id)
        await _kill_worker(house)
        await house.called("model", 1)
        await postgres.kill()
        steps.let_go("model")
        await postgres.start()
        os.kill(await house.called("tool", 1), signal.SIGKILL)
        await house.called("tool", 2)
        await rabbit.kill()
        steps.let_go("tool")
        await rabbit.start()
        await _submit_task(house, run_id)
        frames = await asyncio.wait_for(reading, 60)

    assert frames[-1]["payload"]["status"] == "completed", frames[-1]
    words = "It rains in, function, service, worker, model, tool, person"
    assert frames[-1]["payload"]["output"] == {"approved": {"text": words}}
    assert [frame["id"] for frame in frames] == [str(number) for number in range(1, len(frames) + 1)]
    done = [frame["nodeId"] for frame in frames if frame["type"] == "node_complete"]
    assert done == NODES, "each has one result, in the order of the chain"
    starts = Counter(frame["nodeId"] for frame in frames if frame["type"] == "node_start")
    assert starts == {**dict.fromkeys(NODES, 1), "held.function": 2, "held.worker": 2, "held.tool": 2}
    calls = {name: len(steps.calls(name)) for name in ("function", "service", "worker", "model", "tool")}
    assert calls == {"function": 2, "service": 1, "worker": 2, "model": 1, "tool": 2}


async def _kill_executor(house: House) -> None:
    await house.called("function", 1)
    await house.kill("executor")
    await house.called("function", 2)
    house.steps.let_go("function")


async def _kill_service_and_gateway(house: House, run_id: str) -> None:
    await house.called("service", 1)
    await eventually(lambda: _waits_for_callback(house, run_id), 60)
    await house.service.kill()
    await house.engine["gateway"].kill()
    house.service.start()
    house.steps.let_go("service")
    await house.engine["gateway"].start()


async def _kill_worker(house: House) -> None:
    await house.called("worker", 1)
    await house.worker.kill()
    house.worker.start()
    await house.called("worker", 2)
    house.steps.let_go("worker")


async def _waits_for_callback(house: House, run_id: str) -> bool:
    messages = [str(event["payload"].get("message")) for event in await log_of(house.client, run_id)]
    return any("calls back until" in each for each in messages)


async def _submit_task(house: House, run_id: str) -> None:
    async def task() -> dict[str, Any]:
        listed = (await house.client.call("GET", f"{API}/tasks?runId={run_id}"))["tasks"]
        assert listed
        return listed[0]

    found = await eventually(task, 60)
    shown = await house.client.call("GET", f"{API}/tasks/{found['taskId']}")
    text = shown["bundle"]["facets"]["measured"]["text"]
    body = {"output": step("person", text)}
    await house.client.call("POST", f"{API}/tasks/{found['taskId']}/submit", body)


ONCE = {
    "held.function.once": ("sorted_once", "function"),
    "held.service.once": ("service_once", "service"),
    "held.worker.once": ("draft_once", "worker"),
    "held.tool.once": ("tool_once", "tool"),
}


@pytest.mark.timeout(120)
async def test_what_must_not_run_twice_is_not_called_again_and_people_are_asked(
    database_url: str, tmp_path: Path
) -> None:
    house = House(Setting(database_url, lease_seconds=2.0), tmp_path)
    async with house:
        await house.register(
            _described(
                "service.once", "ticket", "service_once", house.service_home("/now"), idempotent=False
            ),
            _described("tool.once", "ticket", "tool_once", house.tool_home(), idempotent=False),
        )
        facets = [facet for facet, _ in ONCE.values()]
        run_id = await house.submit(*facets, fallback="hitl")
        tool = await house.called("tool", 1)
        for name in ("function", "service", "worker"):
            await house.called(name, 1)
        await house.service.kill()
        os.kill(tool, signal.SIGKILL)
        await eventually(lambda: _asked(house, run_id, 2), 60)
        await house.worker.kill()
        await house.kill("executor")
        requests: list[dict[str, Any]] = await eventually(lambda: _asked(house, run_id, 4), 60)
        house.service.start()
        house.worker.start()
        assert {name: len(house.steps.calls(name)) for _, name in ONCE.values()} == dict.fromkeys(
            ("function", "service", "worker", "tool"), 1
        )

        house.steps.let_go("service", "function", "worker", "tool")
        for request in requests:
            if request["nodeId"] == "held.service.once":
                await decide(house.client, request, "option", selectedOptionId="retry")
            else:
                await decide(house.client, request, "edit", editedOutput={"text": "by hand"})
        frames = await house.frames(run_id)

    assert frames[-1]["payload"]["status"] == "completed", frames[-1]
    by_hand = {"text": "by hand"}
    assert frames[-1]["payload"]["output"] == {
        "sorted_once": by_hand,
        "service_once": {"text": "It rains in, service"},
        "draft_once": by_hand,
        "tool_once": by_hand,
    }
    errors = {
        frame["nodeId"]: frame["payload"]["error"]["code"]
        for frame in frames
        if frame["type"] == "node_error"
    }
    assert errors == dict.fromkeys(ONCE, "outcome_unknown")
    calls = {name: len(house.steps.calls(name)) for _, name in ONCE.values()}
    assert calls == {"function": 1, "service": 2, "worker": 1, "tool": 1}, "only a person's word calls again"


async def _asked(house: House, run_id: str, times: int) -> list[dict[str, Any]]:
    requests = (await house.client.call("GET", f"/api/hitl/pending?runId={run_id}"))["requests"]
    assert len(requests) == times, requests
    return requests
