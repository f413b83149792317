"""Webhooks as the doors show them, and the addresses that they may not have."""

from __future__ import annotations

import asyncio
import base64
import socket
from datetime import datetime
from urllib.parse import urlsplit

from eventstore.webhooks import DeliveryRow, WebhookRow
from runs.event import Json, JsonObject, rfc3339
from schemas.addresses import is_public
from schemas.refusal import DocumentRefused, FieldProblem

_RESOLVE_SECONDS = 3.0


def serialize_webhook(row: WebhookRow) -> JsonObject:
    """A webhook without its secret."""
    return _without_nothing(
        {
            "webhookId": row.hook_id,
            "url": row.url,
            "eventTypes": row.event_types,
            "description": row.description,
            "status": "active" if row.disabled_at is None else "disabled",
            "waiting": row.pending,
            "givenUp": row.given_up,
            "createdAt": rfc3339(row.created_at),
            "createdBy": row.created_by,
            "disabledAt": _time(row.disabled_at),
            "disabledReason": row.disabled_reason,
        }
    )


def serialize_secret(secret: bytes) -> str:
    """The secret as receivers' libraries want it."""
    return "whsec_" + base64.b64encode(secret).decode()


def serialize_delivery(row: DeliveryRow) -> JsonObject:
    """A delivery, with the last attempt's answer and the next attempt's time."""
    return _without_nothing(
        {
            "messageId": row.message_id,
            "runId": row.run_id,
            "eventId": str(row.seq),
            "type": row.type,
            "status": row.status,
            "attempts": row.attempts,
            "createdAt": rfc3339(row.created_at),
            "attemptedAt": _time(row.attempted_at),
            "nextAttemptAt": _time(row.next_attempt_at),
            "finishedAt": _time(row.finished_at),
            "responseStatus": row.response_status,
            "error": row.error,
        }
    )


async def refuse_private(url: str) -> None:
    """Raise DocumentRefused for a URL whose host is not on the public internet, as far as can be told now.

    A name that does not resolve is let through. What counts is the check of each connection, when it is made.
    """
    parts = urlsplit(url)
    look_up = asyncio.get_running_loop().getaddrinfo(
        parts.hostname, parts.port or 443, type=socket.SOCK_STREAM
    )
    try:
        async with asyncio.timeout(_RESOLVE_SECONDS):
            found = await look_up
    except (OSError, TimeoutError, UnicodeError):
        return
    private = [str(address[0]) for *_, address in found if not is_public(str(address[0]))]
    if private:
        message = (
            f"This leads to {private[0]}, which is not a public address;"
            " FLEXRUN_WEBHOOK_ALLOW_PRIVATE=true allows such receivers."
        )
        raise DocumentRefused([FieldProblem("address_refused", "/url", message)])


def _time(moment: datetime | None) -> str | None:
    return rfc3339(moment) if moment is not None else None


def _without_nothing(values: dict[str, Json]) -> JsonObject:
    return {key: value for key, value in values.items() if value is not None}
