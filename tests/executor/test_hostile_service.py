"""A hostile service, over real sockets: whatever it does has its event and its end, and no slot is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from aiohttp import web

from executor.homes.parts import HomeParts
from sandbox.sandbox import Sandbox
from tests.support.given import node
from tests.support.http_service import ServiceCall, answers, http_service, register_service
from tests.support.waiting import eventually
from tests.support.wiring import REMOTE, ExecutorWiring

CONTRACT = {"maxAttempts": 1, "output": {"type": "object", "required": ["text"]}}
SECONDS = 1.0


async def hangs(call: ServiceCall) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def drips(call: ServiceCall) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(call.request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.2)  # the pace of the service


async def floods(call: ServiceCall) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(call.request)
    for _ in range(50):
        await response.write(b" " * 1_000_000)
    return response


async def breaks_off(call: ServiceCall) -> web.StreamResponse:
    assert call.request.transport is not None
    call.request.transport.close()
    return web.Response()


def says(
    text: str, content_type: str = "application/json"
) -> Callable[[ServiceCall], Awaitable[web.Response]]:
    async def behave(call: ServiceCall) -> web.Response:
        return web.Response(text=text, content_type=content_type)

    return behave


def redirects(location: str) -> Callable[[ServiceCall], Awaitable[web.Response]]:
    async def behave(call: ServiceCall) -> web.Response:
        return web.Response(status=307, headers={"Location": location})

    return behave


HOSTILE = {
    "hangs": (hangs, "timeout"),
    "drips": (drips, "timeout"),
    "floods": (floods, "answer_too_large"),
    "breaks off": (breaks_off, "connection_lost"),
    "500": (answers({}, 500), "endpoint_error"),
    "404": (answers({}, 404), "endpoint_refused"),
    "garbage": (says("{{{{"), "answer_invalid"),
    "deep": (says("[" * 10_000), "answer_invalid"),
    "a page": (says("<html>", "text/html"), "answer_not_json"),
    "no result": (says('{"text": 1}'), "answer_invalid"),
    "wrong schema": (answers({"output": {"no": "text"}}), "output_invalid"),
    "another host": (redirects("http://example.com/"), "redirect_refused"),
    "metadata": (redirects("http://169.254.169.254/latest/meta-data"), "redirect_refused"),
    "in circles": (redirects("/again"), "redirect_refused"),
    "empty redirect": (redirects(""), "redirect_refused"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_each_hostile_answer_is_an_error_of_its_own_and_the_slot_is_free_again(
    database_url: str, name: str
) -> None:
    behave, code = HOSTILE[name]
    parts = HomeParts(Sandbox())
    async with (
        ExecutorWiring(database_url, [], homes=parts, config=REMOTE) as executor,
        http_service(behave) as service,
    ):
        await register_service(executor.store, "test.a", service.url, {"requestSeconds": SECONDS})
        run_id = await executor.submit(node("a", contract=CONTRACT))
        state = await executor.ended(run_id)
        error = state.nodes["a"].error
        assert error is not None
        assert (state.status, error["code"]) == ("failed", code), error
        assert len(await executor.events(run_id, "node_error")) == 1
        assert "meta-data" not in error["message"]
        await eventually(lambda: executor.worker.busy == 0)


async def test_a_host_of_hostile_services_at_the_same_time_costs_no_slot(database_url: str) -> None:
    slots, times = 4, 3
    config = replace(REMOTE, slots=slots)
    all_inside = asyncio.Event()

    async def good(call: ServiceCall) -> web.StreamResponse:
        if service.inside >= slots:
            all_inside.set()
        await all_inside.wait()  # nobody is answered before as many are inside as there are slots
        return web.json_response({"output": {"text": "done"}})

    async def behave(call: ServiceCall) -> web.StreamResponse:
        kind = call.bundle["nodeId"]
        return await (HOSTILE[kind][0](call) if kind in HOSTILE else good(call))

    async with (
        ExecutorWiring(database_url, [], homes=HomeParts(Sandbox()), config=config) as executor,
        http_service(behave) as service,
    ):
        await register_service(executor.store, "test.good", service.url)
        home = {"requestSeconds": SECONDS}
        for number in range(len(HOSTILE)):
            await register_service(executor.store, f"test.{number}", service.url, home)
        hostile = {
            await executor.submit(node(name, capabilityId=f"test.{number}", contract=CONTRACT)): code
            for number, (name, (_, code)) in enumerate(HOSTILE.items())
            for _ in range(times)
        }
        for run_id, code in hostile.items():
            state = await executor.ended(run_id)
            [failed] = state.nodes.values()
            assert failed.error is not None
            assert (failed.id, failed.error["code"]) == (failed.id, code)
        assert executor.worker.busy == 0
        nodes = [node(f"good {number}", capabilityId="test.good") for number in range(slots)]
        assert (await executor.ended(await executor.submit(*nodes))).status == "completed"


@pytest.mark.parametrize("name", ["hangs", "500", "garbage", "floods", "breaks off"])
async def test_what_is_not_idempotent_is_not_called_again_when_its_outcome_is_unknown(
    database_url: str, name: str
) -> None:
    behave, _ = HOSTILE[name]
    parts = HomeParts(Sandbox())
    async with (
        ExecutorWiring(database_url, [], homes=parts, config=REMOTE) as executor,
        http_service(behave) as service,
    ):
        home = {"requestSeconds": SECONDS}
        await register_service(executor.store, "test.a", service.url, home, idempotent=False)
        run_id = await executor.submit(node("a", idempotent=False))
        state = await executor.ended(run_id)
        error = state.nodes["a"].error
        assert error is not None
        assert error["code"] == "outcome_unknown"
        assert len(service.calls) == 1
