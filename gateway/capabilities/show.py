"""`GET /api/v1/flex/capabilities`: what can be called, and how it fares."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Annotated, get_args

from aiohttp import web

from eventstore.capabilities import (
    CapabilityRow,
    CapabilityStatus,
    capability_rows,
    in_progress,
    recent_outcomes,
    serving_workers,
)
from eventstore.tenancy import sees
from gateway.capabilities.models import CapabilityDetail, CapabilityEntry, CapabilityList, shown_row
from gateway.capabilities.path import UNKNOWN, PathCapabilityId
from gateway.deps import GATEWAY
from gateway.endpoint import JSON, QUERY_INVALID, UNAUTHORIZED, UNAVAILABLE, DocumentedResponse, Endpoints
from gateway.errors import CapabilityUnknown
from gateway.query import Query, QueryValue, known_value
from gateway.response import json_response
from runs.event import JsonObject
from runs.outstanding import node_queue
from schemas.homes import HomeType
from schemas.vocabulary import NodeKind

ENDPOINTS = Endpoints("capabilities")

PATH = "/api/v1/flex/capabilities"
_KINDS: tuple[str, ...] = get_args(NodeKind)
_HOMES: tuple[str, ...] = get_args(HomeType)
_STATUSES: tuple[str, ...] = get_args(CapabilityStatus)


def _one_of(description: str, values: Sequence[str]) -> QueryValue:
    return QueryValue(description, {"enum": list(values)}, lambda text, name: known_value(text, name, values))


class CapabilityQuery(Query):
    """Which capabilities to list."""

    facet: Annotated[str | None, QueryValue("Only those that take or give this facet.")] = None
    kind: Annotated[str | None, _one_of("Only those of this kind.", _KINDS)] = None
    home: Annotated[str | None, _one_of("Only those with a home of this type.", _HOMES)] = None
    status: Annotated[str | None, _one_of("Only those with this status.", _STATUSES)] = None

    def wants(self, row: CapabilityRow) -> bool:
        """Whether a capability that this version stands for is to be listed."""
        return (
            (self.facet is None or self.facet in _facets(row))
            and self.kind in (None, row.descriptor.get("kind"))
            and self.home in (None, row.home)
            and self.status in (None, row.status)
        )


def _facets(row: CapabilityRow) -> list[str]:
    """The facets that a capability takes and gives, by name."""
    taken: list[str | JsonObject] = row.descriptor.get("facetsIn") or []
    names = [each if isinstance(each, str) else str(each["name"]) for each in taken]
    return [*names, *(row.descriptor.get("facetsOut") or [])]


@ENDPOINTS.get(
    PATH,
    name="listCapabilities",
    needs="runs:read",
    summary="What can be called",
    description="One entry for each capability, by id: the highest version that is not disabled. `status` is `ok`,"
    " `silent` (nobody has served it for a while), `failing` (its endpoint fails, and is not called for now) or"
    " `disabled`.",
    responses=[DocumentedResponse(200, "The registered capabilities.", {JSON: CapabilityList})],
    problems=QUERY_INVALID | UNAUTHORIZED | UNAVAILABLE,
)
async def capabilities(request: web.Request, query: CapabilityQuery) -> web.Response:
    """Every capability that is registered, with how it fares."""
    rows = await capability_rows(request.app[GATEWAY].deps.store)
    versions = [list(each) for _, each in groupby(rows, lambda row: row.capability_id)]
    return json_response(
        {"capabilities": [CapabilityEntry.of(each) for each in versions if query.wants(shown_row(each))]}
    )


@ENDPOINTS.get(
    PATH + "/{capability_id}",
    name="showCapability",
    needs="runs:read",
    summary="One capability",
    responses=[DocumentedResponse(200, "Its versions and how they fare.", {JSON: CapabilityDetail})],
    problems=UNKNOWN | UNAUTHORIZED | UNAVAILABLE,
)
async def show(request: web.Request, capability_id: PathCapabilityId) -> web.Response:
    """Its versions, who serves it, when work of it was last taken, and how its last nodes ended."""
    store = request.app[GATEWAY].deps.store
    rows = await capability_rows(store, capability_id)
    if not rows:
        raise CapabilityUnknown.by(capability_id)
    queues = {node_queue(row.descriptor.get("queue", "default")) for row in rows}
    detail = CapabilityDetail.of(
        rows,
        # Who runs what is shared is not the tenant's to know.
        await serving_workers(store, capability_id) if sees(rows[0].tenant) else [],
        await recent_outcomes(store, capability_id),
        await in_progress(store, capability_id, queues),
    )
    return json_response(detail)
