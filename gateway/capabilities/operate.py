"""Disabling, enabling and removing capabilities."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Annotated, Any

from aiohttp import web

from eventstore.capabilities import capability_rows, remove, set_disabled
from eventstore.store import EventStore
from eventstore.tenancy import sees
from gateway.capabilities.models import CapabilityChanged, changed
from gateway.capabilities.path import UNKNOWN, PathCapabilityId
from gateway.capabilities.permission import NOT_PERMITTED, require_writer
from gateway.capabilities.show import PATH
from gateway.deps import GATEWAY
from gateway.endpoint import JSON, QUERY_INVALID, UNAUTHORIZED, UNAVAILABLE, DocumentedResponse, Endpoints
from gateway.errors import CapabilityUnknown, NotPermitted
from gateway.query import Query, QueryValue
from gateway.response import json_response

ENDPOINTS = Endpoints("capabilities")

_PROBLEMS = QUERY_INVALID | UNKNOWN | NOT_PERMITTED | UNAUTHORIZED | UNAVAILABLE


class VersionQuery(Query):
    """Which version; without one, all of them."""

    version: Annotated[str | None, QueryValue("Only this version; without it, all of them.")] = None


@ENDPOINTS.post(
    PATH + "/{capability_id}/disable",
    name="disableCapability",
    needs="capabilities:write",
    summary="Give no more work to a capability",
    description="No plan uses it from now on, and its work waits; what has begun goes on.",
    responses=[DocumentedResponse(200, "These versions are disabled.", {JSON: CapabilityChanged})],
    problems=_PROBLEMS,
)
async def disable(request: web.Request, query: VersionQuery, capability_id: PathCapabilityId) -> web.Response:
    """Give no more work to a version, or to all of them."""
    return await _change(request, capability_id, query, partial(set_disabled, disabled=True))


@ENDPOINTS.post(
    PATH + "/{capability_id}/enable",
    name="enableCapability",
    needs="capabilities:write",
    summary="Give work to a capability again",
    description="Its endpoint counts as healthy again too.",
    responses=[DocumentedResponse(200, "These versions are enabled.", {JSON: CapabilityChanged})],
    problems=_PROBLEMS,
)
async def enable(request: web.Request, query: VersionQuery, capability_id: PathCapabilityId) -> web.Response:
    """Give work to a version again, or to all of them."""
    return await _change(request, capability_id, query, partial(set_disabled, disabled=False))


@ENDPOINTS.delete(
    PATH + "/{capability_id}",
    name="removeCapability",
    needs="capabilities:write",
    summary="Take a capability out of the registry",
    description="A process that runs it registers it again within half a minute, or when it starts; disabling lasts.",
    responses=[DocumentedResponse(200, "These versions are gone.", {JSON: CapabilityChanged})],
    problems=_PROBLEMS,
)
async def take_out(
    request: web.Request, query: VersionQuery, capability_id: PathCapabilityId
) -> web.Response:
    """Take a version, or all of them, out of the registry."""
    return await _change(request, capability_id, query, remove)


async def _change(
    request: web.Request,
    capability_id: str,
    query: VersionQuery,
    change: Callable[[EventStore, str, str | None], Coroutine[Any, Any, list[str]]],
) -> web.Response:
    require_writer(request)
    gateway = request.app[GATEWAY]
    versions = await gateway.shield_write(change(gateway.deps.store, capability_id, query.version))
    if not versions and any(
        not sees(row.tenant) for row in await capability_rows(gateway.deps.store, capability_id)
    ):
        raise NotPermitted(f"{capability_id} is shared with this tenant, and not its own to change.")
    if not versions:
        raise CapabilityUnknown.by(capability_id, query.version)
    await gateway.capabilities.refresh()
    return json_response(changed(capability_id, versions))
