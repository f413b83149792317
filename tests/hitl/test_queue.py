"""The queue `hitl`: the same decisions under the same rules, and a reason for every message that is refused."""

from collections.abc import Awaitable, Callable
from typing import Any

import aio_pika
import orjson
import psycopg
import pytest

from broker.factory import open_broker
from tests.support.gateways import RunningGateway
from tests.support.inboxes import open_inbox
from tests.support.loop_time import MOST_SECONDS, loop_time
from tests.support.people import SUE, TOKENS, WRONG, Waiting, waiting_for_approval
from tests.support.waiting import eventually
from tests.support.wired_engine import BrokerAddress

Start = Callable[..., Awaitable[RunningGateway]]


def message(waiting: Waiting, response_type: str = "approval", **more: Any) -> dict[str, Any]:
    """A message with one response."""
    response = {"responseType": response_type}
    if "editedOutput" in more:
        response["editedOutput"] = more.pop("editedOutput")
    return {"runId": waiting.run_id, "requestId": waiting.request_id, "responses": [response], **more}


async def ended(waiting: Waiting, status: str = "completed") -> None:
    async def over() -> bool:
        return await waiting.status() == status

    await eventually(over)


async def test_a_message_decides_like_any_other_door(
    gateway: RunningGateway, broker_address: BrokerAddress
) -> None:
    waiting = await waiting_for_approval(gateway, approvers=["ann"])
    async with open_inbox(gateway, broker_address) as inbox:
        await inbox.send(message(waiting, operator="ann", note="by queue"))
        await ended(waiting)
        assert await inbox.broker.dead_letters("hitl") == []
    (resolved,) = await waiting.events("hitl_resolved")
    assert (resolved.payload["operator"], resolved.payload["note"]) == ("ann", "by queue")


async def test_the_same_message_five_times_decides_once_and_the_others_say_why_they_did_not(
    gateway: RunningGateway, broker_address: BrokerAddress
) -> None:
    waiting = await waiting_for_approval(gateway)
    async with open_inbox(gateway, broker_address) as inbox:
        await inbox.send(message(waiting, operator="ann"), times=5)
        letters = await inbox.dead(4)
    assert len(letters) == 4
    assert all(letter.reason.startswith("request_resolved: ") for letter in letters)
    assert len(await waiting.events("hitl_resolved")) == 1
    assert await waiting.status() == "completed"


async def test_every_bad_message_is_a_dead_letter_with_its_reason_and_changes_nothing(
    gateway: RunningGateway, broker_address: BrokerAddress
) -> None:
    waiting = await waiting_for_approval(gateway, approvers=["ann"])
    before = await waiting.types()
    bad: dict[str, Any] = {
        "invalid_json": b'{"runId": ',
        "invalid_body": {"runId": waiting.run_id, "requestId": waiting.request_id, "responses": []},
        "run_unknown": {**message(waiting), "runId": "01900000-0000-7000-8000-00000000dead"},
        "request_unknown": {**message(waiting), "requestId": "nobody"},
        "not_allowed": message(waiting, operator="mallory"),
        "stale_plan_version": message(waiting, operator="ann", expectedPlanVersion=9),
        "response_invalid": message(waiting, "edit", operator="ann", editedOutput=WRONG),
    }
    async with open_inbox(gateway, broker_address) as inbox:
        for each in (*bad.values(), b"[]", b""):
            await inbox.send(each)
        letters = await inbox.dead(len(bad) + 2)
    reasons = {letter.reason.partition(":")[0] for letter in letters}
    assert reasons == set(bad)
    (edit,) = [letter for letter in letters if letter.reason.startswith("response_invalid")]
    assert "must have required property 'text'" in edit.reason
    assert orjson.loads(edit.body) == bad["response_invalid"]
    assert await waiting.types() == before


async def test_with_tokens_a_message_needs_one_and_no_dead_letter_keeps_it(
    start_gateway: Start, broker_address: BrokerAddress
) -> None:
    gateway = await start_gateway(tokens=TOKENS)
    waiting = await waiting_for_approval(gateway, by=SUE, approvers=["editor"])
    async with open_inbox(gateway, broker_address) as inbox:
        await inbox.send(message(waiting, operator="ann"))
        await inbox.send(message(waiting, operator="ann", token="guessed-token"))
        await inbox.send(message(waiting, operator="ann", token="token-of-bob"))
        letters = await inbox.dead(3)
        await inbox.send(message(waiting, operator="mallory", token="token-of-ann"))
        await ended(waiting)
    reasons = sorted(letter.reason.partition(":")[0] for letter in letters)
    assert reasons == ["not_allowed", "unauthorized", "unauthorized"]
    for letter in letters:
        assert b"token-of" not in letter.body
        assert b"guessed" not in letter.body
        assert orjson.loads(letter.body)["runId"] == waiting.run_id
    (resolved,) = await waiting.events("hitl_resolved")
    assert (resolved.payload["operator"], resolved.detail) == ("ann", {"claimedOperator": "mallory"})
    assert all("token-of" not in str(event) for event in await waiting.events())


REFUSED = {
    "broken JSON": b'{"runId": "a", "token": "token-of-bob", ',
    "cut off in the token": b'{"runId": "a", "token": "token-of-b',
    "no object": b'[{"token": "token-of-bob"}]',
    "a token that is no text": b'{"runId": "a", "token": ["token-of-bob"]}',
    "a token in a response": b'{"runId": "a", "responses": [{"token": "token-of-bob"}]}',
    "another spelling": b'{"runId": "a", "Token": "token-of-bob"}',
    "a token that is twice there": b'{"runId": "a", "token": "token-of-bob", "token": "guessed-token"}',
    "a token in the note": b'{"runId": "a", "token": "token-of-bob", "note": "Bearer token-of-ann"}',
    "not UTF-8": b'\xff{"token": "token-of-bob"}',
    "nested beyond the limit": b"[" * 200 + b'"token-of-bob"' + b"]" * 200,
}


async def test_no_refused_message_keeps_a_token_anywhere(
    start_gateway: Start, broker_address: BrokerAddress, capfd: pytest.CaptureFixture[str]
) -> None:
    gateway = await start_gateway(tokens=TOKENS)
    async with open_inbox(gateway, broker_address) as inbox:
        for raw in REFUSED.values():
            await inbox.send(raw)
        letters = await inbox.dead(len(REFUSED))
    for letter in letters:
        for secret in (b"token-of-b", b"token-of-ann", b"guessed"):
            assert secret not in letter.body, letter
            assert secret.decode() not in letter.reason, letter
    said = capfd.readouterr()
    assert "token-of-" not in said.out + said.err


async def test_a_message_that_waited_for_a_gateway_is_decided_when_one_is_there(
    gateway: RunningGateway, broker_address: BrokerAddress
) -> None:
    waiting = await waiting_for_approval(gateway)
    broker = open_broker(broker_address.broker_url, gateway.store, None, namespace=broker_address.namespace)
    await broker.start()
    await eventually(lambda: broker.healthy)
    await broker.publish_message("hitl", orjson.dumps(message(waiting)))
    await broker.close()
    assert await waiting.status() == "awaiting_hitl"
    async with open_inbox(gateway, broker_address):
        await ended(waiting)


async def test_another_system_posts_with_a_client_of_its_own(
    gateway: RunningGateway, amqp_url: str, broker_namespace: str
) -> None:
    waiting = await waiting_for_approval(gateway)
    async with open_inbox(gateway, BrokerAddress(amqp_url, broker_namespace)) as inbox:
        await inbox.send(b"")  # the queue exists once its first dead letter does
        await inbox.dead()
        async with await aio_pika.connect(amqp_url) as connection:
            channel = await connection.channel()
            raw = aio_pika.Message(
                orjson.dumps(message(waiting, operator="erp")),
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            )
            await channel.default_exchange.publish(raw, routing_key=f"{broker_namespace}.v1.hitl")
            await ended(waiting)
    (resolved,) = await waiting.events("hitl_resolved")
    assert resolved.payload["operator"] == "erp"


async def test_without_a_broker_a_message_is_a_row_that_anybody_may_insert(gateway: RunningGateway) -> None:
    waiting = await waiting_for_approval(gateway)
    async with open_inbox(gateway, BrokerAddress()):
        async with await psycopg.AsyncConnection.connect(gateway.database_url) as connection:
            await connection.execute(
                "insert into flex_messages (queue, body) values ('hitl', %s)",
                (orjson.dumps(message(waiting)),),
            )
        await ended(waiting)


LARGE = {
    "message_too_large": b'{"token": "token-of-bob", "note": "' + b"x" * 2_100_000 + b'"}',
    "invalid_json": b'{"token": "token-of-bob", "note": "' + b'\\"token-of-ann ' * 120_000,
    "invalid_body: a long key": b'{"token": "token-of-bob", "responses": [{"' + b"k" * 1_900_000 + b'": 1}]}',
    "invalid_body: many members": orjson.dumps(
        {
            "token": "token-of-bob",
            "responses": [{"responseType": f"{n:0100}", "token": "token-of-ann"} for n in range(12_000)],
        }
    ),
    "invalid_body: many links": orjson.dumps(
        {"token": "token-of-bob", "note": "https://a:token-of-ann@b/hitl/abcdefgh.ijk " * 40_000}
    ),
}


@pytest.mark.parametrize("name", LARGE)
async def test_a_large_message_that_is_refused_holds_no_loop_and_keeps_no_token(
    start_gateway: Start, broker_address: BrokerAddress, name: str
) -> None:
    gateway = await start_gateway(tokens=TOKENS)
    async with open_inbox(gateway, broker_address) as inbox:
        await inbox.send(b"[]")
        await inbox.dead(1)
        with loop_time() as blocked:
            await inbox.send(LARGE[name])
            _, letter = await inbox.dead(2)
    assert letter.reason.startswith(name.partition(":")[0] + ": ")
    assert len(letter.reason) < 20_000
    assert b"token-of" not in letter.body
    assert letter.body[:10] == b'{"token": ' or len(letter.body) > 100_000
    assert blocked.longest_seconds < MOST_SECONDS, blocked.longest
