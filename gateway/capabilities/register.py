"""`POST /api/v1/flex/capabilities/register`: one capability or several."""

from __future__ import annotations

from typing import Annotated, Any

from aiohttp import web

from gateway.capabilities.body import read_document
from gateway.capabilities.models import RegisteredCapabilities, RegisteredCapability
from gateway.capabilities.permission import NOT_PERMITTED, require_writer
from gateway.capabilities.show import PATH
from gateway.deps import GATEWAY, Gateway
from gateway.endpoint import JSON, UNAUTHORIZED, UNAVAILABLE, DocumentedResponse, Endpoints, FromRequest
from gateway.errors import GatewayError, NotPermitted
from gateway.middleware import bind_log_fields
from gateway.response import document, json_response
from gateway.scopes import CALLER
from registry.descriptors import Entry
from registry.registrar import NameNotTheirs, Registrar, VersionTaken
from runs.event import JsonObject
from schemas.capability import CapabilityDescriptor

ENDPOINTS = Endpoints("capabilities")


class VersionRegistered(GatewayError):
    """A version is registered already, as something else."""

    code = "version_registered"


@ENDPOINTS.post(
    PATH + "/register",
    name="registerCapability",
    needs="capabilities:write",
    acts_on="capability",
    summary="Register a capability, or several",
    description='The body is one descriptor, or several: an array, or `{"capabilities": […]}`; then all of them are'
    ' registered or none, and the answer is `{"capabilities": […]}` too. What is registered already in the same words'
    " stays as it is. A new version stands beside the old ones; plans made from now on use the highest.",
    responses=[
        DocumentedResponse(
            201, "It is registered; of several, at least one is new.", {JSON: RegisteredCapability}
        ),
        DocumentedResponse(
            200, "It was registered already, in the same words.", {JSON: RegisteredCapability}
        ),
    ],
    problems={
        400: "The body is no JSON or no descriptor (`invalid_json`, `invalid_body`), or contradicts itself or the"
        " facets that there are. Every place that is wrong is in `errors`, and nothing is registered.",
        409: "This id and version is registered with another descriptor (`version_registered`); `errors` says where"
        " they differ.",
    }
    | NOT_PERMITTED
    | UNAUTHORIZED
    | UNAVAILABLE,
)
async def register(
    request: web.Request, body: Annotated[Any, FromRequest(read_document, body=CapabilityDescriptor)]
) -> web.Response:
    """Register what others may call from now on."""
    gateway = request.app[GATEWAY]
    registrar = Registrar(gateway.deps.store, gateway.facets, gateway.deps.contracts)
    entries = await registrar.read(body)
    bind_log_fields(request, capability_id=", ".join(entry.descriptor.id for entry in entries))
    writing = registrar.register(entries, require_writer(request), "api", request[CALLER].tenant)
    try:
        created = await gateway.shield_write(writing)
    except VersionTaken as taken:
        raise VersionRegistered(str(taken), errors=taken.problems) from None
    except NameNotTheirs as refused:
        raise NotPermitted(str(refused)) from None
    await gateway.capabilities.refresh()
    shown = [await _shown(gateway, entry, entry.key in created) for entry in entries]
    status = 201 if created else 200
    if len(entries) == 1 and not entries[0].place:
        headers = {"Location": f"{PATH}/{entries[0].descriptor.id}"}
        return json_response(shown[0], status=status, headers=headers)
    return json_response(document(RegisteredCapabilities, None, capabilities=shown), status=status)


async def _shown(gateway: Gateway, entry: Entry, created: bool) -> JsonObject:
    capability_id, version = entry.key
    row = await gateway.capabilities.find(capability_id, version)
    return document(
        RegisteredCapability,
        None,
        id=capability_id,
        version=version,
        created=created,
        status=row.status if row is not None else "ok",
        descriptor=entry.wire,
    )
