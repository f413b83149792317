"""Signed links: whoever holds one may decide one request, until it expires or the request is decided.

A link is `base64url(payload).base64url(HMAC-SHA256)`. The payload names the run, the request, the end of the link's
time and in whose name it decides; nothing about it is stored.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import orjson

from eventstore.people import keep_secret
from eventstore.store import EventStore
from runs.commands import Actor

SECRET_NAME = "links"  # noqa: S105 - what the secret is called
_MAX_TOKEN_CHARS = 4_000
_PURPOSE = b"flexrun hitl link v1"


class LinkUnknown(Exception):
    """Not a link of ours: cut short, changed, or signed with another secret."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a link stands for. `actor` decides; unverified, it takes the name that is typed into the page."""

    run_id: str
    request_id: str
    expires_at: datetime
    actor: Actor

    def expired(self, now: datetime) -> bool:
        return now >= self.expires_at


class LinkSigner:
    """Signs and reads links. Without a configured secret it uses the one that the database keeps for all gateways."""

    def __init__(self, store: EventStore, secret: str | None) -> None:
        self._store = store
        self._key = _derived(secret.encode()) if secret else None

    async def sign(self, link: Link) -> str:
        """The token of a link. Raises StoreUnavailable."""
        payload = {
            "r": link.run_id,
            "q": link.request_id,
            "e": int(link.expires_at.timestamp()),
            "n": link.actor.name,
            "o": list(link.actor.roles),
            "v": link.actor.verified,
        }
        body = _encoded(orjson.dumps(payload))
        return f"{body}.{_encoded(await self._mac(body))}"

    async def read(self, token: str) -> Link:
        """The link behind a token, expired or not. Raises LinkUnknown, StoreUnavailable."""
        body, dot, mac = token.partition(".")
        if not dot or len(token) > _MAX_TOKEN_CHARS or not token.isascii():
            raise LinkUnknown
        if not hmac.compare_digest(_encoded(await self._mac(body)), mac):
            raise LinkUnknown
        try:
            payload: dict[str, Any] = orjson.loads(_decoded(body))
        except (binascii.Error, orjson.JSONDecodeError):
            raise LinkUnknown from None
        actor = Actor(payload["n"], tuple(payload["o"]), verified=payload["v"])
        return Link(payload["r"], payload["q"], datetime.fromtimestamp(payload["e"], UTC), actor)

    async def _mac(self, body: str) -> bytes:
        if self._key is None:
            self._key = _derived(await keep_secret(self._store, SECRET_NAME, secrets.token_bytes(32)))
        return hmac.digest(self._key, body.encode(), sha256)


def _derived(secret: bytes) -> bytes:
    return hmac.digest(secret, _PURPOSE, sha256)


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
