"""The web application."""

from __future__ import annotations

from aiohttp import web

from gateway.deps import GATEWAY, Gateway, GatewayDeps
from gateway.middleware import complete_headers, middleware
from gateway.routes import (
    capabilities,
    control,
    docs,
    events,
    fork,
    hitl,
    link_list,
    links,
    operations,
    resume,
    run_stream,
    runs,
    tasks,
    webhooks,
)

ROUTES = (
    run_stream.ROUTES,
    runs.ROUTES,
    events.ROUTES,
    control.ROUTES,
    fork.ROUTES,
    resume.ROUTES,
    hitl.ROUTES,
    links.ROUTES,
    link_list.ROUTES,
    tasks.ROUTES,
    webhooks.ROUTES,
    capabilities.ROUTES,
    operations.ROUTES,
    docs.ROUTES,
)


def create_app(deps: GatewayDeps) -> web.Application:
    """All doors over `deps`, which must be open and are closed by whoever opened them, after this application.

    Serve it with `gateway.serve.serve`, which watches for readers that leave.
    """
    app = web.Application(middlewares=[middleware], client_max_size=deps.config.body_limit_bytes)
    app[GATEWAY] = Gateway(deps)
    for routes in ROUTES:
        app.add_routes(routes)
    app.on_response_prepare.append(complete_headers)
    app.on_shutdown.append(_end_streams)
    app.on_cleanup.append(_finish_writes)
    return app


async def _end_streams(app: web.Application) -> None:
    app[GATEWAY].streams.close()


async def _finish_writes(app: web.Application) -> None:
    await app[GATEWAY].finish_writes()
