"""Runtime policies over HTTP: accepted or refused with their place, fired by events and by hand."""

from __future__ import annotations

from typing import Any

from tests.support.by_hand import ByHand
from tests.support.conforming import conforms
from tests.support.gateways import API, RunningGateway
from tests.support.given import node


def policy(policy_id: str, trigger: Any, action: Any) -> dict[str, Any]:
    return {"id": policy_id, "trigger": trigger, "action": action}


RULES = [
    policy("start", "onStart", {"type": "emit", "event": "begun"}),
    policy("plan", "onPlan", {"type": "setPriority", "priority": "high"}),
    policy("node", {"kind": "onNodeStart", "selector": {"nodeId": "a"}}, "log"),
    policy(
        "weak",
        {"kind": "onNodeComplete", "condition": {"<": [{"var": "output.score"}, 0.7]}},
        {"type": "goto", "next": "a", "maxAttempts": 1},
    ),
    policy("stop", "manual", {"type": "pause", "reason": "Stopped by hand."}),
]


async def test_policies_are_fired_by_events_and_by_hand(gateway: RunningGateway) -> None:
    run = ByHand(gateway.handler, await gateway.start_run(policies={"runtime": RULES}))
    await run.planned(node("a"))
    await run.work("a", {"score": 0.5})
    path = f"{API}/runs/{run.run_id}/policies"
    for _ in range(2):
        answer, body = await gateway.post(
            f"{path}/stop/trigger", {"reason": "enough", "operator": "ann"}, **{"Idempotency-Key": "once"}
        )
        assert (answer.status, body["status"]) == (200, "paused")
        conforms("RunControlled", body)
    fired = [e.payload for e in await gateway.store.read(run.run_id) if e.type == "policy_triggered"]
    assert [each["policyId"] for each in fired] == ["start", "plan", "node", "weak", "stop"]
    assert fired[3]["cause"]["observed"] == {"output.score": 0.5}
    assert fired[4]["cause"] == {"event": "manual", "operator": "ann", "reason": "enough"}

    answer, body = await gateway.post(f"{path}/nobody/trigger", {})
    assert (answer.status, body["code"]) == (404, "policy_unknown")


async def test_what_is_no_policy_is_refused_with_its_place(gateway: RunningGateway) -> None:
    rules = [
        policy("a", "on_plan", "log"),
        policy("b", "onPlan", "hitl_pause"),
        policy("c", {"kind": "onPlan", "condition": {"==": [{"var": "output.x"}, {"nwo": []}]}}, "fail"),
        policy("d", "onStart", "replan"),
    ]
    envelope = {"objective": "x", "outputContract": {"schema": True}, "policies": {"runtime": rules}}
    answer, body = await gateway.post(f"{API}/runs", envelope)
    assert answer.status == 400
    assert [each["pointer"] for each in body["errors"]] == [
        "/policies/runtime/0/trigger",
        "/policies/runtime/1/action",
        "/policies/runtime/2/trigger/condition/==/1",
        "/policies/runtime/3/action",
    ]
    assert "did you mean 'onPlan'?" in body["errors"][0]["message"]
    assert "did you mean 'hitl'?" in body["errors"][1]["message"]
