"""What executors call in `bench.dispatch`: a service, a model and an MCP tool that answer at once, with the times.

They are real: the service and the endpoint of the model are reached over HTTP, the tool over the pipes of a process
that the executor starts. The model answers without streaming.
"""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
from aiohttp import web

from flexrun.client import API
from tests.support.model_endpoint import Asked, completion, model_endpoint

HTTP, MODEL, MCP = "bench.http", "bench.model", "bench.mcp"
TOOL = [sys.executable, "-m", "bench.clock_tool"]


@asynccontextmanager
async def far_end(capability: str, gateway_url: str) -> AsyncIterator[None]:
    """What the capability calls, registered at the gateway; nothing for one that calls nothing."""
    if capability == HTTP:
        async with _service() as url:
            await _register(gateway_url, HTTP, {"type": "http", "url": url})
            yield
    elif capability == MODEL:
        async with model_endpoint(_answer_with_times) as endpoint:
            home = {"type": "model", "model": "m", "baseUrl": endpoint.url, "prompt": "now", "stream": False}
            await _register(gateway_url, MODEL, home)
            yield
    elif capability == MCP:
        await _register(gateway_url, MCP, {"type": "mcp", "command": TOOL, "tool": "note"})
        yield
    else:
        yield


@asynccontextmanager
async def _service() -> AsyncIterator[str]:
    async def handle(request: web.Request) -> web.Response:
        began = time.time()
        await request.read()
        return web.json_response({"output": {"began": began, "ended": time.time()}})

    app = web.Application()
    app.router.add_post("/", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


def _answer_with_times(_asked: Asked) -> web.StreamResponse:
    began = time.time()
    return completion(orjson.dumps({"began": began, "ended": time.time()}).decode())


async def _register(gateway_url: str, capability: str, home: dict[str, Any]) -> None:
    descriptor = {
        "id": capability,
        "version": "1.0.0",
        "label": capability,
        "kind": "execution",
        "home": home,
    }
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{gateway_url}{API}/capabilities/register", json=descriptor) as answer,
    ):
        answer.raise_for_status()
