"""Retry and fork over HTTP: new runs from the results of old ones, which stay unchanged."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from eventstore.capabilities import register
from executor.human_capabilities import HUMAN_REVIEW
from runs.commands import FailNode
from tests.support.by_hand import ByHand
from tests.support.conforming import conforms
from tests.support.gateways import API, RunningGateway
from tests.support.given import node
from tests.support.people import ANN, BOB, OUTPUT, SUE, TOKENS, Waiting, waiting_for_approval

Start = Callable[..., Awaitable[RunningGateway]]
ECHO = {"id": "test.echo", "version": "1", "label": "Echo", "kind": "execution", "queue": "gpu"}


async def failed_run(gateway: RunningGateway) -> ByHand:
    """A run of a -> b -> c whose last node has failed."""
    run = ByHand(gateway.handler, await gateway.start_run(inputs={"n": 1}))
    await run.planned(node("a"), node("b", "a"), node("c", "b", contract={"maxAttempts": 1}))
    await run.work("a", "A")
    await run.work("b", "B")
    await run.start("c")
    await run.do(FailNode, node_id="c", attempt=1, error_code="boom", message="it broke")
    return run


async def log_of(gateway: RunningGateway, run_id: str) -> list[Any]:
    return await gateway.store.read(run_id)


async def post(
    gateway: RunningGateway, run_id: str, verb: str, body: Any = None, **headers: str
) -> tuple[int, Any]:
    answer, document = await gateway.post(f"{API}/runs/{run_id}/{verb}", body or {}, **headers)
    return answer.status, document


async def test_a_retry_is_a_new_run_that_begins_at_the_failed_node(gateway: RunningGateway) -> None:
    run = await failed_run(gateway)
    before = await log_of(gateway, run.run_id)
    status, made = await post(gateway, run.run_id, "retry", {"reason": "again", "operator": "ann"})
    assert status == 201
    conforms("RunForked", made)
    assert made["origin"] == {
        "runId": run.run_id,
        "kind": "retry",
        "fromNodeId": None,
        "operator": "ann",
        "reason": "again",
    }
    again = ByHand(gateway.handler, made["runId"])
    state = await gateway.store.load(again.run_id, fresh=True)
    assert [state.nodes[name].status for name in "abc"] == ["completed", "completed", "ready"]
    assert state.nodes["b"].output == "B"
    await again.work("c", "C")
    assert (await again.deliver(OUTPUT)).state.status == "completed"
    assert await log_of(gateway, run.run_id) == before


async def test_both_runs_name_each_other(gateway: RunningGateway) -> None:
    run = await failed_run(gateway)
    _, retried = await post(gateway, run.run_id, "retry", {"operator": "ann"})
    _, forked = await post(gateway, run.run_id, "fork", {"fromNodeId": "b", "reason": "try"})
    _, shown = await gateway.get(f"{API}/runs/{run.run_id}")
    conforms("RunDetail", shown)
    assert [(each["runId"], each["kind"], each["fromNodeId"]) for each in shown["forks"]] == [
        (retried["runId"], "retry", None),
        (forked["runId"], "fork", "b"),
    ]
    _, new = await gateway.get(f"{API}/runs/{forked['runId']}")
    assert (new["origin"]["runId"], new["forks"]) == (run.run_id, [])


async def test_a_run_is_retried_once_however_often_one_asks(gateway: RunningGateway) -> None:
    run = await failed_run(gateway)
    answers = await asyncio.gather(
        *(post(gateway, run.run_id, "retry", {"reason": str(n)}) for n in range(5))
    )
    assert sorted(status for status, _ in answers) == [200] * 4 + [201]
    assert len({made["runId"] for _, made in answers}) == 1
    _, shown = await gateway.get(f"{API}/runs/{run.run_id}")
    assert len(shown["forks"]) == 1


async def test_only_a_run_that_ended_badly_can_be_retried(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway)
    status, problem = await post(gateway, waiting.run_id, "retry")
    assert (status, problem["code"]) == (409, "not_ready")
    await waiting.respond("approval")
    assert (await post(gateway, waiting.run_id, "retry"))[0] == 409
    assert (await post(gateway, "01900000-0000-7000-8000-00000000dead", "retry"))[0] == 404
    assert (await post(gateway, "no-id", "fork"))[0] == 404


async def test_a_fork_before_the_approval_leaves_the_original_waiting(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway)
    before = await waiting.events()
    status, made = await post(gateway, waiting.run_id, "fork", {"fromNodeId": "a", "inputs": {"tone": "dry"}})
    assert status == 201
    assert UUID(made["runId"]).version == 7
    fork = ByHand(gateway.handler, made["runId"])
    state = await gateway.store.load(fork.run_id, fresh=True)
    assert state.envelope["inputs"] == {"tone": "dry"}
    await fork.work("a", "again")
    outcome = await fork.deliver(OUTPUT)
    (request,) = outcome.state.open_requests
    assert request.id != waiting.request_id
    assert await waiting.events() == before
    assert (await waiting.respond("approval"))[1]["status"] == "completed"
    assert (await Waiting(gateway, fork.run_id, request.id).respond("rejection"))[1]["status"] == "failed"
    assert await waiting.status() == "completed"


async def test_a_fork_after_the_approval_keeps_the_work_and_asks_anew(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway)
    await waiting.respond("approval", operator="ann")
    before = await waiting.events()
    status, made = await post(gateway, waiting.run_id, "fork")
    assert status == 201
    fork = ByHand(gateway.handler, made["runId"])
    assert [event.type for event in await log_of(gateway, fork.run_id)] == [
        "start",
        "plan_requested",
        "plan_generated",
        "log",
        "node_complete",
    ]
    outcome = await fork.deliver({"text": "other"})
    assert outcome.state.status == "awaiting_hitl"
    assert await waiting.events() == before


async def test_policies_are_laid_over_those_of_the_original_and_nothing_else_changes(
    gateway: RunningGateway,
) -> None:
    waiting = await waiting_for_approval(gateway, quorum=2)
    body = {"policies": {"hitl": {"quorum": 1}, "brandVoice": "calm"}}
    _, made = await post(gateway, waiting.run_id, "fork", body)
    state = await gateway.store.load(made["runId"], fresh=True)
    assert state.envelope["policies"] == {
        "requiresHitlApproval": True,
        "hitl": {"quorum": 1},
        "brandVoice": "calm",
    }
    status, problem = await post(gateway, waiting.run_id, "fork", {"policies": {"hitl": {"quorum": 0}}})
    assert (status, problem["errors"][0]["pointer"]) == (400, "/policies/hitl/quorum")


async def test_a_fork_may_bring_other_nodes_among_them_people(gateway: RunningGateway) -> None:
    await register(gateway.store, [ECHO, HUMAN_REVIEW.to_wire()], "elsewhere")
    run = await failed_run(gateway)
    nodes = [
        {"id": "x", "capabilityId": "test.echo", "kind": "execution", "label": "X", "dependsOn": ["a"]},
        {"id": "y", "capabilityId": "human.review", "kind": "validation", "label": "Y", "dependsOn": ["x"]},
        {"id": "z", "capabilityId": "by.hand", "agentType": "human", "kind": "execution", "label": "Z"},
    ]
    status, made = await post(gateway, run.run_id, "fork", {"fromNodeId": "b", "nodes": nodes})
    assert status == 201, made
    state = await gateway.store.load(made["runId"], fresh=True)
    assert list(state.nodes) == ["a", "x", "y", "z"]
    assert {name: n.executor_type for name, n in state.nodes.items()} == {
        "a": "ai",
        "x": "ai",
        "y": "human",
        "z": "human",
    }
    assert state.nodes["x"].queue == "gpu"
    assert [state.nodes[name].status for name in ("a", "x", "z")] == ["completed", "ready", "ready"]


@pytest.mark.parametrize(
    ("nodes", "code", "pointer"),
    [
        ([{"id": "x", "dependsOn": ["nowhere"]}], "dependency_unknown", "/nodes/0/dependsOn/0"),
        ([{"id": "x", "dependsOn": ["c"]}], "dependency_unknown", "/nodes/0/dependsOn/0"),
        ([{"id": "x", "dependsOn": ["y"]}, {"id": "y", "dependsOn": ["x"]}], "dependency_cycle", "/nodes"),
        ([{"id": "a"}], "node_id_repeated", "/nodes/0/id"),
        ([{"id": "x", "capabilityId": "nobody.can"}], "capability_unknown", "/nodes/0/capabilityId"),
        (
            [{"id": "x", "bundle": {"facets": {"a": {"$node": "elsewhere"}}}}],
            "facet_source_invalid",
            "/nodes/0/bundle/facets/a/$node",
        ),
        (
            [{"id": "x", "contract": {"output": {"type": "nonsense"}}}],
            "schema_invalid",
            "/nodes/0/contract/output/type",
        ),
    ],
)
async def test_a_plan_that_cannot_be_run_is_refused_with_its_place(
    gateway: RunningGateway, nodes: list[dict[str, Any]], code: str, pointer: str
) -> None:
    await register(gateway.store, [ECHO], "elsewhere")
    run = await failed_run(gateway)
    rows = await gateway.rows()
    whole = [{"capabilityId": "test.echo", "kind": "execution", "label": "X", **each} for each in nodes]
    status, problem = await post(gateway, run.run_id, "fork", {"fromNodeId": "b", "nodes": whole})
    assert (status, problem["code"]) == (422, "plan_invalid")
    assert (code, pointer) in [(each["code"], each["pointer"]) for each in problem["errors"]], problem[
        "errors"
    ]
    assert await gateway.rows() == rows


PERSON = {"id": "x", "capabilityId": "by.hand", "agentType": "human", "kind": "execution", "label": "X"}


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"nodes": [PERSON | {"bundle": {"assignees": 7}}]}, "wrong_type", "/nodes/0/bundle/assignees"),
        ({"nodes": [PERSON | {"bundle": {"assignees": [7]}}]}, "wrong_type", "/nodes/0/bundle/assignees/0"),
        ({"nodes": [PERSON | {"bundle": {"assignee": ["ann"]}}]}, "unknown_key", "/nodes/0/bundle/assignee"),
        ({"nodes": [PERSON | {"bundle": {"inputKeys": "x"}}]}, "wrong_type", "/nodes/0/bundle/inputKeys"),
        (
            {"nodes": [PERSON | {"contract": {"maxAttempts": 0}}]},
            "out_of_range",
            "/nodes/0/contract/maxAttempts",
        ),
        ({"policies": {"hitl": {"approver": ["ann"]}}}, "unknown_key", "/policies/hitl/approver"),
        ({"policies": {"requiresHITLApproval": False}}, "unknown_key", "/policies/requiresHITLApproval"),
        (
            {"policies": {"runtime": [{"trigger": "node_completed", "action": "hitl"}]}},
            "not_allowed",
            "/policies/runtime/0/trigger",
        ),
    ],
)
async def test_rules_in_a_fork_that_cannot_be_read_are_refused_with_their_place(
    gateway: RunningGateway, body: dict[str, Any], code: str, pointer: str
) -> None:
    run = await failed_run(gateway)
    rows = await gateway.rows()
    status, problem = await post(gateway, run.run_id, "fork", {"fromNodeId": "b", **body})
    assert (status, problem["code"]) == (400, "invalid_body")
    assert [(each["code"], each["pointer"]) for each in problem["errors"]] == [(code, pointer)]
    assert await gateway.rows() == rows


async def test_assignees_are_not_misspelt_where_the_capability_is_a_person_either(
    gateway: RunningGateway,
) -> None:
    await register(gateway.store, [HUMAN_REVIEW.to_wire()], "elsewhere")
    run = await failed_run(gateway)
    review = {"id": "y", "capabilityId": "human.review", "kind": "validation", "label": "Y"}
    nodes = [{**review, "bundle": {"asignees": ["ann"]}}]
    status, problem = await post(gateway, run.run_id, "fork", {"fromNodeId": "b", "nodes": nodes})
    assert (status, problem["code"]) == (422, "plan_invalid")
    assert [each["pointer"] for each in problem["errors"]] == ["/nodes/0/bundle/asignees"]


async def test_what_cannot_be_forked_is_refused(gateway: RunningGateway) -> None:
    run = await failed_run(gateway)
    status, problem = await post(gateway, run.run_id, "fork", {"fromNodeId": "zz"})
    assert (status, problem["code"]) == (422, "response_invalid")
    _, problem = await post(gateway, run.run_id, "fork", {"fromNodeId": "a-"})
    assert problem["detail"] == "the plan has no node a-; did you mean 'a'?"
    status, problem = await post(gateway, run.run_id, "fork", {"fromnodeid": "a"})
    assert (status, problem["code"]) == (400, "invalid_body")
    unplanned = await gateway.start_run()
    nodes = [{"id": "x", "capabilityId": "by.hand", "agentType": "human", "kind": "execution", "label": "X"}]
    status, problem = await post(gateway, unplanned, "fork", {"nodes": nodes})
    assert (status, problem["code"]) == (422, "plan_invalid")
    status, made = await post(gateway, unplanned, "fork")
    assert (status, made["status"]) == (201, "pending")


async def test_an_idempotency_key_gives_one_fork_and_not_for_another_body(gateway: RunningGateway) -> None:
    run = await failed_run(gateway)
    for verb in ("fork", "retry"):
        key = f"key-{verb}"
        body = {"reason": "once"}
        first = await post(gateway, run.run_id, verb, body, Idempotency_Key=key)
        second = await post(gateway, run.run_id, verb, body, Idempotency_Key=key)
        assert (first[0], second[0]) == (201, 200)
        assert first[1]["runId"] == second[1]["runId"]
        status, problem = await post(gateway, run.run_id, verb, {"reason": "other"}, Idempotency_Key=key)
        assert (status, problem["code"]) == (422, "idempotency_key_reused")
    _, shown = await gateway.get(f"{API}/runs/{run.run_id}")
    assert [each["kind"] for each in shown["forks"]] == ["fork", "retry"]


async def test_forks_of_an_aborted_run_start_where_it_stopped(gateway: RunningGateway) -> None:
    run = ByHand(gateway.handler, await gateway.start_run())
    await run.planned(node("a"), node("b", "a"))
    await run.work("a")
    await run.start("b")
    await gateway.post(f"{API}/runs/{run.run_id}/abort", {"reason": "stop"})
    _, made = await post(gateway, run.run_id, "retry")
    state = await gateway.store.load(made["runId"], fresh=True)
    assert [state.nodes[name].status for name in "ab"] == ["completed", "ready"]


async def test_a_fork_loosens_the_rules_for_those_only_who_may_decide(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=TOKENS)
    waiting = await waiting_for_approval(gateway, by=SUE, approvers=["legal"])
    rows = await gateway.rows()
    for policies in ({"requiresHitlApproval": False}, {"hitl": {"approvers": ["sue"]}}):
        status, problem = await post(
            gateway, waiting.run_id, "fork", {"policies": policies}, Authorization=SUE
        )
        assert (status, problem["code"]) == (403, "not_allowed")
        (error,) = problem["errors"]
        assert error["code"] == "loosened"
        assert error["pointer"].startswith("/policies/")
    assert await gateway.rows() == rows
    body = {"policies": {"requiresHitlApproval": False}, "reason": "urgent"}
    status, made = await post(gateway, waiting.run_id, "fork", body, Authorization=BOB)
    assert status == 201
    conforms("RunForked", made)
    assert [each["pointer"] for each in made["origin"]["loosened"]] == ["/policies/requiresHitlApproval"]
    line, _ = [event for event in await log_of(gateway, made["runId"]) if event.type == "log"]
    assert line.payload["message"].startswith("bob loosened the rules of run ")


async def test_the_author_of_an_aborted_run_does_not_approve_its_retry(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=TOKENS)
    waiting = await waiting_for_approval(gateway, by=SUE, forbidSubmitter=True)
    answer, _ = await gateway.post(f"{API}/runs/{waiting.run_id}/abort", {}, Authorization=SUE)
    assert answer.status == 200
    status, made = await post(gateway, waiting.run_id, "retry", Authorization=ANN)
    assert status == 201
    again = ByHand(gateway.handler, made["runId"])
    await again.work()
    (request,) = (await again.deliver(OUTPUT)).state.open_requests
    retried = Waiting(gateway, again.run_id, request.id)
    for author in (SUE, ANN):
        assert (await retried.respond("approval", by=author))[0] == 403
        assert (await retried.respond("edit", by=author, editedOutput=OUTPUT))[0] == 403
    assert (await retried.respond("approval", by=BOB))[1]["status"] == "completed"


async def test_a_node_whose_contract_no_output_can_meet_is_refused_with_its_place(
    gateway: RunningGateway,
) -> None:
    run = ByHand(gateway.handler, await gateway.start_run())
    await run.planned(node("a"))
    output = {"type": "array", "minItems": 3_000, "items": {"type": "string", "minLength": 3_000}}
    new = node("b", agentType="human", contract={"output": output})
    answer, problem = await gateway.post(f"{API}/runs/{run.run_id}/fork", {"nodes": [new]})
    (error,) = problem["errors"]
    assert (answer.status, error["code"]) == (422, "schema_asks_too_much")
    assert error["pointer"] == "/nodes/0/contract/output/minItems"
