"""Two runs side by side: a fork and its original, and any two."""

from typing import Any

from tests.support.by_hand import ByHand
from tests.support.documents import must_be
from tests.support.gateways import API, RunningGateway
from tests.support.given import node
from tests.support.people import waiting_for_approval


async def diff(gateway: RunningGateway, run_id: str, query: str = "") -> dict[str, Any]:
    answer, found = await gateway.get(f"{API}/runs/{run_id}/diff{query}")
    assert answer.status == 200, found
    must_be("RunDiff", found)
    return found


async def test_a_fork_is_compared_with_its_original(gateway: RunningGateway) -> None:
    run = ByHand(gateway.handler, await gateway.start_run(inputs={"topic": "sea", "long": "x" * 5000}))
    await run.planned(node("a"), node("b", "a"))
    await run.work("a", {"n": 1})
    await run.work("b", {"text": "one"})
    await run.deliver()
    body = {"fromNodeId": "b", "inputs": {"topic": "land", "long": "y"}}
    _, forked = await gateway.post(f"{API}/runs/{run.run_id}/fork", body)
    fork = ByHand(gateway.handler, forked["runId"])
    await fork.work("b", {"text": "two"})
    await fork.deliver({"text": "bye"})
    found = await diff(gateway, fork.run_id)
    assert (found["relation"], found["a"]["runId"], found["b"]["runId"]) == (
        "b_from_a",
        run.run_id,
        fork.run_id,
    )
    long, topic = sorted(found["envelope"], key=lambda each: each["pointer"])
    assert topic == {"pointer": "/inputs/topic", "kind": "changed", "a": "sea", "b": "land"}
    assert (long["aBytes"], long["b"]) == (5002, "y")
    kept, anew = found["nodes"]
    assert (kept["id"], kept["reused"], kept["output"], kept["changed"]) == ("a", True, [], [])
    assert (anew["id"], anew["reused"]) == ("b", False)
    assert anew["output"] == [{"pointer": "/output/text", "kind": "changed", "a": "one", "b": "two"}]
    assert found["output"][0]["pointer"] == "/output/text"
    assert found["reuse"]["reused"] == [{"nodeId": "a", "attempt": 1}]
    backwards = await diff(gateway, run.run_id, f"?other={fork.run_id}")
    assert (backwards["relation"], backwards["reuse"]) == ("a_from_b", found["reuse"])


async def test_any_two_runs_are_compared_by_plan_people_and_output(gateway: RunningGateway) -> None:
    approved, rejected = await waiting_for_approval(gateway), await waiting_for_approval(gateway)
    await approved.respond("approval", approved=True, operator="ann")
    await rejected.respond("rejection", approved=False, operator="bob")
    found = await diff(gateway, rejected.run_id, f"?other={approved.run_id}")
    assert (found["relation"], found["a"]["status"], found["b"]["status"]) == ("none", "completed", "failed")
    (verdict,) = found["verdicts"]
    assert (verdict["subject"], verdict["same"]) == ("output", False)
    assert (verdict["a"]["decision"], verdict["b"]["decision"]) == ("approved", "rejected")
    assert (verdict["a"]["operator"], verdict["b"]["operator"]) == ("ann", "bob")
    assert found["output"] == [{"pointer": "/output", "kind": "removed", "a": {"text": "hello"}}]
    other = ByHand(gateway.handler, await gateway.start_run())
    await other.planned(node("a", capabilityId="else"), node("c"))
    planned = await diff(gateway, other.run_id, f"?other={approved.run_id}")
    assert [(each["id"], each["where"], each["changed"]) for each in planned["nodes"]] == [
        ("a", "both", ["capabilityId"]),
        ("c", "b", []),
    ]


async def test_a_run_of_no_other_needs_one_to_be_compared_with(gateway: RunningGateway) -> None:
    run_id = await gateway.start_run()
    answer, problem = await gateway.get(f"{API}/runs/{run_id}/diff")
    assert (answer.status, problem["code"]) == (400, "query_invalid")
    answer, problem = await gateway.get(f"{API}/runs/{run_id}/diff?other=nothing")
    assert (answer.status, problem["code"]) == (404, "run_unknown")
