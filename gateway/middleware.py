"""The outermost layer of every request: correlation id, who calls, errors turned into problems, one log line."""

from __future__ import annotations

import re
import time
from typing import Any
from uuid import uuid4

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from eventstore.tenancy import EVERY_TENANT, working_for
from gateway.body import close_unread, refuse_codings
from gateway.cors import allow_origin, options_answer, preflight_answer
from gateway.deps import GATEWAY
from gateway.endpoint import OPEN_PATHS
from gateway.errors import NotPermitted
from gateway.identity.identify import identify
from gateway.limits.limiter import RATES, REFUSED_BY_LIMIT
from gateway.limits.refusal import rate_headers
from gateway.problems import ProblemError, internal_error, problem_of, problem_response, unavailable
from gateway.protocol import fixed_headers
from gateway.pruned import refuse_pruned
from gateway.recording import end_operation
from gateway.request_metrics import count_request
from gateway.request_spans import begin_span, end_span
from gateway.scopes import CALLER, CORRELATION_ID, Caller, acting_in
from runs.commands import Actor
from runs.errors import RunUnknown
from sandbox.sharing import calling_as
from schemas.tenant import DEFAULT_TENANT, is_tenant_name
from telemetry import tracing

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

METRICS = "/metrics"
LINKS = "/hitl/"
"""Pages whose address is the key: no log line may show it."""

LIMITS = "/api/v1/flex/limits"
"""Where limits are changed: one that is too small must not keep away who would change it."""

WORK = "/api/v1/flex/work/"
CLAIM = "/api/v1/flex/work/claim"
"""Endpoints of an attempt, whose address has its token; a claim has none yet."""

TENANT = "X-Flexrun-Tenant"
"""The header by which an operator works for another tenant."""

_LOGGED_PATH_CHARS = 500
CLIENT_GONE = 499
"""The status in the log of a request whose client left before the response."""

_SANE_ID = re.compile(r"[!-~]([ -~]{0,126}[!-~])?")
_HOST = re.compile(r"[0-9A-Za-z._~\[\]:%-]{1,300}")
_OK = 200
_LOG_FIELDS = web.RequestKey("log_fields", dict[str, Any])
_ANSWERED = web.RequestKey("answered", bool)


def caller(request: web.Request) -> Actor:
    """Who calls."""
    return request[CALLER].actor


def correlation_id(request: web.Request) -> str:
    """The id under which this request is found in the logs; it goes out with the answer."""
    return request[CORRELATION_ID]


def adopt_correlation_id(request: web.Request, from_body: str | None) -> str:
    """The id in the body counts unless the header brought one; the result is the id from here on."""
    if from_body is not None and _id_from_header(request) is None:
        request[CORRELATION_ID] = from_body
    return request[CORRELATION_ID]


def bind_log_fields(request: web.Request, **fields: Any) -> None:
    """Add fields to the request's log line; a `status` counts for more than that of the answer."""
    request[_LOG_FIELDS].update(fields)


@web.middleware
async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Wraps every handler."""
    started = time.perf_counter()
    request[CORRELATION_ID] = _id_from_header(request) or str(uuid4())
    request[_LOG_FIELDS] = {}
    status = CLIENT_GONE
    span = begin_span(request) if tracing.is_on() and not _is_probe(request) else None
    try:
        response = await _answer(request, handler)
        status = response.status
        return response
    finally:
        count_request(request, status, time.perf_counter() - started)
        if span is not None:
            end_span(request, span, status, time.perf_counter() - started)
        routine = _is_probe(request) or (_is_heartbeat(request) and status == _OK)
        (_log.debug if routine else _log.info)(
            "request",
            method=request.method,
            path=_logged_path(request)[:_LOGGED_PATH_CHARS],
            ms=round((time.perf_counter() - started) * 1000, 1),
            correlation_id=request[CORRELATION_ID],
            **{"status": status, **request[_LOG_FIELDS]},
        )


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        _require_host(request)
        refuse_codings(request)
        _send_elsewhere(request)
        options = preflight_answer(request) or options_answer(request)
        if options is not None:
            return options
        request[CALLER] = await identify(request, request.app[GATEWAY], is_open=_is_open(request))
        if request[CALLER].actor.verified:
            bind_log_fields(request, actor=request[CALLER].actor.name)
        request[CALLER] = _in_named_tenant(request, request[CALLER])
        with working_for(EVERY_TENANT if _is_open(request) else request[CALLER].tenant):
            return await _within_limits(request, handler)
    except Exception as error:  # noqa: BLE001 - the outermost layer: every error becomes a response here, or is raised again
        return _problem_answer(request, error)


async def _within_limits(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What `handler` answers, counted as a request in flight; not for probes, nor for those who change the limits."""
    if _is_open(request) or request.path.startswith(LIMITS):
        return await _handled(request, handler)
    gateway, tenant = request.app[GATEWAY], request[CALLER].tenant
    taken = gateway.limiter.begin(request)
    try:
        with calling_as(tenant, gateway.limits.weight_of(tenant, gateway.limiter.defaults)):
            return await _handled(request, handler)
    finally:
        taken.give_back()


async def _handled(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What `handler` answers. A run that the path names and that was removed is told from one that never was."""
    try:
        return await handler(request)
    except RunUnknown:
        if (run_id := request.match_info.get("run_id")) is not None:
            await refuse_pruned(request.app[GATEWAY].deps.store, run_id)
        raise


def _is_open(request: web.Request) -> bool:
    """Whether the endpoint asks for no token."""
    resource = request.match_info.route.resource
    return resource is not None and resource.canonical in request.app[OPEN_PATHS]


def _is_probe(request: web.Request) -> bool:
    """Whether machines and developers ask, about this gateway and not about a run."""
    return request.path == METRICS or (_is_open(request) and _secret_base(request.path) is None)


def _is_heartbeat(request: web.Request) -> bool:
    """Whether a worker says that it lives: each attempt does so every second."""
    return request.path.startswith(WORK) and request.path.endswith("/heartbeat")


def _send_elsewhere(request: web.Request) -> None:
    """Refuse what comes while the gateway stops. A stream ends at once instead: a browser never retries after a 503."""
    stream = request.method == "GET" and request.path.endswith("/events")
    if request.app[GATEWAY].stopping and not _is_probe(request) and not stream:
        raise unavailable("stopping", "This gateway is stopping; another one will answer.")


def _problem_answer(request: web.Request, error: Exception) -> web.Response:
    if request.get(_ANSWERED):
        # The head of the answer is out. All that is left is to end the connection, which aiohttp does on this.
        if not isinstance(error, ConnectionError):
            _log.error("response_failed", path=_logged_path(request), exc_info=error)
        raise error
    problem = problem_of(error)
    if (limit := request.get(REFUSED_BY_LIMIT)) is not None:
        bind_log_fields(request, limit=limit.name, level=limit.level, tenant=request[CALLER].tenant)
    if problem is None:
        _log.error(
            "request_failed",
            path=_logged_path(request),
            correlation_id=request[CORRELATION_ID],
            exc_info=error,
        )
        problem = internal_error()
    bind_log_fields(request, code=problem.code)
    return problem_response(problem, request[CORRELATION_ID])


def _in_named_tenant(request: web.Request, who: Caller) -> Caller:
    """The caller in the tenant that the request names. Raises ProblemError (400), NotPermitted."""
    named = request.headers.get(TENANT)
    if named is None or named == who.tenant or _is_open(request):
        return who
    if not is_tenant_name(named):
        raise ProblemError(
            400, "tenant_invalid", f"{TENANT} takes small letters, digits and hyphens, 63 at most."
        )
    elsewhere = acting_in(who, named)
    if elsewhere is None:
        raise NotPermitted(
            f"{TENANT} is for those who run the installation: the scope 'admin' in {DEFAULT_TENANT!r}."
        )
    bind_log_fields(request, tenant=named)
    return elsewhere


def _require_host(request: web.Request) -> None:
    if _HOST.fullmatch(request.headers.get("Host", "localhost") or "localhost") is None:
        raise ProblemError(400, "host_invalid", "The Host header names no host.", close=True)


def _logged_path(request: web.Request) -> str:
    base = _secret_base(request.path)
    if base is None:
        return request.path
    return base + "…" + (request.path[request.path.rfind("/") :] if base == WORK else "")


def _secret_base(path: str) -> str | None:
    """What may be shown of an address that is a key to what is behind it; None for any other."""
    if path.startswith(LINKS):
        return LINKS
    return WORK if path.startswith(WORK) and path != CLAIM else None


def _id_from_header(request: web.Request) -> str | None:
    offered = request.headers.get("X-Correlation-Id")
    return offered if offered is not None and _SANE_ID.fullmatch(offered) else None


async def complete_headers(request: web.Request, response: web.StreamResponse) -> None:
    """What every answer carries; aiohttp calls this just before the headers go out."""
    request[_ANSWERED] = True
    if REFUSED_BY_LIMIT not in request:
        end_operation(request, response.status, request.get(_LOG_FIELDS, {}))
    fixed_headers(response)
    response.headers.update(rate_headers(request.get(RATES, [])))
    if request.app[GATEWAY].stopping:
        response.force_close()
        response.headers["Connection"] = "close"
    response.headers["X-Correlation-Id"] = request.get(CORRELATION_ID) or str(uuid4())
    close_unread(request, response)
    allow_origin(request, response.headers, request.app[GATEWAY].config.cors_origins)
