"""Attempts that wait for the callback of a service, and callbacks as a service makes them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from eventstore.limits import parked_of_run
from executor.homes.parts import HomeParts
from sandbox.sandbox import Sandbox
from tests.support.gateways import RunningGateway
from tests.support.http_service import HttpService
from tests.support.waiting import eventually
from tests.support.wiring import REMOTE, ExecutorWiring

OUTPUT = {"output": {"text": "later"}, "usage": {"seconds": 2.5}}


@asynccontextmanager
async def executing(
    database_url: str, gateway: RunningGateway | None = None
) -> AsyncIterator[ExecutorWiring]:
    url = gateway.url if gateway is not None else "http://127.0.0.1:9"
    parts = HomeParts(Sandbox())
    async with ExecutorWiring(database_url, [], homes=parts, config=REMOTE, callback_url=url) as executor:
        yield executor


async def call_back(url: str, document: Any) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as http, http.post(url, json=document) as answer:
        return answer.status, await answer.json()


async def waiting(executor: ExecutorWiring, service: HttpService, run_id: str) -> str:
    """The callback's address, as soon as the attempt waits and its worker has let go of it."""

    async def look() -> bool:
        rows = await parked_of_run(executor.store, run_id)
        return [row.kind for row in rows] == ["callback"] and executor.worker.busy == 0

    await eventually(look)
    return str(service.calls[-1].bundle["callbackUrl"])
