"""Webhooks and their deliveries, as endpoints show them."""

from __future__ import annotations

import base64
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from eventstore.webhooks import DeliveryRow, WebhookRow
from gateway.response import Response, document
from runs.event import JsonObject
from schemas.base import RunId, Timestamp
from schemas.vocabulary import EventType
from schemas.webhooks import DeliveryStatus, WebhookUrl


class Webhook(Response):
    """A webhook. `waiting` and `givenUp` count its deliveries, up to 10,000."""

    webhook_id: RunId
    url: WebhookUrl
    event_types: list[EventType]
    description: str | None = None
    status: Literal["active", "disabled"]
    waiting: Annotated[int, Field(ge=0)]
    given_up: Annotated[int, Field(ge=0)]
    created_at: Timestamp
    created_by: str | None = None
    disabled_at: Timestamp | None = None
    disabled_reason: str | None = None

    @classmethod
    def of(cls, row: WebhookRow) -> JsonObject:
        """A webhook as its row has it, without its secret."""
        status = "active" if row.disabled_at is None else "disabled"
        return document(cls, row, webhook_id=row.hook_id, status=status, waiting=row.pending)


class WebhookCreated(Webhook):
    """A webhook that was just made, with the secret that its receiver checks signatures with: shown this once."""

    secret: Annotated[str, StringConstraints(pattern=r"^whsec_[A-Za-z0-9+/]+=*$")]

    @classmethod
    def with_secret(cls, row: WebhookRow, secret: bytes) -> JsonObject:
        """A webhook as its row has it, and the secret as receivers' libraries want it."""
        return cls.of(row) | {"secret": "whsec_" + base64.b64encode(secret).decode()}


class WebhookList(Response):
    """All webhooks, oldest first."""

    webhooks: list[Webhook]


class WebhookDelivery(Response):
    """One event on its way to one webhook; `messageId` is the `webhook-id` of every attempt."""

    message_id: str
    run_id: RunId
    event_id: str
    type: EventType
    status: DeliveryStatus
    attempts: Annotated[int, Field(ge=0)]
    created_at: Timestamp
    attempted_at: Timestamp | None = None
    next_attempt_at: Timestamp | None = None
    finished_at: Timestamp | None = None
    response_status: int | None = None
    error: str | None = None

    @classmethod
    def of(cls, row: DeliveryRow) -> JsonObject:
        """A delivery as its row has it, with the last attempt's response and the next attempt's time."""
        return document(cls, row, event_id=str(row.seq))


class WebhookDeliveryList(Response):
    """A page of deliveries, newest runs first; `nextCursor` is there while there are more."""

    deliveries: list[WebhookDelivery]
    next_cursor: str | None = None
