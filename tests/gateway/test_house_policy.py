"""Rules that cannot be met are refused, and an envelope or a fork can only tighten the house policy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.auth import Tokens
from gateway.runs.acceptance import Acceptance, HousePolicyInvalid, read_house
from gateway.runs.approval_rules import TokenHolders
from tests.support.by_hand import ByHand
from tests.support.gateways import API, ENVELOPE, RunningGateway
from tests.support.given import node

Start = Callable[..., Awaitable[RunningGateway]]

SUE = {"Authorization": "Bearer token-of-sue"}
TOKENS = "token-of-ann=ann:legal;token-of-bob=bob:legal,editor;token-of-sue=sue"
HOUSE: dict[str, Any] = {
    "requiresHitlApproval": True,
    "hitl": {"approvers": ["legal"], "quorum": 2, "forbidSubmitter": True},
    "limits": {"deadlineSeconds": 3600, "maxAttempts": 2, "nodes": 2},
    "forbiddenCapabilities": ["web.search", "shell.*"],
}


def asking(**hitl: Any) -> dict[str, Any]:
    action = {"type": "hitl", "hitl": hitl}
    return {"policies": {"runtime": [{"trigger": "plan_generated", "action": action}]}}


def rules(**hitl: Any) -> dict[str, Any]:
    return {"policies": {"hitl": hitl}}


UNMEETABLE: list[tuple[bool, dict[str, Any], str, str]] = [
    (False, rules(approvers=["ann"], quorum=2), "/policies/hitl/quorum", "only ann may"),
    (False, rules(approvers=["ann", "ann"], quorum=2), "/policies/hitl/quorum", "only ann may"),
    (
        False,
        rules(quorum=2, expiresInSeconds=60, onExpiry="escalate", escalateTo="legal"),
        "/policies/hitl/escalateTo",
        "After escalation this could never be approved",
    ),
    (False, asking(approvers=["ann"], quorum=3), "/policies/runtime/0/action/hitl/quorum", "only ann may"),
    (True, rules(approvers=["legal"], quorum=3), "/policies/hitl/quorum", "only ann, bob may"),
    (True, rules(approvers=["sue"], forbidSubmitter=True), "/policies/hitl/approvers", "sue made the run"),
    (
        True,
        rules(approvers=["sue", "ann"], quorum=2, forbidSubmitter=True),
        "/policies/hitl/quorum",
        "only ann",
    ),
    (
        True,
        rules(quorum=2, expiresInSeconds=60, onExpiry="escalate", escalateTo="editor"),
        "/policies/hitl/escalateTo",
        "only bob may",
    ),
]


@pytest.mark.parametrize(("tokens", "keys", "place", "words"), UNMEETABLE)
async def test_rules_that_nobody_can_meet_are_refused_with_what_cannot_be_met(
    start_gateway: Start, tokens: bool, keys: dict[str, Any], place: str, words: str
) -> None:
    gateway = await start_gateway(tokens=TOKENS if tokens else None)
    answer, problem = await gateway.post(f"{API}/runs", {**ENVELOPE, **keys}, **(SUE if tokens else {}))
    assert (answer.status, problem["code"]) == (400, "invalid_body")
    assert [(each["code"], each["pointer"]) for each in problem["errors"]] == [("unmeetable", place)]
    assert words in problem["errors"][0]["message"]
    assert set((await gateway.rows()).values()) == {0}


async def test_rules_that_can_be_met_are_accepted(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=TOKENS)
    for keys in (
        rules(approvers=["legal"], quorum=2),
        rules(approvers=["ann", "zoe"], quorum=2),
        rules(quorum=5),
        rules(quorum=2, expiresInSeconds=60, onExpiry="escalate", escalateTo="legal"),
        rules(approvers=["legal"], quorum=2, forbidSubmitter=True),
    ):
        answer, body = await gateway.post(f"{API}/runs", {**ENVELOPE, **keys}, **SUE)
        assert answer.status == 202, body


async def test_a_fork_cannot_bring_rules_that_nobody_can_meet(start_gateway: Start) -> None:
    gateway = await start_gateway()
    run_id = await gateway.start_run()
    body = rules(approvers=["ann"], quorum=2)
    answer, problem = await gateway.post(f"{API}/runs/{run_id}/fork", body)
    assert (answer.status, problem["errors"][0]["code"]) == (400, "unmeetable")


async def test_a_retry_or_fork_that_leaves_only_authors_to_decide_is_refused(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=TOKENS)
    ann, bob = ({"Authorization": f"Bearer token-of-{name}"} for name in ("ann", "bob"))
    keys = rules(approvers=["editor"], forbidSubmitter=True)
    answer, body = await gateway.post(f"{API}/runs", {**ENVELOPE, **keys}, **SUE)
    assert answer.status == 202, body
    run = ByHand(gateway.handler, body["runId"])
    await run.planned()
    await gateway.post(f"{API}/runs/{run.run_id}/abort", {}, **SUE)
    before = await gateway.rows()
    for verb in ("retry", "fork"):
        answer, problem = await gateway.post(f"{API}/runs/{run.run_id}/{verb}", {}, **bob)
        assert (answer.status, problem["errors"][0]["code"]) == (400, "unmeetable"), verb
        assert "nobody may (bob made the run, and forbidSubmitter is set)" in problem["errors"][0]["message"]
    assert await gateway.rows() == before
    answer, retried = await gateway.post(f"{API}/runs/{run.run_id}/retry", {}, **ann)
    assert answer.status == 201, retried


async def test_what_an_envelope_leaves_open_is_filled_in_and_the_log_keeps_what_was_applied(
    start_gateway: Start,
) -> None:
    gateway = await start_gateway(tokens=TOKENS, policies=orjson.dumps(HOUSE).decode())
    answer, body = await gateway.post(f"{API}/runs", ENVELOPE, **SUE)
    assert answer.status == 202, body
    (start,) = await gateway.store.read(body["runId"])
    detail = start.detail or {}
    assert detail["envelope"]["policies"] == {
        "requiresHitlApproval": True,
        "hitl": {"approvers": ["legal"], "quorum": 2, "forbidSubmitter": True},
        "maxAttempts": 2,
    }
    assert detail["envelope"]["constraints"] == {"deadlineSeconds": 3600}
    assert detail["house"]["policy"] == HOUSE
    assert set(detail["house"]["applied"]) == {
        "/policies/requiresHitlApproval",
        "/policies/hitl/approvers",
        "/policies/hitl/quorum",
        "/policies/hitl/forbidSubmitter",
        "/policies/maxAttempts",
        "/constraints/deadlineSeconds",
    }


LOOSER: list[tuple[dict[str, Any], str]] = [
    ({"policies": {"requiresHitlApproval": False}}, "/policies/requiresHitlApproval"),
    ({"constraints": {"requiresHitlApproval": False}}, "/constraints/requiresHitlApproval"),
    (
        {"policies": {"planner": {"directives": {"requiresHitlApproval": False}}}},
        "/policies/planner/directives/requiresHitlApproval",
    ),
    (rules(quorum=1), "/policies/hitl/quorum"),
    (rules(approvers=["ann", "sue"]), "/policies/hitl/approvers/1"),
    (rules(forbidSubmitter=False), "/policies/hitl/forbidSubmitter"),
    (rules(onExpiry="approve", expiresInSeconds=60), "/policies/hitl/onExpiry"),
    (rules(escalateTo="sue"), "/policies/hitl/escalateTo"),
    (asking(quorum=1), "/policies/runtime/0/action/hitl/quorum"),
    (asking(approvers=[]), "/policies/runtime/0/action/hitl/approvers"),
    ({"constraints": {"deadlineSeconds": 3601}}, "/constraints/deadlineSeconds"),
    ({"policies": {"maxAttempts": 3}}, "/policies/maxAttempts"),
]


async def test_what_is_looser_than_the_house_is_refused_with_its_place(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=TOKENS, policies=orjson.dumps(HOUSE).decode())
    for keys, place in LOOSER:
        answer, problem = await gateway.post(f"{API}/runs", {**ENVELOPE, **keys}, **SUE)
        found = [(each["code"], each["pointer"]) for each in problem["errors"]]
        assert (answer.status, found) == (400, [("house_policy", place)])
    assert set((await gateway.rows()).values()) == {0}


async def test_an_envelope_may_be_tighter_than_the_house(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=TOKENS, policies=orjson.dumps(HOUSE).decode())
    tighter = {
        "policies": {"hitl": {"approvers": ["ann", "bob"], "quorum": 2}, "maxAttempts": 1},
        "constraints": {"deadlineSeconds": 60},
    }
    answer, body = await gateway.post(f"{API}/runs", {**ENVELOPE, **tighter}, **SUE)
    assert answer.status == 202, body
    state = await gateway.store.load(body["runId"], fresh=True)
    assert state.envelope["policies"]["hitl"]["approvers"] == ["ann", "bob"]
    assert state.envelope["policies"]["maxAttempts"] == 1
    assert state.policies.deadline_seconds == 60


async def test_a_change_of_the_house_changes_no_run_and_holds_for_forks(start_gateway: Start) -> None:
    before = await start_gateway()
    run_id = await before.start_run(policies={"maxAttempts": 5})
    keyed, first = await before.post(
        f"{API}/runs", {**ENVELOPE, "policies": {"maxAttempts": 9}}, Idempotency_Key="k"
    )
    assert keyed.status == 202
    house = {
        "requiresHitlApproval": True,
        "limits": {"maxAttempts": 2, "nodes": 1},
        "forbiddenCapabilities": ["test.a"],
    }
    after = await start_gateway(policies=orjson.dumps(house).decode())
    assert not (await after.store.load(run_id, fresh=True)).policies.approval_required

    answer, again = await after.post(
        f"{API}/runs", {**ENVELOPE, "policies": {"maxAttempts": 9}}, Idempotency_Key="k"
    )
    assert (answer.status, again["runId"]) == (202, first["runId"])

    answer, problem = await after.post(f"{API}/runs/{run_id}/fork", {})
    assert (answer.status, problem["errors"][0]["pointer"]) == (400, "/policies/maxAttempts")
    answer, problem = await after.post(
        f"{API}/runs/{run_id}/fork", {"policies": {"requiresHitlApproval": False}}
    )
    assert answer.status == 400
    answer, made = await after.post(f"{API}/runs/{run_id}/fork", {"policies": {"maxAttempts": 1}})
    assert answer.status == 201, made
    assert (await after.store.load(made["runId"], fresh=True)).policies.approval_required

    await ByHand(before.handler, run_id).planned(node("a"), node("b"))
    answer, problem = await after.post(f"{API}/runs/{run_id}/fork", {"policies": {"maxAttempts": 1}})
    assert (answer.status, problem["code"]) == (422, "plan_invalid")
    assert [each["code"] for each in problem["errors"]] == ["house_policy", "capability_forbidden"]


async def test_no_node_is_tried_more_often_than_the_house_allows(start_gateway: Start) -> None:
    gateway = await start_gateway(policies='{"limits": {"maxAttempts": 2}}')
    run = ByHand(gateway.handler, await gateway.start_run())
    await run.planned(
        node("a"), node("b", contract={"maxAttempts": 1}), node("c", contract={"maxAttempts": 9})
    )
    state = await gateway.store.load(run.run_id, fresh=True)
    assert [each.contract.get("maxAttempts") for each in state.nodes.values()] == [2, 1, 2]


BAD_HOUSES = {
    "no JSON": ('{"limits": ', "This is not JSON"),
    "an unknown key": ('{"limit": {}}', "/limit: Unknown key; did you mean 'limits'?"),
    "a wrong value": ('{"hitl": {"quorum": 0}}', "/hitl/quorum: This must be at least 1."),
    "a bad pattern": ('{"forbiddenCapabilities": ["a*b"]}', "/forbiddenCapabilities/0"),
    "no such file": ("/nowhere/house.json", "the file cannot be read: No such file or directory"),
}


@pytest.mark.parametrize("name", BAD_HOUSES)
def test_a_policy_of_the_house_that_cannot_be_read_is_refused_with_its_place(name: str) -> None:
    text, words = BAD_HOUSES[name]
    with pytest.raises(HousePolicyInvalid) as caught:
        read_house(text)
    assert "FLEXRUN_POLICIES" in str(caught.value)
    assert words in str(caught.value)


def test_a_policy_of_the_house_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "house.json"
    file.write_bytes(orjson.dumps(HOUSE))
    assert read_house(str(file)).to_wire() == HOUSE
    assert read_house(None).to_wire() == {}


def test_a_house_whose_rules_nobody_can_meet_is_refused() -> None:
    house = read_house('{"hitl": {"approvers": ["legal"], "quorum": 3}}')
    people = TokenHolders(Tokens.parse(TOKENS))
    with pytest.raises(
        HousePolicyInvalid, match="/hitl/quorum: 3 different people must approve, and only ann, bob"
    ):
        Acceptance(house, people).check_house()
