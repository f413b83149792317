"""`/api/v1/flex/webhooks`: which events are sent to which URL, and their deliveries."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Annotated, get_args

from aiohttp import web
from uuid_utils import uuid7

from eventstore.store import is_run_id
from eventstore.webhooks import (
    MAX_WEBHOOKS,
    DeliveryCursor,
    DeliveryStatus,
    NewWebhook,
    add_webhook,
    get_webhook,
    list_deliveries,
    list_webhooks,
    remove_webhook,
)
from gateway.deps import GATEWAY
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
from gateway.middleware import bind_log_fields, caller
from gateway.page_cursor import page_cursor, write_page_cursor
from gateway.query import Parameter, Query, QueryValue, known_value, whole_number
from gateway.response import json_response
from gateway.run_id import canonical_run_id
from gateway.scopes import CALLER
from gateway.webhooks.addresses import refuse_private
from gateway.webhooks.models import (
    Webhook,
    WebhookCreated,
    WebhookDelivery,
    WebhookDeliveryList,
    WebhookList,
)
from runs.event import JsonObject
from schemas.webhooks import WebhookBody

ENDPOINTS = Endpoints("webhooks")

PATH = "/api/v1/flex/webhooks"
SECRET_BYTES = 32
DEFAULT_PAGE_DELIVERIES = 50
MAX_PAGE_DELIVERIES = 200
_MAX_SEQ = 2**31 - 1
_STATUSES: tuple[str, ...] = get_args(DeliveryStatus)
_UNKNOWN = {404: "There is no such webhook (`webhook_unknown`)."}


class NoSuchWebhook(NotFound):
    """No webhook has this id."""

    code = "webhook_unknown"

    def __init__(self, hook_id: str) -> None:
        super().__init__(f"There is no webhook {hook_id[:100]!r}.")


class WebhooksFull(LimitReached):
    """There are as many webhooks as there may be."""

    code = "webhooks_full"


def _read_path(request: web.Request) -> str:
    hook_id = request.match_info["webhook_id"].lower()
    if not is_run_id(hook_id):
        raise NoSuchWebhook(hook_id)
    bind_log_fields(request, webhook_id=hook_id)
    return hook_id


PathWebhookId = Annotated[
    str,
    FromRequest(
        _read_path,
        [Parameter("webhook_id", "path", "The webhook's id.", {"type": "string", "format": "uuid"})],
    ),
]


def _read_cursor(key: Sequence[str]) -> DeliveryCursor:
    run_id, text = key
    seq = int(text)
    if not 0 < seq <= _MAX_SEQ:
        raise ValueError(text)
    return DeliveryCursor(canonical_run_id(run_id), seq)


class DeliveriesQuery(Query):
    """Which deliveries to list, and from where on."""

    status: Annotated[
        DeliveryStatus | None,
        QueryValue(
            "Only those with this status.",
            {"enum": list(_STATUSES)},
            lambda text, name: known_value(text, name, _STATUSES),
        ),
    ] = None
    cursor: Annotated[DeliveryCursor | None, page_cursor(_read_cursor)] = None
    limit: Annotated[int, whole_number("How many, at most.", least=1, most=MAX_PAGE_DELIVERIES)] = (
        DEFAULT_PAGE_DELIVERIES
    )


@ENDPOINTS.post(
    PATH,
    name="addWebhook",
    needs=("webhooks:manage", "runs:payload"),
    acts_on="webhook",
    summary="Send events to a URL from now on",
    description="Each event of these types that is stored from now on is posted to `url` as its FlexEvent, signed"
    " as Standard Webhooks has it (`webhook-id`, `webhook-timestamp`, `webhook-signature`), for each run in order"
    " and one at a time, until it is answered 2xx.",
    responses=[
        DocumentedResponse(201, "It is there. `secret` is shown this once.", {JSON: WebhookCreated}),
    ],
    problems={
        400: "The body is no JSON or no WebhookBody, or its URL leads to an address that is not public"
        " (`invalid_json`, `invalid_body`).",
        409: "There are too many webhooks (`webhooks_full`).",
    }
    | UNAUTHORIZED
    | UNAVAILABLE,
)
async def add(request: web.Request, body: WebhookBody) -> web.Response:
    """Send events of these types from now on. The response is the only one that shows the secret."""
    gateway = request.app[GATEWAY]
    if not gateway.config.webhook_allow_private:
        await refuse_private(body.url)
    webhook = NewWebhook(
        hook_id=str(uuid7()),
        url=body.url,
        event_types=body.event_types,
        secret=secrets.token_bytes(SECRET_BYTES),
        description=body.description,
        created_by=caller(request).name,
        tenant=request[CALLER].tenant,
    )
    bind_log_fields(request, webhook_id=webhook.hook_id)
    store = gateway.deps.store
    limit = gateway.limiter.of_tenant(request, "webhooks")
    most = min(MAX_WEBHOOKS, limit.most) if limit is not None else MAX_WEBHOOKS
    if await gateway.shield_write(add_webhook(store, webhook, most=most)) is None:
        if limit is not None and most < MAX_WEBHOOKS:
            gateway.limiter.refuse(request, limit)
        raise WebhooksFull(
            f"There are {MAX_WEBHOOKS} webhooks already; remove one that is not needed any more."
        )
    row = await get_webhook(store, webhook.hook_id)
    if row is None:
        raise NoSuchWebhook(webhook.hook_id)
    made = WebhookCreated.with_secret(row, webhook.secret)
    return json_response(made, status=201, headers={"Location": f"{PATH}/{webhook.hook_id}"})


@ENDPOINTS.get(
    PATH,
    name="listWebhooks",
    needs="runs:read",
    summary="All webhooks",
    responses=[DocumentedResponse(200, "Oldest first, without their secrets.", {JSON: WebhookList})],
    problems={400: "There are no parameters (`query_invalid`)."} | UNAUTHORIZED | UNAVAILABLE,
)
async def show_list(request: web.Request) -> web.Response:
    """All webhooks, oldest first."""
    rows = await list_webhooks(request.app[GATEWAY].deps.store)
    return json_response({"webhooks": [Webhook.of(row) for row in rows]})


@ENDPOINTS.get(
    PATH + "/{webhook_id}",
    name="showWebhook",
    needs="runs:read",
    summary="One webhook",
    responses=[DocumentedResponse(200, "The webhook, without its secret.", {JSON: Webhook})],
    problems=_UNKNOWN | UNAUTHORIZED | UNAVAILABLE,
)
async def show(request: web.Request, hook_id: PathWebhookId) -> web.Response:
    """One webhook."""
    row = await get_webhook(request.app[GATEWAY].deps.store, hook_id)
    if row is None:
        raise NoSuchWebhook(hook_id)
    return json_response(Webhook.of(row))


@ENDPOINTS.delete(
    PATH + "/{webhook_id}",
    name="removeWebhook",
    needs="webhooks:manage",
    summary="Send nothing more to a webhook",
    responses=[DocumentedResponse(204, "It is gone, and what waited for it.")],
    problems=_UNKNOWN | UNAUTHORIZED | UNAVAILABLE,
)
async def remove(request: web.Request, hook_id: PathWebhookId) -> web.Response:
    """Send nothing more; an attempt that is under way at this moment may still arrive."""
    gateway = request.app[GATEWAY]
    if not await gateway.shield_write(remove_webhook(gateway.deps.store, hook_id)):
        raise NoSuchWebhook(hook_id)
    return web.Response(status=204)


@ENDPOINTS.get(
    PATH + "/{webhook_id}/deliveries",
    name="listDeliveries",
    needs="runs:read",
    summary="What became of the events for one webhook",
    responses=[DocumentedResponse(200, "A page, newest runs first.", {JSON: WebhookDeliveryList})],
    problems=QUERY_INVALID | _UNKNOWN | UNAUTHORIZED | UNAVAILABLE,
)
async def show_deliveries(
    request: web.Request, query: DeliveriesQuery, hook_id: PathWebhookId
) -> web.Response:
    """A page of deliveries, newest run first."""
    store = request.app[GATEWAY].deps.store
    if await get_webhook(store, hook_id) is None:
        raise NoSuchWebhook(hook_id)
    rows = await list_deliveries(store, hook_id, status=query.status, after=query.cursor, limit=query.limit)
    body: JsonObject = {"deliveries": [WebhookDelivery.of(row) for row in rows]}
    if len(rows) == query.limit:
        body["nextCursor"] = write_page_cursor(rows[-1].run_id, rows[-1].seq)
    return json_response(body)
