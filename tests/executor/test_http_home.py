"""The HTTP home, over real sockets: what a service is sent, and what its answers become."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from aiohttp import web

from executor.homes.parts import HomeParts
from sandbox.sandbox import Sandbox
from tests.support.given import node
from tests.support.http_service import ServiceCall, answers, http_service, register_service
from tests.support.receivers import verify
from tests.support.wiring import REMOTE, ExecutorWiring

SECRET = "whsec_c2VjcmV0LW9mLXRoZS1zZXJ2aWNl"


@pytest.fixture
def executing(database_url: str) -> Callable[[], AbstractAsyncContextManager[ExecutorWiring]]:
    @asynccontextmanager
    async def start() -> AsyncIterator[ExecutorWiring]:
        parts = HomeParts(Sandbox())
        async with ExecutorWiring(database_url, [], homes=parts, config=REMOTE) as executor:
            yield executor

    return start


Executing = Callable[[], AbstractAsyncContextManager[ExecutorWiring]]


async def test_a_service_gets_the_bundle_signed_with_a_key_and_a_trace_and_its_output_is_the_nodes(
    executing: Executing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVICE_SECRET", SECRET)
    monkeypatch.setenv("SERVICE_KEY", "key-of-the-service")
    answer = answers({"output": {"text": "done"}, "usage": {"costMicros": 12, "currency": "EUR"}})
    async with executing() as executor, http_service(answer) as service:
        home = {"secret": "${env:SERVICE_SECRET}", "headers": {"Authorization": "Bearer ${env:SERVICE_KEY}"}}
        await register_service(executor.store, "test.a", service.url + "/work", home)
        run_id = await executor.submit(node("a", bundle={"topic": "frogs"}))
        assert (await executor.ended(run_id)).output == {"text": "done"}
        [call] = service.calls
        assert call.bundle["bundle"] == {"topic": "frogs"}
        assert call.headers["Idempotency-Key"] == f"{run_id}/a/1"
        assert re.fullmatch(f"00-{run_id.replace('-', '')}-[0-9a-f]{{16}}-01", call.headers["traceparent"])
        assert verify(SECRET, call.headers, call.body) == ""
        assert call.headers["Authorization"] == "Bearer key-of-the-service"
        [completed] = await executor.events(run_id, "node_complete")
        assert completed.payload["usage"] == {"costMicros": 12, "currency": "EUR"}
        everything = str([(event.payload, event.detail) for event in await executor.events(run_id)])
        assert "key-of-the-service" not in everything


async def test_an_answer_that_quotes_a_secret_is_kept_without_it(
    executing: Executing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVICE_KEY", "another-key-of-the-service")

    async def echo(call: ServiceCall) -> web.StreamResponse:
        return web.json_response({"output": dict(call.headers)})

    async with executing() as executor, http_service(echo) as service:
        await register_service(
            executor.store, "test.a", service.url, {"headers": {"X-Key": "${env:SERVICE_KEY}"}}
        )
        run_id = await executor.submit(node("a"))
        assert (await executor.ended(run_id)).output["X-Key"] == "[redacted]"


async def test_an_error_of_the_service_is_the_nodes_and_a_question_goes_to_a_person(
    executing: Executing,
) -> None:
    error = {"error": {"code": "no_stock", "message": "nothing left", "retryable": False}}
    async with executing() as executor, http_service(answers(error)) as service:
        await register_service(executor.store, "test.a", service.url)
        run_id = await executor.submit(node("a"))
        ended = await executor.ended(run_id)
        assert (ended.status, ended.nodes["a"].error) == (
            "failed",
            {"code": "no_stock", "message": "nothing left"},
        )
        assert len(service.calls) == 1
        service.behave = answers({"ask": {"question": "Which one?", "options": [{"id": "x", "label": "X"}]}})
        run_id = await executor.submit(node("a"))
        await executor.reached(run_id, lambda state: state.open_requests)
        [asked] = await executor.events(run_id, "hitl_request")
        assert asked.payload["question"] == "Which one?"


async def test_a_secret_that_is_not_set_ends_the_attempt_with_its_name(executing: Executing) -> None:
    async with executing() as executor, http_service(answers({"output": 1})) as service:
        await register_service(
            executor.store, "test.a", service.url, {"headers": {"X-Key": "${env:NOT_SET_ANYWHERE}"}}
        )
        run_id = await executor.submit(node("a"))
        error = (await executor.ended(run_id)).nodes["a"].error
        assert error is not None
        assert (error["code"], "NOT_SET_ANYWHERE" in error["message"]) == ("secret_missing", True)
        assert service.calls == []


async def test_a_private_address_is_refused_and_the_error_names_what_would_allow_it(
    executing: Executing,
) -> None:
    async with executing() as executor, http_service(answers({"output": 1})) as service:
        await register_service(executor.store, "test.a", service.url, {"allowPrivate": False})
        run_id = await executor.submit(node("a"))
        error = (await executor.ended(run_id)).nodes["a"].error
        assert error is not None
        assert error["code"] == "address_refused"
        assert "FLEXRUN_CAPABILITY_ALLOW_PRIVATE" in error["message"]
        assert "allowPrivate" in error["message"]
        assert service.calls == []


async def test_a_busy_service_is_called_again_when_it_asked_for_it(executing: Executing) -> None:
    async def behave(call: ServiceCall) -> web.StreamResponse:
        if len(service.calls) < 3:
            return web.Response(status=429, headers={"Retry-After": "0"})
        return web.json_response({"output": "at last"})

    async with executing() as executor, http_service(behave) as service:
        await register_service(executor.store, "test.a", service.url)
        run_id = await executor.submit(node("a"))
        assert (await executor.ended(run_id)).output == "at last"
        assert len(await executor.events(run_id, "node_start")) == 1


async def test_a_pause_that_is_too_long_for_the_attempt_delays_the_next_one(executing: Executing) -> None:
    busy = answers({}, 503, **{"Retry-After": "1200"})
    async with executing() as executor, http_service(busy) as service:
        await register_service(executor.store, "test.a", service.url)
        run_id = await executor.submit(node("a"))
        state = await executor.reached(run_id, lambda state: state.nodes["a"].due_at)
        due_at = state.nodes["a"].due_at
        assert due_at is not None
        [failed] = await executor.events(run_id, "node_error")
        assert failed.payload["error"]["code"] == "endpoint_busy"
        assert (due_at - failed.recorded_at).total_seconds() > 1_100
        assert len(service.calls) == 1


async def test_redirects_are_followed_on_the_same_host_and_port(executing: Executing) -> None:
    async def behave(call: ServiceCall) -> web.StreamResponse:
        if call.request.path == "/old":
            return web.Response(status=307, headers={"Location": "/new"})
        return web.json_response({"output": call.request.path})

    async with executing() as executor, http_service(behave) as service:
        await register_service(executor.store, "test.a", service.url + "/old")
        run_id = await executor.submit(node("a"))
        assert (await executor.ended(run_id)).output == "/new"
        assert [call.headers["Idempotency-Key"] for call in service.calls] == [f"{run_id}/a/1"] * 2
