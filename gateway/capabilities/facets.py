"""`/api/v1/flex/facets`: the facets that there are, and new ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, groupby
from typing import Annotated, Any, Literal

from aiohttp import web

from eventstore.facets import FacetRow, facet_rows
from gateway.capabilities.permission import NOT_PERMITTED, require_writer
from gateway.capabilities.register import VersionRegistered
from gateway.deps import GATEWAY
from gateway.endpoint import JSON, UNAUTHORIZED, UNAVAILABLE, DocumentedResponse, Endpoints
from gateway.errors import NotPermitted
from gateway.middleware import bind_log_fields
from gateway.response import Response, document, json_response, present
from gateway.scopes import CALLER
from registry.facet_registrar import FacetRegistrar
from registry.registrar import NameNotTheirs, VersionTaken
from runs.event import JsonObject
from schemas.base import Timestamp
from schemas.capability import version_order
from schemas.facet_body import FacetBody
from schemas.facets import FACETS, Facet
from schemas.payload_marks import SHOWN

ENDPOINTS = Endpoints("capabilities")

PATH = "/api/v1/flex/facets"


class FacetEntry(Response):
    """A facet: its highest version. `source` says where that is from: flexrun, a caller, a file, loaded code."""

    name: str
    version: str
    versions: list[str]
    description: str
    many: bool
    source: Literal["shipped", "api", "file", "code"]
    registered_at: Timestamp | None = None
    schema_: Annotated[dict[str, Any], SHOWN]

    @classmethod
    def of(cls, versions: Sequence[Facet | FacetRow]) -> JsonObject:
        """A facet of which these are the versions, in any order."""
        ordered = sorted(versions, key=lambda each: version_order(each.version), reverse=True)
        highest = ordered[0]
        registered = (
            {"source": highest.source, "registered_at": highest.registered_at}
            if isinstance(highest, FacetRow)
            else {"source": "shipped"}
        )
        return document(
            cls,
            highest,
            versions=[each.version for each in ordered],
            schema_=highest.schema,
            **present(**registered),
        )


class FacetList(Response):
    """Every facet, by name."""

    facets: list[FacetEntry]


class RegisteredFacet(Response):
    """A facet that is registered; `created` says that this request has registered it."""

    name: str
    version: str
    created: bool


@ENDPOINTS.get(
    PATH,
    name="listFacets",
    needs="runs:read",
    summary="The facets that there are",
    responses=[
        DocumentedResponse(200, "Those that are shipped and those that were registered.", {JSON: FacetList})
    ],
    problems=UNAUTHORIZED | UNAVAILABLE,
)
async def show_facets(request: web.Request) -> web.Response:
    """Every facet, by name."""
    rows = await facet_rows(request.app[GATEWAY].deps.store)
    every = sorted(chain(FACETS.values(), rows), key=lambda each: each.name)
    listed = [FacetEntry.of(list(versions)) for _, versions in groupby(every, lambda each: each.name)]
    return json_response({"facets": listed})


@ENDPOINTS.post(
    PATH,
    name="registerFacet",
    needs="capabilities:write",
    acts_on="facet",
    summary="Register a facet, or a new version of one",
    description="Contracts, capabilities and plans know it from now on. A run keeps the version that it began with. A"
    " new version must accept what the one before it accepted; that is shown from the two schemas, and where it cannot"
    " be shown the version is refused.",
    responses=[
        DocumentedResponse(201, "It is registered.", {JSON: RegisteredFacet}),
        DocumentedResponse(200, "It was registered already, in the same words.", {JSON: RegisteredFacet}),
    ],
    problems={
        400: "The body is no JSON or no facet (`invalid_json`, `invalid_body`), or the version does not accept what the"
        " one before it accepted (`facet_not_widened` in `errors`).",
        409: "This name and version is registered with another schema or description (`version_registered`).",
    }
    | NOT_PERMITTED
    | UNAUTHORIZED
    | UNAVAILABLE,
)
async def register_facet(request: web.Request, body: FacetBody) -> web.Response:
    """Register a facet that capabilities take or give, and contracts ask for."""
    require_writer(request)
    bind_log_fields(request, facet_id=body.name)
    gateway = request.app[GATEWAY]
    registrar = FacetRegistrar(gateway.deps.store, gateway.facets, gateway.deps.contracts)
    try:
        created = await gateway.shield_write(registrar.register(body.facet, "api", request[CALLER].tenant))
    except VersionTaken as taken:
        raise VersionRegistered(str(taken), errors=taken.problems) from None
    except NameNotTheirs as refused:
        raise NotPermitted(str(refused)) from None
    made = document(RegisteredFacet, body.facet, created=created)
    return json_response(made, status=201 if created else 200)
