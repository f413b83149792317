"""A service with an HTTP home, on a real socket: it keeps what it was sent and answers as the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from eventstore.capabilities import register
from eventstore.store import EventStore

Behaviour = Callable[["ServiceCall"], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class ServiceCall:
    """One POST that arrived."""

    bundle: dict[str, Any]
    body: bytes
    request: web.Request = field(repr=False)

    @property
    def headers(self) -> Any:
        return self.request.headers


@dataclass
class HttpService:
    """Answers POSTs to any path by `behave`; `inside` and `most_inside` count calls in flight."""

    behave: Behaviour
    url: str = ""
    calls: list[ServiceCall] = field(default_factory=list)
    inside: int = 0
    most_inside: int = 0
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Keep the call, and answer."""
        body = await request.read()
        call = ServiceCall(orjson.loads(body), body, request)
        self.calls.append(call)
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            return await self.behave(call)
        finally:
            self.inside -= 1


def answers(document: Any, status: int = 200, **headers: str) -> Behaviour:
    """The same JSON to every call."""

    async def behave(call: ServiceCall) -> web.StreamResponse:
        return web.json_response(document, status=status, headers=headers)

    return behave


@asynccontextmanager
async def http_service(behave: Behaviour, port: int = 0) -> AsyncIterator[HttpService]:
    """Serve on a port of 127.0.0.1."""
    service = HttpService(behave)
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/{path:.*}", service.handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    server: Any = site._server
    service.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield service
    finally:
        service.closing.set()
        await runner.cleanup()


async def register_service(
    store: EventStore, capability_id: str, url: str, home: dict[str, Any] | None = None, **descriptor: Any
) -> None:
    """Register a capability with an HTTP home on this machine."""
    whole = {
        "id": capability_id,
        "version": "1.0.0",
        "label": capability_id,
        "kind": "execution",
        **descriptor,
        "home": {"type": "http", "url": url, "allowPrivate": True, **(home or {})},
    }
    await register(store, [whole], "test", "api")
