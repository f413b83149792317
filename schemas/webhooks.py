"""Webhooks: subscriptions to the events of runs, and their deliveries."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from schemas.base import Model, Note, flaw, refused
from schemas.vocabulary import EventType

DeliveryStatus = Literal["pending", "delivered", "given_up"]


_HOST = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?|[0-9a-f:.]*:[0-9a-f:.]*"
)
"""A host name (or IPv4 address) without a dot at its end, or an IPv6 address without a zone."""


def _http_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise refused(flaw("bad_format", "This is not a URL.")) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise refused(
            flaw("bad_format", "A webhook's URL begins with https:// (or http://) and names a host.")
        )
    if parts.username is not None or parts.password is not None:
        raise refused(
            flaw("bad_format", "Credentials do not belong in the URL; the signature says who is calling.")
        )
    if _HOST.fullmatch(parts.hostname) is None:
        raise refused(
            flaw(
                "bad_format",
                "The host of a webhook is a name or an address as it is: no percent escapes, no dot at its end.",
            )
        )
    if parts.fragment:
        raise refused(flaw("bad_format", "A fragment (#…) is never sent; leave it out."))
    return text


WebhookUrl = Annotated[
    str, StringConstraints(min_length=1, max_length=2_000, pattern=r"^[!-~]+$"), AfterValidator(_http_url)
]
"""An absolute http or https URL in ASCII, without credentials and without a fragment."""


def _once_each(types: list[EventType]) -> list[EventType]:
    for place, event_type in enumerate(types):
        if event_type in types[:place]:
            raise refused(flaw("duplicate", f"{event_type} is there already.", place))
    return types


class WebhookBody(Model):
    """The body of `POST /api/v1/flex/webhooks`: send the events of these types to `url`, from now on."""

    url: WebhookUrl
    event_types: Annotated[list[EventType], Field(min_length=1), AfterValidator(_once_each)]
    description: Note | None = None
