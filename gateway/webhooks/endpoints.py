"""`/api/v1/flex/webhooks`: who is to be told of what, and what became of it."""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import cast, get_args

from aiohttp import web
from uuid_utils import uuid7

from eventstore.store import is_run_id
from eventstore.webhooks import (
    MAX_WEBHOOKS,
    DeliveryCursor,
    DeliveryRow,
    DeliveryStatus,
    NewWebhook,
    add_webhook,
    get_webhook,
    list_deliveries,
    list_webhooks,
    remove_webhook,
)
from gateway.answers import json_answer
from gateway.body import expect_continue
from gateway.deps import GATEWAY
from gateway.middleware import caller, note
from gateway.people.bodies import read_model
from gateway.problems import ProblemError
from gateway.query import known_form, query_problem, read_number
from gateway.webhooks.serializers import (
    refuse_private,
    serialize_delivery,
    serialize_secret,
    serialize_webhook,
)
from runs.errors import RunUnknown
from schemas.webhooks import WebhookBody

ROUTES = web.RouteTableDef()

PATH = "/api/v1/flex/webhooks"
SECRET_BYTES = 32
DEFAULT_PAGE_DELIVERIES = 50
MAX_PAGE_DELIVERIES = 200
_STATUSES = get_args(DeliveryStatus)


@ROUTES.post(PATH, name="addWebhook", expect_handler=expect_continue)
async def add(request: web.Request) -> web.Response:
    """Send events of these types from now on. The answer is the only one that shows the secret."""
    gateway = request.app[GATEWAY]
    body = await read_model(request, WebhookBody)
    if not gateway.config.webhook_allow_private:
        await refuse_private(body.url)
    webhook = NewWebhook(
        hook_id=str(uuid7()),
        url=body.url,
        event_types=body.event_types,
        secret=secrets.token_bytes(SECRET_BYTES),
        description=body.description,
        created_by=caller(request).name,
    )
    note(request, webhook_id=webhook.hook_id)
    store = gateway.deps.store
    if await gateway.carry_out(add_webhook(store, webhook)) is None:
        detail = f"There are {MAX_WEBHOOKS} webhooks already; remove one that is not needed any more."
        raise ProblemError(409, "webhooks_full", detail)
    row = await get_webhook(store, webhook.hook_id)
    if row is None:
        raise _unknown(webhook.hook_id)
    shown = serialize_webhook(row) | {"secret": serialize_secret(webhook.secret)}
    return json_answer(shown, status=201, headers={"Location": f"{PATH}/{webhook.hook_id}"})


@ROUTES.get(PATH, name="listWebhooks")
async def show_list(request: web.Request) -> web.Response:
    """All webhooks, oldest first."""
    rows = await list_webhooks(request.app[GATEWAY].deps.store)
    return json_answer({"webhooks": [serialize_webhook(row) for row in rows]})


@ROUTES.get(PATH + "/{webhook_id}", name="showWebhook")
async def show(request: web.Request) -> web.Response:
    """One webhook."""
    hook_id = _path_id(request)
    row = await get_webhook(request.app[GATEWAY].deps.store, hook_id)
    if row is None:
        raise _unknown(hook_id)
    return json_answer(serialize_webhook(row))


@ROUTES.delete(PATH + "/{webhook_id}", name="removeWebhook")
async def remove(request: web.Request) -> web.Response:
    """Send nothing more; an attempt that is under way at this moment may still arrive."""
    gateway, hook_id = request.app[GATEWAY], _path_id(request)
    if not await gateway.carry_out(remove_webhook(gateway.deps.store, hook_id)):
        raise _unknown(hook_id)
    return web.Response(status=204)


@ROUTES.get(PATH + "/{webhook_id}/deliveries", name="listDeliveries")
async def show_deliveries(request: web.Request) -> web.Response:
    """A page of deliveries, newest run first."""
    limit = read_number(request, "limit", DEFAULT_PAGE_DELIVERIES, least=1, most=MAX_PAGE_DELIVERIES)
    status, after = _read_status(request), _page_cursor(request)
    hook_id, store = _path_id(request), request.app[GATEWAY].deps.store
    if await get_webhook(store, hook_id) is None:
        raise _unknown(hook_id)
    rows = await list_deliveries(store, hook_id, status=status, after=after, limit=limit)
    body: dict[str, object] = {"deliveries": [serialize_delivery(row) for row in rows]}
    if len(rows) == limit:
        body["nextCursor"] = _cursor_after(rows[-1])
    return json_answer(body)


def _path_id(request: web.Request) -> str:
    hook_id = request.match_info["webhook_id"].lower()
    if not is_run_id(hook_id):
        raise _unknown(hook_id)
    note(request, webhook_id=hook_id)
    return hook_id


def _unknown(hook_id: str) -> ProblemError:
    return ProblemError(404, "webhook_unknown", f"There is no webhook {hook_id[:100]!r}.")


def _read_status(request: web.Request) -> DeliveryStatus | None:
    text = request.query.get("status")
    if text is not None and text not in _STATUSES:
        raise query_problem("status", f"there is no status {text[:50]!r}; there are {', '.join(_STATUSES)}.")
    return cast("DeliveryStatus | None", text)


def _cursor_after(row: DeliveryRow) -> str:
    return base64.urlsafe_b64encode(f"{row.run_id} {row.seq}".encode()).decode()


def _page_cursor(request: web.Request) -> DeliveryCursor | None:
    text = request.query.get("cursor")
    if text is None:
        return None
    try:
        run_id, seq = base64.b64decode(text, altchars=b"-_", validate=True).decode().split(" ")
        cursor = DeliveryCursor(known_form(run_id), int(seq))
    except (binascii.Error, ValueError, RunUnknown):
        raise query_problem("cursor", "this is not a nextCursor of this list.") from None
    if not 0 < cursor.seq < 2**31:
        raise query_problem("cursor", "this is not a nextCursor of this list.")
    return cursor
