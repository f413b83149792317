"""Workers claim nodes at a gateway and report about them; each node has one result, however the worker behaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from eventstore.capabilities import set_disabled
from gateway.work.handed_out import UNDELIVERED
from runs.commands import AbortRun, Actor
from runs.event import parse_time
from schemas.json_text import MAX_OUTPUT_BYTES
from tests.support.gateways import API, RunningGateway
from tests.support.remote import ByHand, registered, remote_capability, remote_node
from tests.support.waiting import eventually
from tests.support.wiring import StoreWiring, now


async def test_a_claim_gets_a_node_with_its_bundle_and_a_report_completes_it(
    wiring: StoreWiring, worker: ByHand
) -> None:
    run_id = await wiring.submit(remote_node("a"), inputs={"n": [1, 2]})
    (task,) = await worker.claim()
    assert (task["runId"], task["nodeId"], task["attempt"]) == (run_id, "a", 1)
    assert (task["capabilityId"], task["capabilityVersion"]) == ("acme.sum", "1.0.0")
    assert task["bundle"]["inputs"] == {"n": [1, 2]}
    assert task["leaseSeconds"] == 10
    assert (parse_time(task["deadline"]) - datetime.now().astimezone()).total_seconds() == pytest.approx(
        60, abs=20
    )
    assert await worker.report(task, "log", {"message": "adding"}) == (200, {"ok": True})
    status, body = await worker.report(task, "complete", {"output": 3, "usage": {"seconds": 0.5}})
    assert (status, body) == (200, {"status": "completed"})
    (complete,) = await wiring.events(run_id, "node_complete")
    assert (complete.payload["output"], complete.payload["usage"]) == (3, {"seconds": 0.5})
    (line,) = await wiring.events(run_id, "log")
    assert (line.message, line.node_id) == ("adding", "a")


async def test_a_claim_that_waits_is_woken_by_a_commit_of_another_process(
    wiring: StoreWiring, worker: ByHand
) -> None:
    claim = asyncio.create_task(worker.claim())
    await eventually(lambda: worker.gateway.gateway.work.waiting == 1)
    run_id = await wiring.submit(remote_node("a"))
    (task,) = await claim
    assert task["runId"] == run_id


async def test_a_claim_without_work_ends_empty_after_its_time(wiring: StoreWiring, worker: ByHand) -> None:
    assert await worker.claim(wait_seconds=0) == []
    assert await worker.claim(wait_seconds=0.05) == []


async def test_a_claim_takes_as_many_as_it_has_slots_and_the_oldest_first(
    wiring: StoreWiring, worker: ByHand
) -> None:
    first = await wiring.submit(*[remote_node(f"n{index}") for index in range(3)])
    second = await wiring.submit(*[remote_node(f"n{index}") for index in range(3)])
    tasks = await worker.claim(slots=4)
    assert sorted(task["runId"] for task in tasks) == [first] * 3 + [second]
    assert len(await wiring.commits_of(first)) == 2, "the three start in one append"


async def test_the_same_report_again_changes_nothing(wiring: StoreWiring, worker: ByHand) -> None:
    run_id = await wiring.submit(remote_node("a"), remote_node("b"))
    (task,) = await worker.claim()
    for _ in range(3):
        assert await worker.report(task, "complete", {"output": "x"}) == (200, {"status": "completed"})
    assert len(await wiring.events(run_id, "node_complete")) == 1
    status, body = await worker.report(task, "complete", {"output": "y"})
    assert (status, body["code"]) == (409, "stale_attempt")


async def test_an_output_that_breaks_the_contract_is_answered_with_the_reasons(
    wiring: StoreWiring, worker: ByHand
) -> None:
    run_id = await wiring.submit(remote_node("a", contract={"output": {"type": "string"}}))
    (task,) = await worker.claim()
    status, body = await worker.report(task, "complete", {"output": 1})
    assert (status, body["status"], body["errors"][0]["keyword"]) == (200, "output_invalid", "type")
    (error,) = await wiring.events(run_id, "node_error")
    assert error.payload["error"]["code"] == "output_invalid"


async def test_an_output_may_be_as_large_as_that_of_any_capability(
    wiring: StoreWiring, worker: ByHand
) -> None:
    run_id = await wiring.submit(remote_node("a"), remote_node("b"))
    fits, exceeds = await worker.claim(slots=2)
    too_large = {"output": "x" * (MAX_OUTPUT_BYTES + 64 * 1024)}
    status, body = await worker.report(fits, "complete", too_large)
    assert (status, body["code"]) == (413, "body_too_large")
    status, body = await worker.report(fits, "complete", {"output": "x" * (MAX_OUTPUT_BYTES - 2)})
    assert (status, body) == (200, {"status": "completed"})
    status, body = await worker.report(exceeds, "complete", {"output": "x" * (MAX_OUTPUT_BYTES - 1)})
    assert (status, body) == (200, {"status": "failed"})
    (error,) = await wiring.events(run_id, "node_error")
    assert error.payload["error"]["code"] == "output_too_large"


async def test_an_abort_reaches_the_worker_with_its_heartbeat_and_its_late_answer_changes_nothing(
    wiring: StoreWiring, worker: ByHand
) -> None:
    run_id = await wiring.submit(remote_node("a"))
    (task,) = await worker.claim()
    assert await worker.report(task, "heartbeat") == (200, {"leaseSeconds": 10.0, "cancelled": False})
    await wiring.execute(run_id, AbortRun(now=now(), actor=Actor("ann")))
    assert (await worker.report(task, "heartbeat"))[1]["cancelled"] is True
    before = await wiring.events(run_id)
    for what, body in (
        ("complete", {"output": 1}),
        ("fail", {"error": {"code": "x"}}),
        ("ask", {"question": "?"}),
        ("log", {"message": "late"}),
    ):
        status, found = await worker.report(task, what, body)
        assert (status, found["code"]) == (409, "run_finished")
    assert await wiring.events(run_id) == before


@pytest.mark.parametrize(("idempotent", "code"), [(True, "timeout"), (False, "outcome_unknown")])
async def test_an_attempt_whose_time_is_up_fails_with_the_next_heartbeat(
    wiring: StoreWiring, worker: ByHand, idempotent: bool, code: str
) -> None:
    contract = {"timeoutSeconds": 0.05}
    run_id = await wiring.submit(remote_node("a", contract=contract, idempotent=idempotent))
    (task,) = await worker.claim()

    async def cancelled() -> bool:
        return (await worker.report(task, "heartbeat"))[1]["cancelled"]

    await eventually(cancelled)
    (error,) = await wiring.events(run_id, "node_error")
    assert error.payload["error"]["code"] == code


@pytest.mark.parametrize("idempotent", [True, False])
async def test_a_claim_whose_caller_has_left_is_given_back_at_once(
    wiring: StoreWiring, worker: ByHand, idempotent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    starter = worker.gateway.gateway.work._matcher._starter
    start, begun, leaves = starter.start, asyncio.Event(), asyncio.Event()

    async def slow_start(*arguments: Any) -> Any:
        begun.set()
        await leaves.wait()
        return await start(*arguments)

    monkeypatch.setattr(starter, "start", slow_start)
    claim = asyncio.create_task(worker.claim())
    run_id = await wiring.submit(remote_node("a", idempotent=idempotent))
    await begun.wait()
    claim.cancel()
    await eventually(lambda: worker.gateway.gateway.work.waiting == 0)
    leaves.set()
    (task,) = await ByHand(worker.gateway, "w2").claim()
    assert task["attempt"] == 2
    (error,) = await wiring.events(run_id, "node_error")
    assert error.payload["error"]["code"] == UNDELIVERED


async def test_another_gateway_takes_the_reports_of_one_that_is_gone(
    wiring: StoreWiring, start_gateway: Callable[..., Any]
) -> None:
    first, second = await start_gateway(notified=True), await start_gateway(notified=True)
    run_id = await wiring.submit(remote_node("a"))
    (task,) = await ByHand(first).claim()
    await first.server.close()
    worker = ByHand(second)
    assert (await worker.report(task, "heartbeat"))[1]["cancelled"] is False
    assert (await worker.report(task, "complete", {"output": 1}))[0] == 200
    assert len(await wiring.events(run_id, "node_complete")) == 1


async def test_two_gateways_hand_out_each_node_once(
    wiring: StoreWiring, start_gateway: Callable[..., Any]
) -> None:
    gateways = [await start_gateway(notified=True) for _ in range(2)]
    done: list[str] = []

    async def work(gateway: RunningGateway, name: str) -> None:
        worker = ByHand(gateway, name)
        while len(done) < 120:
            for task in await worker.claim(slots=5, wait_seconds=0.2):
                status, body = await worker.report(task, "complete", {"output": task["nodeId"]})
                assert status == 200, body
                done.append(task["runId"] + task["nodeId"])

    workers = [asyncio.create_task(work(gateways[index % 2], f"w{index}")) for index in range(4)]
    runs = [await wiring.submit(*[remote_node(f"n{index}") for index in range(12)]) for _ in range(10)]
    await asyncio.gather(*workers)
    assert len(done) == len(set(done)) == 120
    for run_id in runs:
        assert len(await wiring.events(run_id, "node_start")) == 12


async def test_a_worker_does_in_its_version_what_was_planned_for_one_with_the_same_contract(
    wiring: StoreWiring, worker: ByHand
) -> None:
    await registered(wiring.store, *(remote_capability(version=each) for each in ("1.0.0", "1.1.0")))
    run_id = await wiring.submit(remote_node("a", capabilityVersion="1.0.0"))
    (task,) = await worker.claim(capabilities=[{"id": "acme.sum", "version": "1.1.0"}])
    assert task["capabilityVersion"] == "1.1.0"
    await worker.report(task, "complete", {"output": 3})
    for kind in ("node_start", "node_complete"):
        (event,) = await wiring.events(run_id, kind)
        assert (event.payload["capabilityVersion"], event.payload["usedVersion"]) == ("1.0.0", "1.1.0")


async def test_a_worker_gets_the_versions_that_it_serves(wiring: StoreWiring, worker: ByHand) -> None:
    other = remote_capability(version="2.0.0", output_schema={"type": "integer"})
    await registered(wiring.store, remote_capability(version="1.0.0"), other)
    run_id = await wiring.submit(
        remote_node("one", capabilityVersion="1.0.0"),
        remote_node("two", capabilityVersion="2.0.0"),
        remote_node("gone", capabilityVersion="0.5.0"),
    )
    tasks = await worker.claim(slots=3, capabilities=[{"id": "acme.sum", "version": "2.0.0"}])
    assert {task["nodeId"] for task in tasks} == {"two", "gone"}
    await set_disabled(wiring.store, "acme.sum", "1.0.0", disabled=True)
    assert await worker.claim(slots=3, wait_seconds=0.1) == []
    await set_disabled(wiring.store, "acme.sum", "1.0.0", disabled=False)
    (task,) = await worker.claim(slots=3)
    assert (task["runId"], task["nodeId"]) == (run_id, "one")


async def test_a_claim_of_what_is_not_registered_says_so_for_each(
    wiring: StoreWiring, worker: ByHand
) -> None:
    await registered(
        wiring.store, {"id": "acme.http", "label": "x", "home": {"type": "http", "url": "http://x"}}
    )
    claim = {"workerId": "w", "capabilities": [{"id": "acme.sum"}, {"id": "acme.none"}]}
    answer, body = await worker.gateway.post(f"{API}/work/claim", claim)
    assert (answer.status, body["code"]) == (404, "capability_unknown")
    assert [each["pointer"] for each in body["errors"]] == ["/capabilities/1/id"]
    answer, body = await worker.gateway.post(
        f"{API}/work/claim", {**claim, "capabilities": [{"id": "acme.http"}]}
    )
    assert (answer.status, body["code"]) == (409, "not_for_workers")


@pytest.mark.parametrize(
    ("claim", "pointer"),
    [
        ({"workerId": "", "capabilities": [{"id": "a"}]}, "/workerId"),
        ({"workerId": "w"}, "/capabilities"),
        ({"workerId": "w", "capabilities": []}, "/capabilities"),
        ({"workerId": "w", "capabilities": [{"id": "a b"}]}, "/capabilities/0/id"),
        ({"workerId": "w", "capabilities": [{"id": "a", "version": "x"}]}, "/capabilities/0/version"),
        ({"workerId": "w", "capabilities": [{"id": "a"}] * 1001}, "/capabilities"),
        ({"workerId": "w", "capabilities": [{"id": "a"}], "slots": 0}, "/slots"),
        ({"workerId": "w", "capabilities": [{"id": "a"}], "slots": 101}, "/slots"),
        ({"workerId": "w", "capabilities": [{"id": "a"}], "slots": True}, "/slots"),
        ({"workerId": "w", "capabilities": [{"id": "a"}], "waitSeconds": 61}, "/waitSeconds"),
        ({"workerId": "w", "capabilities": [{"id": "a"}], "wait": 1}, "/wait"),
    ],
)
async def test_a_wrong_claim_is_refused_with_its_place(worker: ByHand, claim: Any, pointer: str) -> None:
    answer, body = await worker.gateway.post(f"{API}/work/claim", claim)
    assert (answer.status, body["code"]) == (400, "invalid_body")
    assert body["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("complete", {}),
        ("complete", {"output": 1, "usage": {"inputTokens": -1}}),
        ("complete", b'{"output": "\\u0000"}'),
        ("complete", b'{"output": {"a": 1, "a": 2}}'),
        ("complete", b"[" * 100_000),
        ("complete", b"\xff"),
        ("fail", {"error": {}}),
        ("fail", {"error": {"code": " "}}),
        ("fail", {"error": {"code": "x", "retryable": "yes"}}),
        ("ask", {"question": ""}),
        ("ask", {"question": "?", "options": ["a"]}),
        ("log", {"message": "x" * 2_001}),
        ("log", {"message": "x", "level": "loud"}),
        ("heartbeat", {"x": 1}),
    ],
)
async def test_a_wrong_report_is_refused_and_changes_nothing(
    wiring: StoreWiring, worker: ByHand, what: str, body: Any
) -> None:
    run_id = await wiring.submit(remote_node("a"))
    (task,) = await worker.claim()
    status, found = await worker.report(task, what, body)
    assert (status, found["code"]) in {(400, "invalid_body"), (400, "invalid_json")}
    assert (await worker.report(task, "complete", {"output": None}))[0] == 200
    assert (await wiring.state(run_id)).nodes["a"].output is None


async def test_a_forged_token_is_refused(wiring: StoreWiring, worker: ByHand) -> None:
    await wiring.submit(remote_node("a"))
    (task,) = await worker.claim()
    body, _, signature = task["token"].partition(".")
    for token in (
        body,
        f"{body}.",
        f"{body}.{signature[:-2]}AA",
        f"{body[:-4]}AAAA.{signature}",
        "x" * 3_000,
    ):
        for what, sent in (("complete", {"output": 1}), ("heartbeat", {})):
            status, found = await worker.report({"token": token}, what, sent)
            assert (status, found["code"]) == (401, "task_token_invalid")


async def test_claims_need_the_role_and_reports_the_token_of_their_attempt(
    wiring: StoreWiring, start_gateway: Callable[..., Any]
) -> None:
    gateway: RunningGateway = await start_gateway(
        tokens="claims-1=w:work:claim;admin-12=a:admin;nothing1=n:editor", notified=True
    )
    await wiring.submit(remote_node("a"))
    claim = {"workerId": "w", "capabilities": [{"id": "acme.sum"}], "waitSeconds": 0}
    for token, status in ((None, 401), ("wrong-token", 401), ("nothing1", 403), ("admin-12", 200)):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer, found = await gateway.post(f"{API}/work/claim", claim, **headers)
        assert answer.status == status, found
    (task,) = found["tasks"]
    assert (await ByHand(gateway).report(task, "complete", {"output": 1}))[0] == 200
    answer, found = await gateway.post(f"{API}/work/claim", claim, Authorization="Bearer claims-1")
    assert answer.status == 200


async def test_a_gateway_that_stops_answers_the_claims_that_wait(wiring: StoreWiring, worker: ByHand) -> None:
    claim = asyncio.create_task(worker.claim())
    await eventually(lambda: worker.gateway.gateway.work.waiting == 1)
    worker.gateway.gateway.stop()
    assert await claim == []


async def test_lines_beyond_the_limit_are_left_out(wiring: StoreWiring, worker: ByHand) -> None:
    run_id = await wiring.submit(remote_node("a"))
    (task,) = await worker.claim()
    answers = [await worker.report(task, "log", {"message": f"{index}"}) for index in range(40)]
    assert {status for status, _ in answers} == {200, 429}
    assert len(await wiring.events(run_id, "log")) == [status for status, _ in answers].count(200) < 40


async def test_a_worker_whose_claim_waits_is_alive_for_the_registry(
    wiring: StoreWiring, worker: ByHand
) -> None:
    await registered(wiring.store, remote_capability(heartbeat_seconds=0.6))
    claim = asyncio.create_task(worker.claim())
    seen: set[datetime] = set()

    async def told_again() -> bool:
        rows = await wiring.store.fetch("capabilities/workers", {"capability_id": "acme.sum", "limit": 5})
        assert [row[0] for row in rows] == ["remote/w1"]
        seen.add(rows[0][3])
        return len(seen) > 2

    await eventually(told_again)
    claim.cancel()


async def test_workers_share_the_limit_of_a_capability_and_what_waits_is_next(
    wiring: StoreWiring, worker: ByHand
) -> None:
    await registered(wiring.store, remote_capability("acme.limited", limits={"maxConcurrent": 2}))
    run_id = await wiring.submit(
        *[remote_node(f"n{index}", capability_id="acme.limited") for index in range(3)]
    )
    limited = ByHand(worker.gateway, capability_id="acme.limited")
    first = await limited.claim(slots=3)
    assert len(first) == 2
    assert await limited.claim(slots=3, wait_seconds=0.1) == []
    _, run = await worker.gateway.get(f"{API}/runs/{run_id}")
    [waiting] = [node["waitingFor"] for node in run["nodes"] if "waitingFor" in node]
    assert waiting["message"] == "waits for capability acme.limited: 2 of 2 in use"
    await worker.report(first[0], "complete", {"output": 1})
    (last,) = await limited.claim(slots=3)
    assert last["nodeId"] not in {task["nodeId"] for task in first}
