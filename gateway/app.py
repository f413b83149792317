"""The web application."""

from __future__ import annotations

from aiohttp import web

from gateway.capabilities import facets, operate, register
from gateway.capabilities import show as show_capabilities
from gateway.deps import GATEWAY, Gateway, GatewayDeps
from gateway.endpoint import ENDPOINTS as ALL_ENDPOINTS
from gateway.endpoint import OPEN_PATHS, Endpoint
from gateway.limits import endpoints as limits
from gateway.middleware import METRICS, complete_headers, middleware
from gateway.on_call import dead as on_call_dead
from gateway.on_call import work as on_call_work
from gateway.operations import describe, docs, health, metrics
from gateway.operations import log as operations_log
from gateway.people import link_page, links, requests, resume, tasks
from gateway.runs import (
    control,
    diff,
    erasure,
    events,
    export,
    fork,
    importing,
    listing,
    plan,
    policies,
    show,
    start,
)
from gateway.runs.replay import endpoints as replay
from gateway.tokens import endpoints as tokens
from gateway.webhooks import endpoints as webhooks
from gateway.work import callback
from gateway.work import endpoints as work
from gateway.workers import show as workers

ENDPOINTS = (
    *start.ENDPOINTS,
    *plan.ENDPOINTS,
    *listing.ENDPOINTS,
    *show.ENDPOINTS,
    *events.ENDPOINTS,
    *export.ENDPOINTS,
    *importing.ENDPOINTS,
    *replay.ENDPOINTS,
    *diff.ENDPOINTS,
    *control.ENDPOINTS,
    *erasure.ENDPOINTS,
    *policies.ENDPOINTS,
    *show_capabilities.ENDPOINTS,
    *register.ENDPOINTS,
    *operate.ENDPOINTS,
    *facets.ENDPOINTS,
    *health.ENDPOINTS,
    *metrics.ENDPOINTS,
    *describe.ENDPOINTS,
    *docs.ENDPOINTS,
    *requests.ENDPOINTS,
    *links.ENDPOINTS,
    *link_page.ENDPOINTS,
    *resume.ENDPOINTS,
    *tasks.ENDPOINTS,
    *fork.ENDPOINTS,
    *webhooks.ENDPOINTS,
    *operations_log.ENDPOINTS,
    *tokens.ENDPOINTS,
    *limits.ENDPOINTS,
    *work.ENDPOINTS,
    *callback.ENDPOINTS,
    *workers.ENDPOINTS,
    *on_call_work.ENDPOINTS,
    *on_call_dead.ENDPOINTS,
)
"""In the order in which OpenAPI shows them."""


def create_app(deps: GatewayDeps) -> web.Application:
    """All endpoints over `deps`, which must be open and are closed by their owner, after this application.

    Serve it with `gateway.serve.serve`, which watches for readers that leave.
    """
    app = web.Application(middlewares=[middleware], client_max_size=deps.config.body_limit_bytes)
    app[GATEWAY] = Gateway(deps)
    app[ALL_ENDPOINTS] = ENDPOINTS
    app[OPEN_PATHS] = frozenset(endpoint.path for endpoint in ENDPOINTS if _is_open(endpoint, deps))
    app.add_routes([endpoint.route() for endpoint in ENDPOINTS])
    app.on_startup.append(_start)
    app.on_response_prepare.append(complete_headers)
    app.on_shutdown.append(_end_streams)
    app.on_cleanup.append(_finish_writes)
    return app


def _is_open(endpoint: Endpoint, deps: GatewayDeps) -> bool:
    return endpoint.open or (endpoint.path == METRICS and deps.config.metrics_open)


async def _start(app: web.Application) -> None:
    await app[GATEWAY].start()


async def _end_streams(app: web.Application) -> None:
    app[GATEWAY].end_waiting()


async def _finish_writes(app: web.Application) -> None:
    await app[GATEWAY].close()
