"""Webhooks over HTTP: added, listed, shown, removed; and nothing stored for a refused request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from jsonschema import Draft202012Validator
from uuid_utils import uuid7

from contracts.checker import ContractChecker
from eventstore import webhook_lanes
from eventstore.webhook_lanes import DeliveryAttempt
from eventstore.webhooks import MAX_WEBHOOKS, NewWebhook, add_webhook, list_webhooks
from gateway.app import ENDPOINTS
from gateway.operations.openapi import openapi_document
from schemas.redaction import redact, redact_message
from tests.support.by_hand import ByHand
from tests.support.gateways import API, RunningGateway, running_gateway
from tests.support.no_spare import NO_SPARE
from tests.support.receivers import Receiver, failing
from tests.support.waiting import eventually
from tests.webhooks.conftest import StartWebhooks, feed_all

HOOKS = f"{API}/webhooks"
BODY: dict[str, Any] = {"url": "http://127.0.0.1:9/hook", "eventTypes": ["hitl_request", "complete"]}


@pytest.fixture
async def gateways(database_url: str) -> AsyncIterator[Any]:
    """Start gateways on this test's database."""
    async with AsyncExitStack() as stack:
        contracts = await stack.enter_async_context(ContractChecker(NO_SPARE))

        async def start(**settings: Any) -> RunningGateway:
            return await stack.enter_async_context(running_gateway(database_url, contracts, **settings))

        yield start


@pytest.fixture
async def gateway(gateways: Any) -> RunningGateway:
    return await gateways(webhook_allow_private=True)


def _is_a(model: str, document: Any) -> bool:
    components = openapi_document(ENDPOINTS, "test")["components"]
    schema = {"$ref": f"#/components/schemas/{model}", "components": components}
    return not list(Draft202012Validator(schema).iter_errors(document))


async def _delete(gateway: RunningGateway, path: str) -> int:
    async with gateway.http.delete(gateway.url + path) as answer:
        return answer.status


async def test_the_secret_is_shown_once_and_a_receiver_can_check_with_it(
    gateway: RunningGateway, receiver: Receiver, start_webhooks: StartWebhooks
) -> None:
    answer, made = await gateway.post(
        HOOKS, {"url": f"{receiver.url}/a", "eventTypes": ["start"], "description": "for the desk"}
    )
    assert answer.status == 201
    assert answer.headers["Location"] == f"{HOOKS}/{made['webhookId']}"
    assert _is_a("WebhookCreated", made)
    receiver.secrets["a"] = made.pop("secret")
    _, shown = await gateway.get(f"{HOOKS}/{made['webhookId']}")
    _, listed = await gateway.get(HOOKS)
    assert listed == {"webhooks": [shown]} == {"webhooks": [made]}
    assert _is_a("WebhookList", listed)
    await start_webhooks()
    run_id = await gateway.start_run()
    await eventually(lambda: [call.run_id for call in receiver.calls] == [run_id])
    assert receiver.refused == []


async def test_deliveries_can_be_looked_at_by_status_and_in_pages(
    gateway: RunningGateway, receiver: Receiver
) -> None:
    _, made = await gateway.post(HOOKS, BODY | {"eventTypes": ["start", "log"]})
    path = f"{HOOKS}/{made['webhookId']}/deliveries"
    runs = [await gateway.start_run() for _ in range(2)]
    await ByHand(gateway.handler, runs[0]).log("second")
    assert await feed_all(gateway.store) == 3
    first, second = await webhook_lanes.claim(gateway.store, "test", 60.0, 8, {})
    if first.event.run_id != runs[0]:
        first, second = second, first
    refused = DeliveryAttempt(delivered=False, response_status=500, error="answered 500", retry_seconds=30.0)
    await webhook_lanes.record_attempt(gateway.store, first, "test", refused, 60.0)
    delivered = DeliveryAttempt(delivered=True, response_status=204)
    await webhook_lanes.record_attempt(gateway.store, second, "test", delivered, 60.0)

    _, everything = await gateway.get(path)
    assert _is_a("WebhookDeliveryList", everything)
    shown = [(each["runId"], each["eventId"], each["status"]) for each in everything["deliveries"]]
    assert shown == [(runs[1], "1", "delivered"), (runs[0], "2", "pending"), (runs[0], "1", "pending")]
    _, waiting = await gateway.get(f"{path}?status=pending")
    behind, head = waiting["deliveries"]
    assert (head["attempts"], head["responseStatus"], head["error"]) == (1, 500, "answered 500")
    assert head["messageId"] == f"{made['webhookId']}_{runs[0]}_1"
    assert "nextAttemptAt" in head
    assert "nextAttemptAt" not in behind
    _, page = await gateway.get(f"{path}?limit=2")
    _, rest = await gateway.get(f"{path}?limit=2&cursor={page['nextCursor']}")
    assert page["deliveries"] + rest["deliveries"] == everything["deliveries"]
    assert "nextCursor" not in rest
    _, hook = await gateway.get(f"{HOOKS}/{made['webhookId']}")
    assert (hook["status"], hook["waiting"], hook["givenUp"]) == ("active", 2, 0)


async def test_a_removed_webhook_is_gone_at_every_door(gateway: RunningGateway) -> None:
    _, made = await gateway.post(HOOKS, BODY)
    path = f"{HOOKS}/{made['webhookId']}"
    assert await _delete(gateway, path) == 204
    assert await _delete(gateway, path) == 404
    for each in (path, f"{path}/deliveries"):
        answer, problem = await gateway.get(each)
        assert (answer.status, problem["code"]) == (404, "webhook_unknown")
    assert (await gateway.get(HOOKS))[1] == {"webhooks": []}


@pytest.mark.parametrize("name", ["nonsense", "1", "01900000-0000-4000-8000-000000000009", "%00", "..%2f.."])
async def test_an_id_that_nobody_has_is_unknown(gateway: RunningGateway, name: str) -> None:
    for method, path in (("GET", name), ("DELETE", name), ("GET", f"{name}/deliveries")):
        async with gateway.http.request(method, f"{gateway.url}{HOOKS}/{path}") as answer:
            assert answer.status == 404, (method, path)


async def test_the_secret_has_the_one_form_that_is_redacted_wherever_it_is_quoted(
    gateway: RunningGateway,
) -> None:
    for _ in range(20):
        _, made = await gateway.post(HOOKS, BODY)
        secret: str = made["secret"]
        escaped = secret.replace("/", "\\/").replace("=", "\\u003d")
        for form in (secret, quote(secret, safe=""), quote(quote(secret, safe="")), escaped):
            assert redact(f"x={form}&y") == "x=whsec_[redacted]&y", form
        assert redact_message(orjson.dumps({"note": secret})) == b'{"note":"whsec_[redacted]"}'
        (row,) = [row for row in await list_webhooks(gateway.store) if row.hook_id == made["webhookId"]]
        assert secret.removeprefix("whsec_") not in repr(row)


BAD: dict[str, tuple[Any, str, str]] = {
    "no URL": ({"eventTypes": ["complete"]}, "missing", "/url"),
    "no event types": ({"url": BODY["url"]}, "missing", "/eventTypes"),
    "an empty list": (BODY | {"eventTypes": []}, "too_short", "/eventTypes"),
    "a type that there is not": (BODY | {"eventTypes": ["done"]}, "not_allowed", "/eventTypes/0"),
    "a type twice": (BODY | {"eventTypes": ["log", "start", "log"]}, "duplicate", "/eventTypes/2"),
    "an unknown key": (BODY | {"events": []}, "unknown_key", "/events"),
    "a secret of the caller's own": (BODY | {"secret": "whsec_" + "A" * 43 + "="}, "unknown_key", "/secret"),
    "another scheme": (BODY | {"url": "ftp://example.com/"}, "bad_format", "/url"),
    "a file": (BODY | {"url": "file:///etc/passwd"}, "bad_format", "/url"),
    "no host": (BODY | {"url": "https:///hook"}, "bad_format", "/url"),
    "a relative URL": (BODY | {"url": "/hook"}, "bad_format", "/url"),
    "credentials": (BODY | {"url": "https://me:secret@example.com/"}, "bad_format", "/url"),
    "a fragment": (BODY | {"url": "https://example.com/#here"}, "bad_format", "/url"),
    "a broken address": (BODY | {"url": "https://[::1/"}, "bad_format", "/url"),
    "a port beyond the last": (BODY | {"url": "https://example.com:99999/"}, "bad_format", "/url"),
    "a line break": (BODY | {"url": "https://example.com/\r\nHost: x"}, "bad_format", "/url"),
    "a NUL": (BODY | {"url": "https://example.com/\0"}, "nul_character", "/url"),
    "letters beyond ASCII": (BODY | {"url": "https://exämple.com/"}, "bad_format", "/url"),
    "an endless URL": (BODY | {"url": "https://example.com/" + "a" * 2_000}, "too_long", "/url"),
    "a number": (BODY | {"url": 7}, "wrong_type", "/url"),
    "an array": ([], "wrong_type", ""),
    "broken JSON": (b"{", "invalid_json", ""),
}


@pytest.mark.parametrize("name", BAD)
async def test_what_is_wrong_is_said_and_nothing_is_stored(gateway: RunningGateway, name: str) -> None:
    body, code, pointer = BAD[name]
    answer, problem = await gateway.post(HOOKS, body)
    assert answer.status == 400, problem
    assert [(each["code"], each["pointer"]) for each in problem["errors"]] == [(code, pointer)]
    assert await list_webhooks(gateway.store) == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "10.1.2.3",
        "169.254.169.254",
        "[::ffff:10.0.0.1]",
        "0x7f.1",
        "2130706433",
    ],
)
async def test_a_private_receiver_is_refused_unless_it_is_allowed(gateways: Any, host: str) -> None:
    strict, lenient = await gateways(), await gateways(webhook_allow_private=True)
    body = BODY | {"url": f"https://{host}/hook"}
    answer, problem = await strict.post(HOOKS, body)
    assert (answer.status, problem["errors"][0]["code"]) == (400, "address_refused")
    assert problem["errors"][0]["pointer"] == "/url"
    assert await list_webhooks(strict.store) == []
    answer, _ = await lenient.post(HOOKS, body)
    assert answer.status == 201


async def test_a_public_receiver_is_taken_and_so_is_a_name_that_does_not_resolve_yet(gateways: Any) -> None:
    strict = await gateways()
    for url in ("https://1.1.1.1/hook", "https://not-yet.invalid/hook"):
        answer, made = await strict.post(HOOKS, BODY | {"url": url})
        assert answer.status == 201, made


async def test_there_is_a_last_webhook(gateway: RunningGateway) -> None:
    for _ in range(MAX_WEBHOOKS):
        hook = NewWebhook(
            hook_id=str(uuid7()), url="https://example.com/", event_types=["log"], secret=bytes(32)
        )
        assert await add_webhook(gateway.store, hook)
    answer, problem = await gateway.post(HOOKS, BODY)
    assert (answer.status, problem["code"]) == (409, "webhooks_full")
    first = (await list_webhooks(gateway.store))[0]
    assert await _delete(gateway, f"{HOOKS}/{first.hook_id}") == 204
    answer, _ = await gateway.post(HOOKS, BODY)
    assert answer.status == 201


async def test_a_token_is_asked_for_and_its_name_is_kept(gateways: Any) -> None:
    gateway: RunningGateway = await gateways(tokens="secret-of-ada=ada", webhook_allow_private=True)
    answer, _ = await gateway.post(HOOKS, BODY)
    assert answer.status == 401
    assert (await gateway.get(HOOKS))[0].status == 401
    answer, made = await gateway.post(HOOKS, BODY, Authorization="Bearer secret-of-ada")
    assert (answer.status, made["createdBy"]) == (201, "ada")


@pytest.mark.parametrize(
    "query", ["?status=lost", "?limit=0", "?limit=9999", "?cursor=nonsense", "?cursor=YSBi", "?what=ever"]
)
async def test_a_query_that_makes_no_sense_is_refused(gateway: RunningGateway, query: str) -> None:
    _, made = await gateway.post(HOOKS, BODY)
    answer, problem = await gateway.get(f"{HOOKS}/{made['webhookId']}/deliveries{query}")
    assert (answer.status, problem["code"]) == (400, "query_invalid")


async def test_a_disabled_webhook_says_why(
    gateway: RunningGateway, receiver: Receiver, start_webhooks: StartWebhooks
) -> None:
    receiver.behave = failing(1_000, status=410)
    _, made = await gateway.post(HOOKS, {"url": f"{receiver.url}/a", "eventTypes": ["start"]})
    receiver.secrets["a"] = made["secret"]
    await start_webhooks()
    await gateway.start_run()

    async def disabled() -> Any:
        _, shown = await gateway.get(f"{HOOKS}/{made['webhookId']}")
        return shown if shown["status"] == "disabled" else None

    shown = await eventually(disabled)
    assert shown["disabledReason"] == "the receiver answered 410 Gone"
    assert _is_a("Webhook", shown)


@pytest.mark.parametrize(
    "host",
    [
        "receiver.example.",
        "localhost.",
        "127.0.0.1.",
        "receiver%2eexample",
        "%6c%6f%63%61lhost",
        "receiver%00.example",
        "[fe80::1%25eth0]",
        "[64:ff9b:1::a9fe:a9fe]",
        "[64:ff9b:1:ffff::1]",
        "[64:ff9b::7f00:1]",
        "[::ffff:10.0.0.1]",
        "2130706433",
        "0x7f.1",
        "169.254.169.254",
    ],
)
async def test_hosts_that_hide_where_they_lead_are_refused_over_http(gateways: Any, host: str) -> None:
    guarded = await gateways(webhook_allow_private=False)
    answer, problem = await guarded.post(HOOKS, BODY | {"url": f"https://{host}:443/hook"})
    assert (answer.status, problem["errors"][0]["pointer"]) == (400, "/url"), problem
    assert problem["errors"][0]["code"] in ("bad_format", "address_refused")
    assert (await guarded.get(HOOKS))[1] == {"webhooks": []}
