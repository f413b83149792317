"""Forks, policies and people at their limits and beyond: an error with its pointer, a loop that is not blocked."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import orjson
import pytest

from runs.commands import AbortRun, Actor
from runs.rules.requests import MAX_OPEN_REQUESTS
from schemas.plan import MAX_DEPENDENCIES, MAX_NODES
from schemas.policies import MAX_ASKING_POLICIES
from schemas.refusal import MAX_PROBLEMS
from tests.support.by_hand import ByHand
from tests.support.gateways import API, RunningGateway
from tests.support.given import Given, node
from tests.support.loop_time import MOST_SECONDS, LoopTime, loop_time


@pytest.fixture
async def blocked(gateway: RunningGateway) -> AsyncIterator[LoopTime]:
    """The longest block of the gateway's loop during a test; it has served before."""
    await gateway.start_run()
    with loop_time() as blocked:
        yield blocked
    assert blocked.longest_seconds < MOST_SECONDS, blocked.longest


def human(node_id: str, needs: Iterable[str] = ()) -> dict[str, Any]:
    made = {"id": node_id, "capabilityId": "by.hand", "agentType": "human", "kind": "execution", "label": "N"}
    return {**made, "dependsOn": list(needs)}


async def fork(gateway: RunningGateway, run_id: str, **body: Any) -> tuple[int, Any]:
    """Its body is made bytes on a thread: what the test computes is not measured as the gateway's."""
    raw = await asyncio.to_thread(orjson.dumps, body)
    answer, document = await gateway.post(f"{API}/runs/{run_id}/fork", raw)
    return answer.status, document


async def ended_run(gateway: RunningGateway, *nodes: dict[str, Any], done: int = 0, **envelope: Any) -> str:
    """A run of these nodes, of which the first `done` are completed, that was aborted."""
    run = ByHand(gateway.handler, await gateway.start_run(**envelope))
    await run.planned(*nodes)
    for each in nodes[:done]:
        await run.work(each["id"])
    await run.do(AbortRun, actor=Actor("ann"))
    return run.run_id


async def test_circles_of_a_fork_are_listed_up_to_fifty(gateway: RunningGateway, blocked: LoopTime) -> None:
    run_id = await ended_run(gateway)
    for size in (2, 990):
        nodes = [human(f"n{n}", [f"n{n - n % size + (n + 1) % size}"]) for n in range(990)]
        status, problem = await fork(gateway, run_id, nodes=nodes)
        assert (status, problem["code"]) == (422, "plan_invalid")
        assert {each["code"] for each in problem["errors"]} == {"dependency_cycle"}
        assert len(problem["errors"]) == (MAX_PROBLEMS if size == 2 else 1)
        assert len(str(problem)) < 20_000
        assert ("445 more problems" in problem["detail"]) == (size == 2)


async def test_unknown_dependencies_are_listed_up_to_fifty(
    gateway: RunningGateway, blocked: LoopTime
) -> None:
    run_id = await ended_run(gateway)
    status, problem = await fork(
        gateway, run_id, nodes=[human(f"n{n}", [f"u{u}" for u in range(10)]) for n in range(300)]
    )
    assert (status, problem["code"], len(problem["errors"])) == (422, "plan_invalid", MAX_PROBLEMS)
    assert (problem["errors"][-1]["code"], problem["errors"][-1]["pointer"]) == (
        "dependency_unknown",
        "/nodes/4/dependsOn/9",
    )


async def test_a_fork_of_all_the_dependencies_that_a_body_can_hold_is_refused_at_once(
    gateway: RunningGateway, blocked: LoopTime
) -> None:
    run_id = await ended_run(gateway)
    body = orjson.dumps({"nodes": [human(f"n{n}", ["u"] * 450) for n in range(990)]})
    answer, problem = await gateway.post(f"{API}/runs/{run_id}/fork", body)
    assert (answer.status, problem["errors"][0]["code"]) == (400, "too_many_values")
    assert len(str(problem)) < 2_000


async def test_a_plan_of_too_many_dependencies_is_refused(gateway: RunningGateway, blocked: LoopTime) -> None:
    run_id = await ended_run(gateway)
    names = [f"n{n}" for n in range(MAX_DEPENDENCIES // 100 + 1)]
    nodes = [human(name) for name in names] + [human(f"m{n}", names[:100]) for n in range(101)]
    status, problem = await fork(gateway, run_id, nodes=nodes)
    (error,) = problem["errors"]
    assert (status, error["code"], error["pointer"]) == (422, "plan_too_many_dependencies", "/nodes")
    status, problem = await fork(gateway, run_id, nodes=[human("a", ["b"] * (MAX_NODES + 1)), human("b")])
    assert (status, problem["errors"][0]["pointer"]) == (400, "/nodes/0/dependsOn")


async def test_kept_and_new_nodes_together_are_limited(gateway: RunningGateway, blocked: LoopTime) -> None:
    run_id = await ended_run(gateway, node("a"), node("b", "a"), done=1)
    status, problem = await fork(gateway, run_id, nodes=[human(f"n{n}") for n in range(MAX_NODES)])
    (error,) = problem["errors"]
    assert (status, error["code"], error["pointer"]) == (422, "plan_too_many_nodes", "/nodes")
    assert (await fork(gateway, run_id, nodes=[human(f"n{n}") for n in range(MAX_NODES + 1)]))[0] == 400
    status, made = await fork(gateway, run_id, nodes=[human(f"n{n}") for n in range(MAX_NODES - 1)])
    assert status == 201, made


async def test_the_largest_plan_is_forked_with_all_that_was_done(gateway: RunningGateway) -> None:
    chain = [node(f"n{n}", *([f"n{n - 1}"] if n else [])) for n in range(MAX_NODES)]
    run_id = await ended_run(gateway, *chain, done=MAX_NODES - 1)
    with loop_time() as blocked:
        status, made = await fork(gateway, run_id)
    assert status == 201, made
    assert blocked.longest_seconds < MOST_SECONDS, blocked.longest
    state = await gateway.store.load(made["runId"], fresh=True)
    assert sum(each.status == "completed" for each in state.nodes.values()) == MAX_NODES - 1


async def test_few_policies_may_ask_people(gateway: RunningGateway, blocked: LoopTime) -> None:
    asking = {"trigger": "node_complete", "action": "hitl"}
    silent = {"trigger": "node_complete", "action": "log"}
    too_many = [silent, *[asking] * MAX_ASKING_POLICIES, {**asking, "action": {"type": "hitl"}}]
    envelope = {
        "objective": "o",
        "outputContract": {"schema": {"type": ["object", "string"]}},
        "policies": {"runtime": too_many},
    }
    answer, problem = await gateway.post(f"{API}/runs", envelope)
    place = f"/policies/runtime/{MAX_ASKING_POLICIES + 1}"
    assert (answer.status, problem["errors"][0]["pointer"]) == (400, place)
    run_id = await ended_run(gateway)
    status, problem = await fork(gateway, run_id, policies={"runtime": too_many})
    assert (status, problem["errors"][0]["pointer"]) == (400, place)
    assert (await fork(gateway, run_id, policies={"runtime": too_many[:-1]}))[0] == 201


async def test_a_person_of_a_long_chain_under_all_policies_that_may_be_there(
    gateway: RunningGateway,
) -> None:
    """The largest output under the most policies that ask and the most that write."""
    runtime = [{"trigger": "node_complete", "action": "hitl"}] * MAX_ASKING_POLICIES
    runtime += [{"trigger": "node_complete", "action": "log"}] * (100 - MAX_ASKING_POLICIES)
    run_id = await ended_run(gateway)
    nodes = [human(f"n{n}", [f"n{n - 1}"] if n else []) for n in range(MAX_NODES)]
    status, made = await fork(gateway, run_id, nodes=nodes, policies={"runtime": runtime})
    assert status == 201, made
    run = ByHand(gateway.handler, made["runId"])
    await run.start("n0")
    _, tasks = await gateway.get(f"{API}/tasks?runId={run.run_id}")
    with loop_time() as blocked:
        path = f"{API}/tasks/{tasks['tasks'][0]['taskId']}/submit"
        answer, body = await gateway.post(path, {"output": "x" * 1_900_000})
    assert answer.status == 200, body
    assert len(body["pendingRequestIds"]) == MAX_ASKING_POLICIES
    assert blocked.longest_seconds < MOST_SECONDS, blocked.longest
    stored = [event for event in await gateway.store.read(run.run_id) if "x" * 1_900_000 in str(event)]
    assert [event.type for event in stored] == ["node_complete"]


def test_a_run_that_has_too_many_open_requests_fails_with_what_is_known() -> None:
    policies = {"runtime": [{"trigger": "node_complete", "action": "hitl"}]}
    run = Given().started(policies=policies).planned(*(node(f"n{n}") for n in range(MAX_OPEN_REQUESTS + 1)))
    for number in range(MAX_OPEN_REQUESTS):
        run = run.start(f"n{number}").complete(f"n{number}")
    assert len(run.state.open_requests) == MAX_OPEN_REQUESTS
    run = run.start(f"n{MAX_OPEN_REQUESTS}").complete(f"n{MAX_OPEN_REQUESTS}")
    assert run.state.status == "failed"
    assert (run.state.error or {})["code"] == "too_many_requests"
