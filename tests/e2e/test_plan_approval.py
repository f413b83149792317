"""A plan before a person, in a real engine: shown, rejected and made anew, edited, approved, through every door."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from flexrun.client import API, GatewayClient
from flexrun_sdk import AsyncClient
from tests.e2e.test_python_pages import started
from tests.support.cli import run
from tests.support.sites import decide, log_of, only_request, reached, types_of
from tests.support.waiting import eventually

CODE = """
from pydantic import BaseModel
from flexrun_sdk import capability

class Topic(BaseModel):
    name: str

class Facts(BaseModel):
    lines: list[str]

class Note(BaseModel):
    text: str

@capability(id="note.guess", facets_out="note", cost={"micros": 10, "currency": "EUR"})
def guess(topic: Topic) -> Note:
    return Note(text=f"I guess {topic.name}.")

@capability(id="facts.find", facets_out="facts", cost={"micros": 20, "currency": "EUR"})
def find(topic: Topic) -> Facts:
    return Facts(lines=[f"{topic.name} is known."])

@capability(id="note.write", facets_out="note", cost={"micros": 30, "currency": "EUR"})
def write(facts: Facts) -> Note:
    return Note(text=" ".join(facts.lines))
"""
ENVELOPE: dict[str, Any] = {
    "objective": "A note on tides",
    "inputs": {"facets": {"topic": {"name": "Tide"}}},
    "outputContract": {"mode": "facets", "facets": ["note"]},
    "policies": {"hitl": {"plan": True}},
}


@pytest.fixture
async def gateway(database_url: str, tmp_path: Path) -> AsyncIterator[str]:
    (tmp_path / "notes.py").write_text(CODE)
    async with started("flexrun up --load notes.py", database_url, tmp_path) as url:

        async def registered() -> bool:
            async with (
                aiohttp.ClientSession() as http,
                http.post(f"{url}{API}/plan", json=ENVELOPE) as answer,
            ):
                return (await answer.json())["feasible"]

        await eventually(registered)
        yield url


def capabilities(request: dict[str, Any]) -> list[str]:
    return [node["capabilityId"] for node in request["pendingOutput"]["nodes"]]


async def waiting(client: GatewayClient, **more: Any) -> dict[str, Any]:
    run_id = await client.start_run(json.dumps({**ENVELOPE, **more}).encode())
    await reached(client, run_id, "awaiting_hitl")
    return await only_request(client, run_id)


async def test_a_rejected_plan_comes_back_different_until_there_is_no_other(gateway: str) -> None:
    async with GatewayClient(gateway) as client:
        request = await waiting(client)
        assert (request["subject"], capabilities(request)) == ("plan", ["note.guess"])
        assert request["additionalContext"]["cost"]["micros"] == 10
        assert "node_start" not in await types_of(client, request["runId"])

        await decide(client, request, "rejection", freeformText="Do not guess.")
        await reached(client, request["runId"], "awaiting_hitl")
        other = await only_request(client, request["runId"])
        assert capabilities(other) == ["facts.find", "note.write"]
        assert other["additionalContext"]["rejected"][0]["words"] == "Do not guess."
        assert "node_start" not in await types_of(client, request["runId"])

        shown = await run("hitl", "show", other["requestId"], "--url", gateway)
        assert "facts.find" in shown.out
        assert "0.00005 in money" in shown.out or "5e-05 in money" in shown.out
        assert "Do not guess." in shown.out

        said = await run("hitl", "reject", other["requestId"], "--reason", "Too dear.", "--url", gateway)
        assert said.status == 0, said.err
        await reached(client, request["runId"], "failed")
        end = (await log_of(client, request["runId"]))[-1]["payload"]["error"]
        assert end["code"] == "plan_rejected"
        assert "Do not guess." in end["message"]
        assert "Too dear." in end["message"]


async def test_a_plan_is_edited_or_refused_with_the_place(gateway: str, tmp_path: Path) -> None:
    async with GatewayClient(gateway) as client:
        request = await waiting(client)
        run_id, plan = request["runId"], request["pendingOutput"]
        composition = {"note": {"$node": "write"}}
        topic = {"$input": "/facets/topic"}
        nodes = [
            {
                "id": "find",
                "capabilityId": "facts.find",
                "kind": "execution",
                "label": "Find",
                "bundle": {"facets": {"topic": topic}},
            },
            {
                "id": "write",
                "capabilityId": "note.write",
                "kind": "execution",
                "label": "Write",
                "dependsOn": ["find"],
                "bundle": {"facets": {"facts": {"$node": "find"}}},
            },
        ]
        good = {"nodes": nodes, "metadata": {"composition": composition}}

        wrong = {"nodes": [*nodes, {**nodes[0], "id": "x", "capabilityId": "no.such"}]}
        path = tmp_path / "plan.json"
        path.write_text(json.dumps(wrong))
        said = await run("hitl", "edit", request["requestId"], str(path), "--url", gateway)
        assert said.status != 0
        assert "/responses/0/editedOutput/nodes/2/capabilityId" in said.err

        cyclic = {**good, "nodes": [{**nodes[0], "dependsOn": ["write"]}, nodes[1]]}
        lost = {**good, "metadata": {"composition": {"note": {"$node": "gone"}}}}
        unfed = {**good, "nodes": [nodes[0], {**nodes[1], "bundle": {"facets": {}}}]}
        for sent, place in (
            (cyclic, "/nodes"),
            (lost, "/metadata/composition"),
            (unfed, "/nodes/1/bundle/facets/facts"),
            ({"nodes": "none"}, "/nodes"),
            ([], ""),
        ):
            async with aiohttp.ClientSession() as http:
                body = {"runId": run_id, "requestId": request["requestId"]}
                response = {"responseType": "edit", "editedOutput": sent}
                async with http.post(
                    f"{gateway}/api/hitl/resume", json={**body, "responses": [response]}
                ) as answer:
                    problem = await answer.json()
            assert answer.status == 422, problem
            pointers = [each["pointer"] for each in problem["errors"]]
            assert f"/responses/0/editedOutput{place}" in pointers, problem

        async with AsyncClient(gateway) as sdk:
            await sdk.edit(run_id, good, note="facts first")
        await reached(client, run_id, "completed")
        log = await log_of(client, run_id)
        updated = next(each for each in log if each["type"] == "plan_updated")
        assert updated["payload"]["previousVersion"] == 1
        assert [each["nodeId"] for each in log if each["type"] == "node_start"] == ["find", "write"]
        assert log[-1]["payload"]["output"] == {"note": {"text": "Tide is known."}}
        assert plan["nodes"][0]["id"] not in {each.get("nodeId") for each in log}


async def test_a_link_shows_the_plan_and_approves_it(gateway: str) -> None:
    async with GatewayClient(gateway) as client, aiohttp.ClientSession() as http:
        request = await waiting(client)
        made = await client.call("POST", "/api/hitl/link", {"requestId": request["requestId"]})
        async with http.get(made["url"]) as answer:
            page = await answer.text()
        assert "note.guess" in page
        assert "Change the plan" in page
        form = {"responseType": "approval", "operator": "ann", "confirmed": "yes"}
        async with http.post(made["url"], data=form) as answer:
            assert answer.status == 200, await answer.text()
        await reached(client, request["runId"], "completed")


async def test_the_policies_of_the_envelope_hold_for_an_edited_plan(gateway: str) -> None:
    policies = {"hitl": {"plan": True}, "planner": {"selection": {"forbid": ["note.guess"]}}}
    async with GatewayClient(gateway) as client, AsyncClient(gateway) as sdk:
        request = await waiting(client, policies=policies)
        assert capabilities(request) == ["facts.find", "note.write"]
        plan = request["pendingOutput"]
        plan["nodes"][1] = {**plan["nodes"][1], "capabilityId": "note.guess"}
        with pytest.raises(Exception, match="edited plan") as refused:
            await sdk.edit(request["runId"], plan)
        assert "capability_forbidden" in str(vars(refused.value))
        await sdk.approve(request["runId"])
        await reached(client, request["runId"], "completed")


async def forked(client: GatewayClient, run_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """The new run, when it has ended."""
    made = await client.call("POST", f"{API}/runs/{run_id}/fork", body)
    await reached(client, made["runId"], "completed")
    return await client.call("GET", f"{API}/runs/{made['runId']}")


async def test_forks_change_policies_contract_and_plan_and_reuse_what_serves(
    gateway: str, tmp_path: Path
) -> None:
    policies = {"planner": {"selection": {"forbid": ["note.guess"]}}}
    async with GatewayClient(gateway) as client:
        run_id = await client.start_run(json.dumps({**ENVELOPE, "policies": policies}).encode())
        await reached(client, run_id, "completed")

        contract = {"mode": "facets", "facets": ["note", "facts"]}
        wider = await forked(client, run_id, {"outputContract": contract})
        assert [each["nodeId"] for each in wider["reuse"]["reused"]] == ["facts.find", "note.write"]
        assert wider["output"]["facts"]["lines"] == ["Tide is known."]
        assert [node["attempt"] for node in wider["nodes"]] == [0, 0]
        types = await types_of(client, wider["runId"])
        assert types.index("log") < types.index("node_complete")

        free = {"policies": {"planner": {"selection": {"forbid": ["note.write"]}}}}
        other = await forked(client, run_id, free)
        assert other["output"] == {"note": {"text": "I guess Tide."}}
        why = {each["nodeId"]: each["why"] for each in other["reuse"]["notReused"]}
        assert why["note.write"] == "the policies forbid note.write"

        plan_file = tmp_path / "plan.json"
        show = await client.call("GET", f"{API}/runs/{run_id}/events?limit=1000")
        made = next(each for each in show["events"] if each["type"] == "plan_generated")["payload"]
        source = {"facets": {"topic": {"$input": "/facets/topic"}}}
        guess = {"id": "guess", "capabilityId": "note.guess", "kind": "execution", "label": "Guess"}
        composition = {"note": {"$node": "guess"}}
        plan_file.write_text(
            json.dumps({"nodes": [{**guess, "bundle": source}], "metadata": {"composition": composition}})
        )
        said = await run("runs", "fork", run_id, "--plan", str(plan_file), "--url", gateway)
        assert said.status != 0
        assert "/plan/nodes/0/capabilityId" in said.err, "the policies of the original hold"
        free_file = tmp_path / "policies.json"
        free_file.write_text(json.dumps({"planner": {}}))
        flags = ["--plan", str(plan_file), "--policies", str(free_file)]
        said = await run("runs", "fork", run_id, *flags, "--url", gateway)
        assert said.status == 0, said.err
        assert "reused: nothing" in said.out
        assert "anew: facts.find: the plan does not have it" in said.out
        assert len(made["nodes"]) == 2
