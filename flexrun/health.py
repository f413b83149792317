"""`/healthz`, `/readyz` and `/metrics` of a process on a port of its own: a planner and an executor have no other.

It listens before the process waits for its database, so that a process that waits is alive and not ready.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson
from aiohttp import web

from broker.readiness import ReadinessProbe, State
from schemas.json_types import JsonObject

_CLOSING_SECONDS = 1.0
_DATABASE_AWAITED: JsonObject = {
    "name": "database",
    "status": "failed",
    "detail": "the database is waited for",
}

Answer = Callable[[str], Awaitable[tuple[bytes, str]]]
"""Metrics and their media type, for what the request accepts."""


@dataclass(slots=True)
class HealthServer:
    """The small server. `readiness` is set when there is a database to ask; `url` has the port that was taken."""

    runner: web.AppRunner
    url: str
    metrics: Answer | None = None
    readiness: ReadinessProbe | None = None

    async def close(self) -> None:
        """Stop listening."""
        await self.runner.cleanup()

    async def show_health(self, _request: web.Request) -> web.Response:
        """200 while the event loop turns; nothing else is looked at."""
        return _answer(200, {"status": "ok"})

    async def show_readiness(self, _request: web.Request) -> web.Response:
        """200 while this process can take work and store results, else 503 with the reasons in words and by part."""
        if self.readiness is None:
            return _not_ready("starting", "the database is waited for", [_DATABASE_AWAITED])
        if self.readiness.stopping:
            return _not_ready("draining", "this process is stopping", [])
        found = await self.readiness.found()
        if not found.ready:
            return _not_ready(found.state, "; ".join(found.faults), found.parts())
        return _answer(200, {"status": "ready", "parts": found.parts()})

    async def show_metrics(self, request: web.Request) -> web.Response:
        """The metrics of this process: open, since who may connect here is trusted with them."""
        assert self.metrics is not None, "it has a route only where there are metrics"  # noqa: S101 - for pyright
        body, media_type = await self.metrics(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": media_type, "Cache-Control": "no-store"})


async def serve_health(host: str, port: int, metrics: Answer | None = None) -> HealthServer:
    """Listen on `host` and `port` (0: any free one); `metrics` is what `/metrics` answers.

    Raises ValueError where that cannot be done.
    """
    app = web.Application()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_CLOSING_SECONDS)
    health = HealthServer(runner, "", metrics)
    app.router.add_get("/healthz", health.show_health)
    app.router.add_get("/readyz", health.show_readiness)
    if metrics is not None:
        app.router.add_get("/metrics", health.show_metrics)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        raise ValueError(f"the health port {host}:{port} cannot be listened on: {error.strerror}") from error
    address: tuple[str, int] = runner.addresses[0]
    shown = f"[{host}]" if ":" in host else host
    health.url = f"http://{shown}:{address[1]}"
    return health


def _not_ready(state: State, reason: str, parts: list[JsonObject]) -> web.Response:
    return _answer(503, {"status": state, "detail": f"Not ready: {reason}.", "parts": parts})


def _answer(status: int, body: JsonObject) -> web.Response:
    return web.Response(
        status=status,
        body=orjson.dumps(body),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
