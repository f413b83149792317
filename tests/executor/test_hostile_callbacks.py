"""A service that is hostile when it calls back: the attempt still waits, or ends by an event, and no slot is lost."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from typing import Any

import aiohttp
import orjson

from tests.support.callbacks import OUTPUT, call_back, executing, waiting
from tests.support.gateways import RunningGateway
from tests.support.given import node
from tests.support.http_service import answers, http_service, register_service
from tests.support.waiting import eventually

CONTRACT = {"maxAttempts": 2, "output": {"type": "object", "required": ["text"]}}
FIFTY_MB = 50 * 1024 * 1024
NO_RESULTS = {
    "garbage": (b"{{{{", "invalid_json"),
    "nothing": (b"", "invalid_json"),
    "deep": (b"[" * 20_000, "invalid_body"),
    "no result": (b'{"text": 1}', "invalid_body"),
    "two results": (b'{"output": 1, "error": {"code": "a", "message": "b"}}', "invalid_body"),
}


def forged(token: str) -> dict[str, str]:
    """Tokens that a service could make of its own."""
    body, _, signature = token.partition(".")
    key: list[Any] = orjson.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    later = base64.urlsafe_b64encode(orjson.dumps([*key[:2], key[2] + 1, *key[3:]])).rstrip(b"=").decode()
    return {
        "of the next attempt": f"{later}.{signature}",
        "cut": token[:-1],
        "without a signature": body,
        "made up": "a.b",
        "long": "a" * 5_000,
    }


async def post(url: str, body: bytes) -> tuple[int, Any]:
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession() as http, http.post(url, data=body, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_what_is_no_callback_is_refused_and_the_attempt_waits_on(
    database_url: str, gateway: RunningGateway
) -> None:
    async with (
        executing(database_url, gateway) as executor,
        http_service(answers({}, 202)) as service,
    ):
        await register_service(executor.store, "test.a", service.url)
        run_id = await executor.submit(node("a", contract=CONTRACT))
        url = await waiting(executor, service, run_id)
        events = len(await executor.events(run_id))
        for name, (body, code) in NO_RESULTS.items():
            status, refused = await post(url, body)
            assert (status, refused["code"]) == (400, code), name
        status, refused = await post(url, b'{"output": "' + b"a" * FIFTY_MB + b'"}')
        assert (status, refused["code"]) == (413, "body_too_large")
        token = service.calls[0].bundle["callbackToken"]
        for name, other in forged(token).items():
            status, refused = await call_back(url.replace(token, other), OUTPUT)
            assert (status, refused["code"]) == (401, "task_token_invalid"), name
        assert len(await executor.events(run_id)) == events
        assert await call_back(url, OUTPUT) == (200, {"status": "completed"})
        assert (await executor.ended(run_id)).output == {"text": "later"}


async def test_a_callback_that_breaks_the_contract_ends_its_attempt_and_the_next_one_hears_why(
    database_url: str, gateway: RunningGateway
) -> None:
    async with (
        executing(database_url, gateway) as executor,
        http_service(answers({}, 202)) as service,
    ):
        await register_service(executor.store, "test.a", service.url)
        run_id = await executor.submit(node("a", contract=CONTRACT))
        url = await waiting(executor, service, run_id)
        status, verdict = await call_back(url, {"output": {"no": "text"}})
        assert (status, verdict["status"]) == (200, "output_invalid")
        await eventually(lambda: len(service.calls) == 2)
        second = await waiting(executor, service, run_id)
        assert service.calls[1].bundle["previousErrors"] == verdict["errors"]
        [error] = await executor.events(run_id, "node_error")
        assert error.payload["error"]["code"] == "output_invalid"
        assert (await call_back(url, OUTPUT))[0] == 409, "the first attempt is over"
        assert (await call_back(second, {"output": {"no": "text"}}))[0] == 200
        state = await executor.ended(run_id)
        assert state.status == "failed"
        assert executor.worker.busy == 0


async def test_of_many_callbacks_at_once_one_is_taken(database_url: str, gateway: RunningGateway) -> None:
    async with (
        executing(database_url, gateway) as executor,
        http_service(answers({}, 202)) as service,
    ):
        await register_service(executor.store, "test.a", service.url)
        run_id = await executor.submit(node("a"))
        url = await waiting(executor, service, run_id)
        outputs = [{"output": {"text": str(number)}} for number in range(10)]
        replies = await asyncio.gather(*(call_back(url, output) for output in outputs))
        assert Counter(status for status, _ in replies) == {200: 1, 409: 9}
        taken = [status for status, _ in replies].index(200)
        assert (await executor.ended(run_id)).output == outputs[taken]["output"]
        assert len(await executor.events(run_id, "node_complete")) == 1
