"""`/api/v1/flex/limits`: how much tenants and their callers may take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import quote, unquote

from aiohttp import web

from eventstore.tenancy import EVERY_TENANT, working_for
from eventstore.tenant_limits import MAX_SET_LIMITS, list_limits, set_limits, unset_limits
from gateway.deps import GATEWAY, Gateway
from gateway.endpoint import (
    JSON,
    QUERY_INVALID,
    UNAUTHORIZED,
    UNAVAILABLE,
    DocumentedResponse,
    Endpoints,
    FromRequest,
)
from gateway.errors import LimitReached, NotFound
from gateway.limits.models import LimitEntry, LimitList, LimitsShown
from gateway.middleware import LIMITS, bind_log_fields, caller
from gateway.page_cursor import page_cursor, write_page_cursor
from gateway.query import Parameter, Query, QueryValue, whole_number
from gateway.response import json_response
from gateway.scopes import CALLER
from runs.event import JsonObject
from schemas.limits import EACH_ACTOR, LIMIT_NAMES, WHOLE_TENANT, LimitsBody, LimitsUnsetBody
from schemas.tenant import DEFAULT_TENANT, TENANT_PATTERN, is_tenant_name

ENDPOINTS = Endpoints("limits")

DEFAULT_PAGE_LIMITS = 100
MAX_PAGE_LIMITS = 500
_MARK = "="
"""Before a caller's name in a cursor, so that the empty one is no empty text."""

_NO_TENANT = {404: "No tenant can have this name (`tenant_unknown`)."}
_OPERATORS_ONLY = {
    403: "Limits are the operator's: a token of the default tenant is needed (`not_permitted`)."
}


class NoSuchTenant(NotFound):
    """No tenant can have this name."""

    code = "tenant_unknown"


class LimitsFull(LimitReached):
    """There are as many limits as may be set."""

    code = "limits_full"


def _read_tenant(request: web.Request) -> str:
    tenant = request.match_info["tenant_id"]
    if not is_tenant_name(tenant):
        raise NoSuchTenant(f"There is no tenant {tenant[:100]!r}.")
    bind_log_fields(request, tenant_id=tenant)
    return tenant


PathTenant = Annotated[
    str,
    FromRequest(
        _read_tenant,
        [Parameter("tenant_id", "path", "The tenant's name.", {"type": "string", "pattern": TENANT_PATTERN})],
    ),
]


def _read_cursor(key: Sequence[str]) -> tuple[str, str, str]:
    tenant, marked, name = key
    actor = unquote(marked.removeprefix(_MARK))
    if not is_tenant_name(tenant) or name not in LIMIT_NAMES:
        raise ValueError(tenant)
    return tenant, actor, name


class LimitQuery(Query):
    """From where on to list."""

    cursor: Annotated[tuple[str, str, str] | None, page_cursor(_read_cursor)] = None
    limit: Annotated[int, whole_number("How many, at most.", least=1, most=MAX_PAGE_LIMITS)] = (
        DEFAULT_PAGE_LIMITS
    )


class ActorQuery(Query):
    """For whom to show what holds."""

    actor: Annotated[
        str | None,
        QueryValue("The caller, by name; without it, each that has nothing of its own.", {"type": "string"}),
    ] = None


@ENDPOINTS.get(
    LIMITS,
    name="listLimits",
    needs="admin",
    summary="The limits that are set, by tenant",
    description="Callers of the default tenant see those of all, others those of their own.",
    responses=[DocumentedResponse(200, "A page.", {JSON: LimitList})],
    problems=QUERY_INVALID | UNAUTHORIZED | UNAVAILABLE,
)
async def show_list(request: web.Request, query: LimitQuery) -> web.Response:
    """A page of the limits that are set."""
    own = request[CALLER].tenant
    with working_for(EVERY_TENANT if own == DEFAULT_TENANT else own):
        rows = await list_limits(
            request.app[GATEWAY].deps.store,
            tenant=None if own == DEFAULT_TENANT else own,
            after=query.cursor or ("", "", ""),
            limit=query.limit,
        )
    body: JsonObject = {"limits": [LimitEntry.of(row) for row in rows]}
    if len(rows) == query.limit:
        body["nextCursor"] = write_page_cursor(
            rows[-1].tenant, _MARK + quote(rows[-1].actor, safe=""), rows[-1].name
        )
    return json_response(body)


@ENDPOINTS.get(
    LIMITS + "/{tenant_id}",
    name="showLimits",
    needs="admin",
    operator=True,
    summary="What holds for a tenant and a caller of it",
    responses=[DocumentedResponse(200, "What is set, and what FLEXRUN_LIMITS says.", {JSON: LimitsShown})],
    problems=QUERY_INVALID | UNAUTHORIZED | UNAVAILABLE | _NO_TENANT,
)
async def show(request: web.Request, tenant: PathTenant, query: ActorQuery) -> web.Response:
    """What holds for a caller of the tenant, here and now."""
    gateway = request.app[GATEWAY]
    await gateway.limits.refresh()
    return json_response(_shown(gateway, tenant, query.actor))


@ENDPOINTS.post(
    LIMITS + "/{tenant_id}",
    name="setLimits",
    needs="admin",
    operator=True,
    acts_on="tenant",
    summary="Set limits of a tenant or caller",
    description="Every gateway goes by them within a few seconds. Nothing that is there already is taken away.",
    responses=[DocumentedResponse(200, "What holds now.", {JSON: LimitsShown})],
    problems={
        400: "The body is no JSON or no LimitsBody (`invalid_json`, `invalid_body`).",
        409: "Too many limits are set (`limits_full`).",
    }
    | UNAUTHORIZED
    | UNAVAILABLE
    | _NO_TENANT
    | _OPERATORS_ONLY,
)
async def set_some(request: web.Request, tenant: PathTenant, body: LimitsBody) -> web.Response:
    """Have these limits hold from now on; those that are not named stay."""
    gateway = request.app[GATEWAY]
    actor = body.actor or WHOLE_TENANT
    with working_for(EVERY_TENANT):
        change = set_limits(gateway.deps.store, tenant, actor, body.limits, caller(request).name)
        is_set = await gateway.shield_write(change)
    if not is_set:
        raise LimitsFull(f"There are {MAX_SET_LIMITS} limits already; unset some that are not needed.")
    await gateway.limits.refresh()
    return json_response(_shown(gateway, tenant, body.actor))


@ENDPOINTS.post(
    LIMITS + "/{tenant_id}/unset",
    name="unsetLimits",
    needs="admin",
    operator=True,
    acts_on="tenant",
    summary="Have FLEXRUN_LIMITS decide limits again",
    responses=[DocumentedResponse(200, "What holds now.", {JSON: LimitsShown})],
    problems={400: "The body is no JSON or no LimitsUnsetBody (`invalid_json`, `invalid_body`)."}
    | UNAUTHORIZED
    | UNAVAILABLE
    | _NO_TENANT
    | _OPERATORS_ONLY,
)
async def unset(request: web.Request, tenant: PathTenant, body: LimitsUnsetBody) -> web.Response:
    """Set these no more. Again, nothing changes."""
    gateway = request.app[GATEWAY]
    with working_for(EVERY_TENANT):
        await gateway.shield_write(
            unset_limits(gateway.deps.store, tenant, body.actor or WHOLE_TENANT, body.names)
        )
    await gateway.limits.refresh()
    return json_response(_shown(gateway, tenant, body.actor))


def _shown(gateway: Gateway, tenant: str, actor: str | None) -> JsonObject:
    """The document of LimitsShown, with what this gateway goes by."""
    known = gateway.limits
    holding: list[JsonObject] = []
    for limit in known.holding(tenant, actor or EACH_ACTOR, LIMIT_NAMES, gateway.limiter.defaults):
        shown: JsonObject = {"level": limit.level, "name": limit.name, "most": limit.most}
        is_set = known.is_set(tenant, actor or EACH_ACTOR, limit)
        holding.append({**shown, "origin": "set" if is_set else "settings"})
    whose = {"actor": actor} if actor is not None else {}
    return {"tenant": tenant, **whose, "limits": holding}
