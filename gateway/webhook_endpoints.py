"""The doors for webhooks, as the table of doors has them."""

from __future__ import annotations

from typing import get_args

from gateway.endpoints import JSON, UNAUTHORIZED, UNAVAILABLE, DocumentedResponse, Endpoint, Parameter
from schemas.base import OpenModel
from schemas.webhooks import DeliveryStatus, Webhook, WebhookCreated, WebhookDeliveryList, WebhookList

_PATH = "/api/v1/flex/webhooks"
_ID = Parameter("webhook_id", "path", "The webhook's id.", {"type": "string", "format": "uuid"})
_UNKNOWN = {404: "There is no such webhook (`webhook_unknown`)."}

WEBHOOK_MODELS: tuple[type[OpenModel], ...] = (Webhook, WebhookCreated, WebhookList, WebhookDeliveryList)

WEBHOOK_DOORS = (
    Endpoint(
        name="addWebhook",
        method="post",
        path=_PATH,
        tag="webhooks",
        summary="Send events to a URL from now on",
        description="Each event of these types that is stored from now on is posted to `url` as its FlexEvent, signed"
        " as Standard Webhooks has it (`webhook-id`, `webhook-timestamp`, `webhook-signature`), for each run in order"
        " and one at a time, until it is answered 2xx.",
        body="WebhookBody",
        answers=[
            DocumentedResponse(201, "It is there. `secret` is shown this once.", {JSON: "WebhookCreated"}),
        ],
        problems={
            400: "The body is no JSON or no WebhookBody, or its URL leads to an address that is not public"
            " (`invalid_json`, `invalid_body`).",
            409: "There are too many webhooks (`webhooks_full`).",
        }
        | UNAUTHORIZED
        | UNAVAILABLE,
    ),
    Endpoint(
        name="listWebhooks",
        method="get",
        path=_PATH,
        tag="webhooks",
        summary="All webhooks",
        answers=[DocumentedResponse(200, "Oldest first, without their secrets.", {JSON: "WebhookList"})],
        problems={400: "There are no parameters (`query_invalid`)."} | UNAUTHORIZED | UNAVAILABLE,
    ),
    Endpoint(
        name="showWebhook",
        method="get",
        path=_PATH + "/{webhook_id}",
        tag="webhooks",
        summary="One webhook",
        parameters=[_ID],
        answers=[DocumentedResponse(200, "The webhook, without its secret.", {JSON: "Webhook"})],
        problems=_UNKNOWN | UNAUTHORIZED | UNAVAILABLE,
    ),
    Endpoint(
        name="removeWebhook",
        method="delete",
        path=_PATH + "/{webhook_id}",
        tag="webhooks",
        summary="Send nothing more to a webhook",
        parameters=[_ID],
        answers=[DocumentedResponse(204, "It is gone, and what waited for it.")],
        problems=_UNKNOWN | UNAUTHORIZED | UNAVAILABLE,
    ),
    Endpoint(
        name="listDeliveries",
        method="get",
        path=_PATH + "/{webhook_id}/deliveries",
        tag="webhooks",
        summary="What became of the events for one webhook",
        parameters=[
            _ID,
            Parameter(
                "status", "query", "Only those with this status.", {"enum": list(get_args(DeliveryStatus))}
            ),
            Parameter("cursor", "query", "The `nextCursor` of the page before."),
            Parameter(
                "limit", "query", "How many, at most.", {"type": "integer", "minimum": 1, "maximum": 200}
            ),
        ],
        answers=[DocumentedResponse(200, "A page, newest runs first.", {JSON: "WebhookDeliveryList"})],
        problems={400: "A parameter is wrong or unknown (`query_invalid`)."}
        | _UNKNOWN
        | UNAUTHORIZED
        | UNAVAILABLE,
    ),
)
