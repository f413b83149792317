"""A run says why it is not moving, or who is moving it, and when something will happen."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import psycopg

from eventstore import leases, limits
from runs import commands as c
from tests.support.by_hand import ByHand
from tests.support.gateways import API, RunningGateway
from tests.support.given import ANN, node
from tests.support.people import waiting_for_approval
from tests.support.remote import ByHand as Worker
from tests.support.remote import registered, remote_capability, remote_node
from tests.support.wiring import StoreWiring


async def why(gateway: RunningGateway, run_id: str) -> list[dict[str, Any]]:
    _, run = await gateway.get(f"{API}/runs/{run_id}")
    return run.get("waitingFor", [])


async def test_a_run_that_nobody_plans_names_the_role_that_is_missing(gateway: RunningGateway) -> None:
    (waits,) = await why(gateway, await gateway.start_run())
    assert (waits["kind"], waits["queue"]) == ("worker", "plan")
    assert waits["message"] == "a plan waits in queue plan, and no process with the role planner is there"
    assert waits["action"] == "Start one: flexrun planner"


async def test_a_plan_under_way_names_its_planner_and_the_end_of_its_lease(gateway: RunningGateway) -> None:
    run_id = await gateway.start_run()
    (row,) = await leases.claim(gateway.store, ["plan"], "p1", 30, 1)
    (claimed,) = await why(gateway, run_id)
    assert (row.run_id, claimed["kind"], claimed["worker"]) == (run_id, "lease", "p1")
    assert claimed["message"] == "p1 has claimed a plan"
    assert claimed["until"] == claimed["nextAt"]


async def test_a_request_names_who_may_decide_the_votes_and_its_end(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(
        gateway, approvers=["ann", "bob"], quorum=2, expiresInSeconds=3600, onExpiry="reject"
    )
    await waiting.by_hand().respond(waiting.request_id)
    (person,) = await why(gateway, waiting.run_id)
    assert (person["kind"], person["requestId"]) == ("person", waiting.request_id)
    assert person["message"].startswith("a person (ann, bob) has to decide, 1 of 2 votes are in: ")
    assert person["action"] == f"To decide: flexrun hitl show {waiting.request_id}"
    assert datetime.fromisoformat(person["nextAt"]) < datetime.fromisoformat(person["until"])
    _, run = await gateway.get(f"{API}/runs/{waiting.run_id}")
    assert run["nextAt"] == person["nextAt"]


async def test_a_task_of_a_person_and_a_paused_run(gateway: RunningGateway) -> None:
    run = ByHand(gateway.handler, await gateway.start_run())
    await run.planned(node("a", agentType="human", bundle={"assignees": ["ann"]}))
    await run.start()
    (task,) = await why(gateway, run.run_id)
    assert (task["kind"], task["message"]) == ("task", "a person (ann) has to do node a: A")
    assert (await gateway.get(f"{API}/tasks/{task['taskId']}"))[0].status == 200
    await run.do(c.PauseRun, actor=ANN)
    paused, still = await why(gateway, run.run_id)
    assert (paused["kind"], still["kind"]) == ("paused", "task")
    assert paused["action"] == f"To go on: flexrun runs resume {run.run_id}"


async def test_a_retry_says_when_it_comes_and_what_went_wrong(gateway: RunningGateway) -> None:
    run = ByHand(gateway.handler, await gateway.start_run(constraints={"deadlineSeconds": 9000}))
    await run.planned(node("a", contract={"maxAttempts": 3}))
    await run.start()
    await run.do(
        c.FailNode, node_id="a", attempt=1, error_code="boom", message="it broke", retry_after_seconds=50
    )
    retry, deadline = await why(gateway, run.run_id)
    assert (retry["kind"], retry["nodeId"], retry["capabilityId"]) == ("timer", "a", "test.a")
    assert retry["message"].endswith("since attempt 1 failed: it broke")
    assert "its deadline, at which it fails" in deadline["message"]
    assert retry["nextAt"] < deadline["nextAt"]


async def test_a_lease_is_shown_while_it_holds_and_when_it_has_lapsed(gateway: RunningGateway) -> None:
    run = ByHand(gateway.handler, await gateway.start_run())
    await run.planned()
    await run.start()
    (lease,) = await why(gateway, run.run_id)
    assert (lease["kind"], lease["nodeId"]) == ("lease", "a")
    assert lease["message"].endswith("works on node a, attempt 1")
    async with await psycopg.AsyncConnection.connect(gateway.database_url) as connection:
        await connection.execute("update flex_work set lease_until = now() where started")
    (lapsed,) = await why(gateway, run.run_id)
    assert lapsed["message"].endswith("whose lease has run out; it is taken back")


async def test_a_node_whose_capability_nobody_serves(wiring: StoreWiring, worker: Worker) -> None:
    await registered(wiring.store, remote_capability("acme.gone"))
    run_id = await wiring.submit(remote_node("a", capability_id="acme.gone"))
    (silent,) = await why(worker.gateway, run_id)
    assert (silent["kind"], silent["capabilityId"]) == ("worker", "acme.gone")
    assert silent["message"] == "node a: nobody serves capability acme.gone, never heard of"
    unknown = await wiring.submit(remote_node("a", capability_id="acme.unknown"))
    (waits,) = await why(worker.gateway, unknown)
    assert waits["message"] == "node a waits for capability acme.unknown, which is not registered"


async def test_a_node_waits_for_a_limit_and_then_for_its_turn(wiring: StoreWiring, worker: Worker) -> None:
    await registered(wiring.store, remote_capability("acme.limited", limits={"maxConcurrent": 1}))
    run_id = await wiring.submit(remote_node("a", capability_id="acme.limited"))
    await limits.park(wiring.store, (run_id, "a", 1), limits.LIMIT, "acme.limited", 15)
    (limit,) = await why(worker.gateway, run_id)
    assert (limit["kind"], limit["nodeId"]) == ("limit", "a")
    assert limit["message"] == "node a waits for capability acme.limited: 0 of 1 in use"
    assert limit["nextAt"] == limit["until"]
    await limits.unpark(wiring.store, limits.LIMIT, "acme.limited", 1)
    await Worker(worker.gateway, capability_id="acme.sum").claim(wait_seconds=0.1)
    (turn,) = await why(worker.gateway, run_id)
    assert turn["kind"] == "worker"


async def test_a_run_that_is_over_waits_for_nothing(
    gateway: RunningGateway, start_gateway: Callable[..., Any]
) -> None:
    run = ByHand(gateway.handler, await gateway.start_run())
    await run.to_the_end()
    _, shown = await gateway.get(f"{API}/runs/{run.run_id}")
    assert "waitingFor" not in shown
    assert "nextAt" not in shown
