"""Webhooks and their deliveries, for the endpoints that manage them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from eventstore.store import EventStore
from schemas.tenant import DEFAULT_TENANT

DeliveryStatus = Literal["pending", "delivered", "given_up"]

MAX_WEBHOOKS = 100
COUNTED = 10_000
"""`pending` and `given_up` are counted up to here."""

_LAST_RUN_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"
_LAST_SEQ = 2_147_483_647


def message_id(hook_id: str, run_id: str, seq: int) -> str:
    """The id of a message for its receiver: the same for every attempt at one event for one webhook, and unique
    otherwise."""
    return f"{hook_id}_{run_id}_{seq}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWebhook:
    """A webhook to be added, for runs of its tenant. `hook_id` is a UUID; `secret` has 24 to 64 bytes, and signs."""

    hook_id: str
    url: str
    event_types: Sequence[str]
    secret: bytes
    description: str | None = None
    created_by: str | None = None
    tenant: str = DEFAULT_TENANT


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """A webhook without its secret. `pending` and `given_up` count deliveries, up to COUNTED."""

    hook_id: str
    url: str
    event_types: list[str]
    description: str | None
    created_at: datetime
    created_by: str | None
    disabled_at: datetime | None
    disabled_reason: str | None
    pending: int
    given_up: int


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One event for one webhook. `next_attempt_at`: None while it waits for another, is under way, or is finished."""

    hook_id: str
    run_id: str
    seq: int
    type: str
    status: DeliveryStatus
    attempts: int
    created_at: datetime
    attempted_at: datetime | None
    next_attempt_at: datetime | None
    response_status: int | None
    error: str | None
    finished_at: datetime | None

    @property
    def message_id(self) -> str:
        """The `webhook-id` of every attempt."""
        return message_id(self.hook_id, self.run_id, self.seq)


@dataclass(frozen=True, slots=True)
class DeliveryCursor:
    """The last delivery of a page: the next page begins after it (newest run first, last event first)."""

    run_id: str
    seq: int


async def add_webhook(store: EventStore, webhook: NewWebhook, *, most: int = MAX_WEBHOOKS) -> datetime | None:
    """Add a webhook; the time when it was added, None where its tenant has `most` already, or MAX_WEBHOOKS.

    Events stored before the call are not delivered, those stored after its return all are.
    """
    rows = await store.fetch(
        "webhooks/add",
        {
            "id": webhook.hook_id,
            "url": webhook.url,
            "event_types": list(webhook.event_types),
            "description": webhook.description,
            "secret": webhook.secret,
            "created_by": webhook.created_by,
            "limit": min(MAX_WEBHOOKS, most),
            "tenant": webhook.tenant,
        },
    )
    return rows[0][0] if rows else None


async def list_webhooks(store: EventStore) -> list[WebhookRow]:
    """All webhooks, oldest first."""
    return await store.select(WebhookRow, "webhooks/list", {"id": None, "most": COUNTED})


async def get_webhook(store: EventStore, hook_id: str) -> WebhookRow | None:
    """One webhook; None for an id that is not known, or not any more."""
    rows = await store.select(WebhookRow, "webhooks/list", {"id": hook_id, "most": COUNTED})
    return rows[0] if rows else None


async def remove_webhook(store: EventStore, hook_id: str) -> bool:
    """Remove a webhook: no more deliveries begin, and its secret is deleted. False for an id that is not known, or
    not any more."""
    return bool(await store.fetch("webhooks/remove", {"id": hook_id}))


async def list_deliveries(
    store: EventStore,
    hook_id: str,
    *,
    status: DeliveryStatus | None = None,
    after: DeliveryCursor | None = None,
    limit: int = 50,
) -> list[DeliveryRow]:
    """Up to `limit` deliveries of one webhook, newest run first, from a cursor on."""
    parameters = {
        "hook_id": hook_id,
        "status": status,
        "run_before": after.run_id if after else _LAST_RUN_ID,
        "seq_before": after.seq if after else _LAST_SEQ,
        "limit": limit,
    }
    name = "webhooks/list_undelivered" if status in ("pending", "given_up") else "webhooks/list_deliveries"
    return await store.select(DeliveryRow, name, parameters)
