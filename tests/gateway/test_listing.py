"""Lists of runs, and one run with all that belongs to it."""

import asyncio
from typing import Any

from eventstore import limits
from runs import commands as c
from tests.support.by_hand import ByHand
from tests.support.gateways import API, ENVELOPE, RunningGateway
from tests.support.given import node
from tests.support.people import waiting_for_approval


async def _ids(gateway: RunningGateway, query: str) -> list[str]:
    answer, page = await gateway.get(f"{API}/runs?{query}")
    assert answer.status == 200, page
    return [run["runId"] for run in page["runs"]]


async def test_pages_lead_through_every_run_once_newest_first(gateway: RunningGateway) -> None:
    started = [await gateway.start_run() for _ in range(7)]
    seen: list[str] = []
    query = "limit=3"
    while query:
        _, page = await gateway.get(f"{API}/runs?{query}")
        seen += [run["runId"] for run in page["runs"]]
        query = f"limit=3&cursor={page['nextCursor']}" if "nextCursor" in page else ""
        await gateway.start_run()
    assert seen == started[::-1], "runs that start meanwhile do not shift the pages"


async def test_runs_are_found_by_status_thread_label_and_client(gateway: RunningGateway) -> None:
    plain = await gateway.start_run()
    threaded = await gateway.start_run(constraints={"threadId": "thread 7/ü"})
    labelled = await gateway.start_run(metadata={"runLabel": "open-day", "clientId": "northwind"})
    aborted = await gateway.start_run()
    await gateway.post(f"{API}/runs/{aborted}/abort", b"")
    assert await _ids(gateway, "threadId=thread%207/%C3%BC") == [threaded]
    assert await _ids(gateway, "label=open-day") == [labelled]
    assert await _ids(gateway, "clientId=northwind&label=open-day") == [labelled]
    assert await _ids(gateway, "clientId=northwind&label=other") == []
    assert await _ids(gateway, "status=aborted") == [aborted]
    assert await _ids(gateway, "status=pending&status=aborted") == [aborted, labelled, threaded, plain]
    assert await _ids(gateway, "status=aborted,completed") == [aborted]


async def test_runs_are_found_by_error_capability_objective_submitter_and_age(
    gateway: RunningGateway,
) -> None:
    plain = await gateway.start_run(objective="Write about Saturn's rings")
    aborted = await gateway.start_run()
    await gateway.post(f"{API}/runs/{aborted}/abort", b"")
    planned = await gateway.start_run()
    await ByHand(gateway.handler, planned).planned(node("a", capabilityId="acme.sum"), node("b"))
    assert await _ids(gateway, "errorCode=aborted") == [aborted]
    assert await _ids(gateway, "capabilityId=acme.sum") == [planned]
    assert await _ids(gateway, "capabilityId=acme.sum&status=completed") == []
    assert await _ids(gateway, "objective=saturn") == [plain]
    assert await _ids(gateway, "objective=SATURN&status=pending") == [plain]
    assert await _ids(gateway, "submittedBy=nobody") == []
    _, shown = await gateway.get(f"{API}/runs/{aborted}")
    made = shown["createdAt"]
    assert await _ids(gateway, f"createdBefore={made}") == [plain]
    assert await _ids(gateway, f"createdAfter={made}") == [planned, aborted]
    assert await _ids(gateway, f"createdAfter={made}&createdBefore={made}") == []
    answer, problem = await gateway.get(f"{API}/runs?createdAfter=yesterday")
    assert (answer.status, problem["code"]) == (400, "query_invalid")


async def test_open_runs_are_found_by_what_they_wait_for(gateway: RunningGateway) -> None:
    person = (await waiting_for_approval(gateway)).run_id
    unplanned = await gateway.start_run()
    at_work = ByHand(gateway.handler, await gateway.start_run())
    await at_work.planned()
    await at_work.start()
    retried = ByHand(gateway.handler, await gateway.start_run())
    await retried.planned(node("a", contract={"maxAttempts": 3}))
    await retried.start()
    await retried.do(
        c.FailNode, node_id="a", attempt=1, error_code="boom", message="it broke", retry_after_seconds=50
    )
    human = ByHand(gateway.handler, await gateway.start_run())
    await human.planned(node("a", agentType="human"))
    await human.start()
    paused = await gateway.start_run()
    await gateway.post(f"{API}/runs/{paused}/pause", b"")
    limited = ByHand(gateway.handler, await gateway.start_run())
    await limited.planned()
    await limits.park(gateway.store, (limited.run_id, "a", 1), limits.LIMIT, "test.a", 15)
    found = {
        kind: await _ids(gateway, f"waitingFor={kind}")
        for kind in ("person", "task", "paused", "timer", "worker", "lease", "limit", "endpoint")
    }
    assert found == {
        "person": [person],
        "task": [human.run_id],
        "paused": [paused],
        "timer": [retried.run_id],
        "worker": [unplanned],
        "lease": [at_work.run_id],
        "limit": [limited.run_id],
        "endpoint": [],
    }
    answer, problem = await gateway.get(f"{API}/runs?waitingFor=godot")
    assert (answer.status, problem["code"]) == (400, "query_invalid")


async def test_a_run_shows_its_plan_its_nodes_and_its_output(gateway: RunningGateway) -> None:
    run_id = await gateway.start_run()
    hand = ByHand(gateway.handler, run_id)
    _, fresh = await gateway.get(f"{API}/runs/{run_id}")
    assert (fresh["status"], fresh["nodes"], fresh["pendingRequests"]) == ("pending", [], [])
    assert fresh["envelope"] == ENVELOPE
    assert "output" not in fresh
    await hand.planned(node("a"), node("b", "a"))
    await hand.work("a", None)
    _, halfway = await gateway.get(f"{API}/runs/{run_id}")
    first, second = halfway["nodes"]
    assert (first["status"], first["output"], first["attempt"]) == ("completed", None, 1)
    assert (second["status"], second["dependsOn"]) == ("ready", ["a"])
    assert "output" not in second
    await hand.work("b")
    await hand.deliver()
    answer, done = await gateway.get(f"{API}/runs/{run_id}")
    assert (done["status"], done["output"]) == ("completed", {"text": "hello"})
    assert (done["planVersion"], done["lastEventId"]) == (1, "8")
    assert done["createdAt"] < done["completedAt"] == done["updatedAt"]
    assert answer.headers["X-Run-Id"] == run_id


async def test_a_run_shows_the_requests_that_wait_and_why_it_failed(gateway: RunningGateway) -> None:
    run_id = await gateway.start_run(policies={"requiresHitlApproval": True})
    hand = ByHand(gateway.handler, run_id)
    await hand.to_the_end()
    _, waiting = await gateway.get(f"{API}/runs/{run_id}")
    (request,) = waiting["pendingRequests"]
    assert (waiting["status"], request["kind"], request["runId"]) == ("awaiting_hitl", "approval", run_id)
    assert request["pendingOutput"] == {"text": "hello"}
    await hand.respond(request["requestId"], "rejection", note="too short")
    _, failed = await gateway.get(f"{API}/runs/{run_id}")
    assert (failed["status"], failed["pendingRequests"]) == ("failed", [])
    assert failed["error"]["code"] == "hitl_rejected"
    _, page = await gateway.get(f"{API}/runs?status=failed")
    assert page["runs"][0]["error"] == failed["error"]


async def test_two_hundred_starts_at_once_are_two_hundred_runs(gateway: RunningGateway) -> None:
    answers: list[tuple[Any, Any]] = await asyncio.gather(
        *(gateway.post(f"{API}/runs", ENVELOPE) for _ in range(200))
    )
    assert {answer.status for answer, _ in answers} == {202}
    assert len({body["runId"] for _, body in answers}) == 200
    rows = await gateway.rows()
    assert (rows["flex_runs"], rows["flex_events"], rows["flex_work"]) == (200, 200, 200)
