"""Concurrent approvals and rejections in three ways, through two gateways: one decision counts."""

import asyncio
from collections.abc import Awaitable, Callable

import orjson

from tests.support.gateways import RunningGateway
from tests.support.inboxes import Inbox, open_inbox
from tests.support.people import Waiting, waiting_for_approval, waiting_for_plan_approval
from tests.support.waiting import eventually
from tests.support.wired_engine import BrokerAddress

Start = Callable[..., Awaitable[RunningGateway]]
ROUNDS = 8


async def by_http(waiting: Waiting, gateway: RunningGateway, response_type: str) -> int:
    body = {
        "runId": waiting.run_id,
        "requestId": waiting.request_id,
        "operator": "http",
        "responses": [{"responseType": response_type}],
    }
    answer, _ = await gateway.post("/api/hitl/resume", body)
    return answer.status


async def by_link(url: str, gateway: RunningGateway, response_type: str) -> int:
    form = {"responseType": response_type, "operator": "link", "confirmed": "yes"}
    async with gateway.http.post(url, data=form) as answer:
        await answer.read()
        return answer.status


async def by_queue(waiting: Waiting, inbox: Inbox, response_type: str) -> None:
    response = {"requestId": waiting.request_id, "responseType": response_type}
    await inbox.send(orjson.dumps({"runId": waiting.run_id, "operator": "queue", "responses": [response]}))


async def test_one_of_many_decisions_wins_and_every_other_is_told(
    start_gateway: Start, broker_address: BrokerAddress
) -> None:
    here, there = await start_gateway(notified=True), await start_gateway(notified=True)
    dead = 0
    async with open_inbox(here, broker_address) as inbox:
        for _ in range(ROUNDS):
            waiting = await waiting_for_approval(here)
            _, link = await here.post("/api/hitl/link", {"requestId": waiting.request_id})
            statuses = await asyncio.gather(
                by_http(waiting, here, "approval"),
                by_http(waiting, there, "rejection"),
                by_link(link["url"], here, "rejection"),
                by_link(link["url"].replace(here.url, there.url), there, "approval"),
                by_queue(waiting, inbox, "approval"),
                by_queue(waiting, inbox, "rejection"),
            )
            (resolved,) = await eventually(lambda waiting=waiting: waiting.events("hitl_resolved"))
            won = [status for status in statuses if status == 200]
            lost = [status for status in statuses if status not in (200, None)]
            by_message = resolved.payload["operator"] == "queue"
            assert len(won) == (0 if by_message else 1), statuses
            assert set(lost) == {409}, statuses
            dead += 1 if by_message else 2
            letters = await inbox.dead(dead)
            assert len(letters) == dead
            assert all(letter.reason.startswith("request_resolved: ") for letter in letters)
            (complete,) = await waiting.events("complete")
            approved = resolved.payload["decision"] == "approved"
            assert complete.payload["status"] == ("completed" if approved else "failed")


async def test_one_of_three_decisions_on_a_plan_wins(
    start_gateway: Start, broker_address: BrokerAddress
) -> None:
    here, there = await start_gateway(notified=True), await start_gateway(notified=True)
    dead = 0
    async with open_inbox(here, broker_address) as inbox:
        for _ in range(ROUNDS):
            waiting = await waiting_for_plan_approval(here)
            _, link = await here.post("/api/hitl/link", {"requestId": waiting.request_id})
            http, page, _ = await asyncio.gather(
                by_http(waiting, there, "rejection"),
                by_link(link["url"], here, "approval"),
                by_queue(waiting, inbox, "approval"),
            )
            (resolved,) = await eventually(lambda waiting=waiting: waiting.events("hitl_resolved"))
            by_message = resolved.payload["operator"] == "queue"
            assert sorted([http, page]) == ([409, 409] if by_message else [200, 409])
            dead += 0 if by_message else 1
            assert dead == 0 or len(await inbox.dead(dead)) == dead
            rejected = resolved.payload["decision"] == "rejected"
            assert rejected == (http == 200)
            assert await waiting.status() == ("pending" if rejected else "running")
