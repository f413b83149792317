"""A capability that does as it is told, in each home: one context manager makes it, serves it and registers it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from eventstore.capabilities import register
from executor.homes.python import PythonCapability
from flexrun_sdk import CapabilityError, CapabilityFunction, Context, Worker, capability, capability_of
from tests.support.callbacks import call_back
from tests.support.gateways import RunningGateway
from tests.support.http_service import ServiceCall, http_service
from tests.support.model_endpoint import Asked, completion, error, model_endpoint
from tests.support.processes import ROOT
from tests.support.told import USAGE, Act, Told
from tests.support.waiting import eventually
from tests.support.wiring import ExecutorWiring

SECRET_VARIABLE = "TOLD_SECRET"
_REFERENCE = "${env:TOLD_SECRET}"
_HALF = 60
"""Characters; a model's home keeps as many back as its key has, which may be spread over pieces."""


@dataclass(frozen=True)
class World:
    """Where a capability is put: the engine's parts, the capability's id, what it is told, may it be called twice."""

    executor: ExecutorWiring
    gateway: RunningGateway
    id: str
    told: Told
    idempotent: bool


Serve = Callable[[World], AbstractAsyncContextManager[None]]


def function(told: Told, capability_id: str, *, idempotent: bool) -> CapabilityFunction:
    """As an author writes it, for an executor or for a worker of the SDK."""

    @capability(id=capability_id, idempotent=idempotent)
    async def obey(context: Context) -> dict[str, Any]:
        act = told.take(context.bundle)
        context.usage(input_tokens=USAGE["inputTokens"], output_tokens=USAGE["outputTokens"])
        if act.question is not None:
            context.ask(act.question)
        if act.error is not None:
            raise CapabilityError(act.error, "as it was told", retryable=act.retryable)
        if act.shows:
            context.delta(json.dumps(act.output)[:_HALF])
            await eventually(lambda: told.may_go_on)
        if act.hangs:
            await _hang(told)
        return act.output

    found = capability_of(obey)
    assert found is not None
    return found


async def _hang(told: Told) -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        told.note("cancelled")
        raise


def loaded(told: Told, capability_id: str, *, idempotent: bool) -> PythonCapability:
    """What an executor has loaded."""
    return PythonCapability(function(told, capability_id, idempotent=idempotent))


@asynccontextmanager
async def python(world: World) -> AsyncIterator[None]:
    """The executor has loaded it."""
    yield


@asynccontextmanager
async def worker(world: World) -> AsyncIterator[None]:
    """A worker of the SDK, over the work protocol."""
    serving = Worker([_plain(world)], world.gateway.url, drain_seconds=0.1)
    task = asyncio.create_task(serving.serve())

    async def served() -> bool:
        return world.gateway.gateway.work.waiting > 0 or task.done()

    await eventually(served)
    try:
        yield
    finally:
        serving.stop()
        await task


def _plain(world: World) -> CapabilityFunction:
    return function(world.told, world.id, idempotent=world.idempotent)


@asynccontextmanager
async def http(world: World) -> AsyncIterator[None]:
    """A service that answers at once."""

    async def behave(call: ServiceCall) -> web.StreamResponse:
        act = world.told.take(call.bundle, call.headers.get("X-Secret"))
        if act.hangs:
            await _hang(world.told)
        return web.json_response(_answer(act, call.headers.get("X-Secret")))

    async with http_service(behave) as service:
        await _register(world, {"type": "http", "url": service.url, **_SERVICE})
        yield


_SERVICE = {"allowPrivate": True, "headers": {"X-Secret": _REFERENCE}, "callbackTimeoutSeconds": 1}


@asynccontextmanager
async def callback(world: World) -> AsyncIterator[None]:
    """A service that takes the work over, and calls back."""
    calls: set[asyncio.Task[Any]] = set()

    async def behave(call: ServiceCall) -> web.StreamResponse:
        act = world.told.take(call.bundle, call.headers.get("X-Secret"))
        if not act.hangs:
            calls.add(asyncio.create_task(call_back(call.bundle["callbackUrl"], _answer(act, None))))
        return web.Response(status=202)

    async with http_service(behave) as service:
        await _register(world, {"type": "http", "url": service.url, **_SERVICE})
        yield
        await asyncio.gather(*calls)


def _answer(act: Act, secret: str | None) -> dict[str, Any]:
    if act.error is not None:
        message = f"as it was told {secret if act.quotes else ''}"
        return {"error": {"code": act.error, "message": message, "retryable": act.retryable}, "usage": USAGE}
    if act.question is not None:
        return {"ask": {"question": act.question}, "usage": USAGE}
    return {"output": act.output, "usage": USAGE}


@asynccontextmanager
async def model(world: World) -> AsyncIterator[None]:
    """An endpoint that speaks chat completions; it has the codes of its home for errors."""

    async def behave(asked: Asked) -> web.StreamResponse:
        secret = asked.headers["Authorization"].removeprefix("Bearer ")
        act = world.told.take({"prompt": asked.prompt}, secret)
        if act.hangs:
            await eventually(lambda: asked.request.transport is None)
            world.told.note("cancelled")
        if act.error is not None:
            return error(500 if act.retryable else 401, f"{act.error} {secret if act.quotes else ''}")
        if act.shows:
            return await _stream(world.told, asked, json.dumps(act.output))
        return completion(json.dumps(act.output))

    async with model_endpoint(behave) as endpoint:
        home = {"type": "model", "model": "test", "baseUrl": endpoint.url, "apiKey": _REFERENCE}
        await _register(world, {**home, "prompt": "{{ objective }}"})
        yield


async def _stream(told: Told, asked: Asked, text: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(asked.request)
    for piece, reason in ((text[:_HALF], None), (text[_HALF:], "stop")):
        choice = {"index": 0, "delta": {"content": piece}, "finish_reason": reason}
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "test"}
        await response.write(b"data: " + orjson.dumps({**chunk, "choices": [choice]}) + b"\n\n")
        await eventually(lambda: told.may_go_on)
    await response.write(b"data: [DONE]\n\n")
    return response


@asynccontextmanager
async def mcp(world: World) -> AsyncIterator[None]:
    """A tool of a server over pipes."""
    command = [sys.executable, "-m", "tests.support.told_mcp", str(world.told.folder)]
    environment = {"PYTHONPATH": str(ROOT), "SERVER_SECRET": _REFERENCE}
    await _register(world, {"type": "mcp", "command": command, "tool": "obey", "env": environment})
    yield


async def _register(world: World, home: dict[str, Any]) -> None:
    described = {"id": world.id, "version": "1.0.0", "label": "Told", "kind": "execution", "home": home}
    more = {"agentType": "human"} if home["type"] == "human" else {}
    whole = {**described, **more, "idempotent": world.idempotent}
    await register(world.executor.store, [whole], "test", "api")


@asynccontextmanager
async def human(world: World) -> AsyncIterator[None]:
    """Somebody who looks at the list of tasks, and does what stands there."""
    await _register(world, {"type": "human"})
    somebody = asyncio.create_task(_do_tasks(world))
    try:
        yield
    finally:
        somebody.cancel()
        with suppress(asyncio.CancelledError):
            await somebody


async def _do_tasks(world: World) -> None:
    seen: set[str] = set()

    async def listed() -> str:
        _, body = await world.gateway.get("/api/v1/flex/tasks")
        ids = [task["taskId"] for task in body["tasks"] if task["taskId"] not in seen]
        assert ids
        return ids[0]

    while True:
        task_id = await eventually(listed)
        seen.add(task_id)
        await _do_task(world, f"/api/v1/flex/tasks/{task_id}")


async def _do_task(world: World, path: str) -> None:
    _, task = await world.gateway.get(path)
    act = world.told.take(task)
    if act.hangs:
        await eventually(lambda: _is_gone(world, path))
        world.told.note("cancelled")
    elif act.error is not None:
        await world.gateway.post(f"{path}/decline", {"reason": act.error})
    else:
        answer, said = await world.gateway.post(f"{path}/submit", {"output": act.output})
        if answer.status == 422:
            again = world.told.take({**task, "refused": said["errors"]})
            await world.gateway.post(f"{path}/submit", {"output": again.output})


async def _is_gone(world: World, path: str) -> bool:
    answer, _ = await world.gateway.get(path)
    return answer.status == 409


SERVED: dict[str, Serve] = {
    "python": python,
    "worker": worker,
    "http": http,
    "http, 202": callback,
    "model": model,
    "mcp": mcp,
    "human": human,
}
"""The homes, as docs/capabilities.md names them, and what puts the capability there."""
