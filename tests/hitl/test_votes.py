"""Quorums, proposals and withdrawals through every endpoint by which people decide."""

from collections.abc import Awaitable, Callable

import pytest

from runs.commands import FailNode
from tests.support.by_hand import ByHand
from tests.support.conforming import conforms
from tests.support.gateways import RunningGateway
from tests.support.given import node
from tests.support.inboxes import open_inbox
from tests.support.people import ANN, BOB, SUE, TOKENS, Waiting, resumed, waiting_for_approval
from tests.support.waiting import eventually
from tests.support.wired_engine import BrokerAddress

Start = Callable[..., Awaitable[RunningGateway]]
EDIT = {"text": "edited"}


async def test_an_edit_under_a_quorum_is_shown_as_what_is_to_be_approved(start_gateway: Start) -> None:
    gateway = await start_gateway(tokens=TOKENS)
    waiting = await waiting_for_approval(gateway, by=SUE, quorum=2)
    assert (await waiting.respond("approval", by=BOB))[0] == 200
    status, body = await waiting.respond("edit", by=ANN, editedOutput=EDIT, note="shorter")
    assert (status, body["status"]) == (200, "awaiting_hitl")
    assert body["requests"][0]["votes"] == [{"operator": "ann", "note": "shorter"}]
    _, shown = await gateway.get(f"/api/hitl/requests/{waiting.request_id}", Authorization=ANN)
    conforms("PendingRequest", shown)
    assert (shown["pendingOutput"], [vote["operator"] for vote in shown["votes"]]) == (EDIT, ["ann"])
    assert (shown["proposal"]["operator"], shown["proposal"]["id"]) == ("ann", shown["proposalId"])
    read = {"requestId": waiting.request_id, "responseType": "approval", "expectedProposalId": "0"}
    body = {"runId": waiting.run_id, "responses": [read]}
    answer, problem = await gateway.post("/api/hitl/resume", body, Authorization=BOB)
    assert (answer.status, problem["code"]) == (409, "stale_proposal")
    body["responses"] = [{**read, "expectedProposalId": shown["proposalId"]}]
    answer, done = await gateway.post("/api/hitl/resume", body, Authorization=BOB)
    assert (answer.status, done["status"]) == (200, "completed")
    assert (await waiting.events("complete"))[0].payload["output"] == EDIT


async def test_a_failed_node_does_not_go_on_by_one_answer_of_two(gateway: RunningGateway) -> None:
    run = ByHand(gateway.handler, await gateway.start_run(policies={"hitl": {"quorum": 2}}))
    await run.planned(node("a", contract={"maxAttempts": 1, "fallback": "hitl"}))
    await run.start()
    outcome = await run.do(FailNode, node_id="a", attempt=1, error_code="boom", message="it broke")
    waiting = Waiting(gateway, run.run_id, outcome.state.open_requests[0].id)
    status, body = await waiting.respond("option", operator="ann", selectedOptionId="retry")
    assert (status, body["status"], body["requests"][0]["quorum"]) == (200, "awaiting_hitl", 2)
    assert (await gateway.rows())["flex_work"] == 0
    status, problem = await waiting.respond("option", operator="ann", selectedOptionId="retry")
    assert (status, problem["code"]) == (403, "not_allowed")
    status, body = await waiting.respond("approval", operator="bob")
    assert (status, body["requests"][0]["decision"]) == (200, "answered")
    assert (await gateway.rows())["flex_work"] == 1


async def test_a_withdrawn_vote_does_not_count(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway, quorum=2)
    status, problem = await waiting.respond("withdraw", operator="ann")
    assert (status, problem["code"]) == (409, "not_voted")
    assert (await waiting.respond("approval", operator="ann"))[0] == 200
    assert (await waiting.respond("withdraw", operator="ann"))[0] == 200
    assert (await waiting.respond("approval", operator="bob"))[1]["status"] == "awaiting_hitl"
    async with resumed(
        gateway,
        waiting.run_id,
        {
            "operator": "cat",
            "payload": {"requestId": waiting.request_id, "responses": [{"responseType": "approval"}]},
        },
    ) as reader:
        frames = (await reader.to_end()).types
    assert frames[-2:] == ["hitl_resolved", "complete"]
    messages = [event.payload["message"] for event in await waiting.events("log")]
    assert messages == ["ann approved (1 of 2)", "ann withdrew (0 of 2)", "bob approved (1 of 2)"]


async def test_a_vote_is_withdrawn_through_the_queue(
    gateway: RunningGateway, broker_address: BrokerAddress
) -> None:
    waiting = await waiting_for_approval(gateway, quorum=2)
    assert (await waiting.respond("approval", operator="ann"))[0] == 200
    message = {"runId": waiting.run_id, "requestId": waiting.request_id, "operator": "ann"}

    async def withdrawn() -> bool:
        return len(await waiting.events("log")) == 2

    async with open_inbox(gateway, broker_address) as inbox:
        await inbox.send({**message, "responses": [{"responseType": "withdraw"}]})
        await eventually(withdrawn)
        assert await inbox.broker.dead_letters("hitl") == []
    assert (await waiting.respond("approval", operator="bob"))[1]["status"] == "awaiting_hitl"


@pytest.mark.parametrize("decision", ["approval", "withdraw"])
async def test_the_page_of_a_link_approves_what_it_shows(gateway: RunningGateway, decision: str) -> None:
    waiting = await waiting_for_approval(gateway, quorum=2)
    body = {"requestId": waiting.request_id, "for": "ann"}
    _, made = await gateway.post("/api/hitl/link", body)
    assert (await waiting.respond("edit", operator="bob", editedOutput=EDIT))[0] == 200
    async with gateway.http.get(made["url"]) as answer:
        page = await answer.text()
    (proposal,) = [event.seq for event in await waiting.events("log")]
    assert "edited" in page
    assert f'name="proposal" value="{proposal}"' in page
    assert (await waiting.respond("withdraw", operator="bob"))[0] == 200
    form = {"responseType": decision, "proposal": str(proposal), "confirmed": "yes"}
    async with gateway.http.post(made["url"], data=form) as answer:
        assert answer.status == 409
    assert await waiting.status() == "awaiting_hitl"


async def test_what_a_policy_asks_about_is_stored_once_and_shown_with_the_request(
    gateway: RunningGateway,
) -> None:
    policies = [{"id": f"p{number}", "trigger": "node_complete", "action": "hitl"} for number in range(10)]
    run = ByHand(gateway.handler, await gateway.start_run(policies={"runtime": policies}))
    await run.planned(node("a", agentType="human"))
    await run.start()
    _, listed = await gateway.get(f"/api/v1/flex/tasks?runId={run.run_id}")
    output = {"text": "x" * 1_900_000}
    answer, _ = await gateway.post(
        f"/api/v1/flex/tasks/{listed['tasks'][0]['taskId']}/submit", {"output": output, "operator": "ann"}
    )
    assert answer.status == 200
    _, page = await gateway.get(f"/api/hitl/pending?runId={run.run_id}")
    asked = {each["additionalContext"]["policyId"]: each for each in page["requests"]}
    assert len(asked) == 10
    (complete,) = [e for e in await gateway.store.read(run.run_id) if e.type == "node_complete"]
    reference = {"policyId": "p7", "event": "node_complete", "eventId": str(complete.seq)}
    assert asked["p7"]["additionalContext"] == reference
    _, one = await gateway.get(f"/api/hitl/requests/{asked['p7']['requestId']}")
    assert one["additionalContext"] == {**reference, "payload": complete.payload}
    assert one["additionalContext"]["payload"]["output"] == output
