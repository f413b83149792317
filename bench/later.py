"""A service that takes all work over with 202, and calls back when it is told to."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import orjson
from aiohttp import web

ANSWER = {"text": "An answer that came later."}
FACET = "bench_answer"


class LaterService:
    """Keeps the address of each callback that it owes."""

    def __init__(self) -> None:
        self.url = ""
        self.owed: deque[str] = deque()
        self.refused = 0

    async def handle(self, request: web.Request) -> web.Response:
        """Take a bundle."""
        self.owed.append(orjson.loads(await request.read())["callbackUrl"])
        return web.Response(status=202)

    async def answer_all(self, at_once: int) -> None:
        """Call back for all that is owed, `at_once` at a time."""
        body = orjson.dumps({"output": ANSWER})
        headers = {"Content-Type": "application/json"}
        async with aiohttp.ClientSession(headers=headers) as session:

            async def caller() -> None:
                while self.owed:
                    url = self.owed.popleft()
                    async with session.post(url, data=body) as answer:
                        self.refused += answer.status != 200

            await asyncio.gather(*(caller() for _ in range(at_once)))


@asynccontextmanager
async def running_later_service() -> AsyncIterator[LaterService]:
    """Serve on a free port of 127.0.0.1."""
    service = LaterService()
    app = web.Application()
    app.router.add_post("/", service.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        service.url = f"http://{host}:{port}/"
        yield service
    finally:
        await runner.cleanup()


def registrations(url: str, number: int) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Facets, and capabilities that give one each, all of them reached at `url`."""
    schema = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
    facets: list[dict[str, object]] = [
        {"name": f"{FACET}_{each}", "version": "1.0.0", "description": "An answer.", "schema": schema}
        for each in range(number)
    ]
    capabilities: list[dict[str, object]] = [
        {
            "id": f"bench.later_{each}",
            "label": f"Later {each}",
            "facetsOut": [f"{FACET}_{each}"],
            "home": {"type": "http", "url": url, "allowPrivate": True},
        }
        for each in range(number)
    ]
    return facets, capabilities


def envelope(number: int) -> bytes:
    """A run whose plan has a node for each of so many facets."""
    names = [f"{FACET}_{each}" for each in range(number)]
    contract = {"mode": "facets", "facets": names}
    return orjson.dumps({"objective": "Answer later", "outputContract": contract})
