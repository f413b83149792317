"""Signed links: the holder of one may decide one request, in the name of the person that it is for.

A link is `id.HMAC-SHA256(id)`, both in base64url. What it stands for is a row (`eventstore.links`): nothing of it is in
the link. The person's roles are looked up whenever it is used, so a link never outlives what the person may do.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

import orjson

from eventstore.installation import keep_secret
from eventstore.links import LinkRow, get_link
from eventstore.store import EventStore
from eventstore.tenancy import work_from_now_on_for
from gateway.auth import Tokens
from runs.commands import Actor

SECRET_NAME = "links"  # noqa: S105 - what the secret is called
UNVERIFIED = Actor("link")
"""The actor of a link that is for no person in particular: the name that is typed into the page counts."""

_ID_BYTES = 16
_TOKEN = re.compile(r"([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})")
_MAX_TOKEN_CHARS = 4_000
_PURPOSE = b"flexrun hitl link v2"


class LinkUnknown(Exception):
    """Not a link of ours: cut short, changed, or signed with another secret."""


class LinkOutdated(Exception):
    """A link of an earlier release, which carried a name and roles of its own."""


class LinkEnded(Exception):
    """A link that decides nothing any more. `forbidden`: because of the person, and not of the link itself."""

    def __init__(self, title: str, words: str, *, forbidden: bool) -> None:
        super().__init__(words)
        self.title = title
        self.words = words
        self.forbidden = forbidden


@dataclass(frozen=True, slots=True)
class ApprovalLink:
    """A link that is good. `actor` decides; unverified, it takes the name that is typed into the page."""

    row: LinkRow
    actor: Actor

    @property
    def run_id(self) -> str:
        return self.row.run_id

    @property
    def request_id(self) -> str:
        return self.row.request_id

    @property
    def expires_at(self) -> datetime:
        return self.row.expires_at

    def expired(self, now: datetime) -> bool:
        return now >= self.row.expires_at


class LinkSigner:
    """Signs and reads links. Without a configured secret it uses the one that the database keeps for all gateways."""

    def __init__(self, store: EventStore, secret: str | None, tokens: Tokens) -> None:
        self._store = store
        self._tokens = tokens
        self._key = _derived(secret.encode()) if secret else None

    async def sign(self, link_id: str) -> str:
        """The token of a link. Raises StoreUnavailable."""
        return f"{link_id}.{_encoded(await self._mac(link_id))}"

    async def read(self, token: str) -> ApprovalLink:
        """The link behind a token, expired or not. From now on the task works for the tenant of its run.

        Raises LinkUnknown, LinkOutdated, LinkEnded, StoreUnavailable.
        """
        found = _TOKEN.fullmatch(token)
        if found is None:
            raise LinkOutdated if _is_outdated(token) else LinkUnknown
        if not hmac.compare_digest(_encoded(await self._mac(found[1])), found[2]):
            raise LinkUnknown
        row = await get_link(self._store, found[1])
        if row is None or row.tenant is None:
            raise LinkUnknown
        work_from_now_on_for(row.tenant)
        return ApprovalLink(row, link_actor(row, self._tokens))

    async def _mac(self, text: str) -> bytes:
        if self._key is None:
            self._key = _derived(await keep_secret(self._store, SECRET_NAME, secrets.token_bytes(32)))
        return hmac.digest(self._key, text.encode(), sha256)


def link_actor(row: LinkRow, tokens: Tokens) -> Actor:
    """Who decides by a link now, with the roles that they have now. Raises LinkEnded."""
    if row.revoked_at is not None:
        words = "It was taken back. Ask for a new one if there is still something to decide."
        raise LinkEnded("This link was revoked", words, forbidden=False)
    if tokens.configured and not row.with_tokens:
        words = "It was made when anybody could decide here; now that takes a person. Ask for a new link."
        raise LinkEnded("This link has ended", words, forbidden=True)
    if row.person is None:
        return UNVERIFIED
    actor = tokens.named(row.person)
    if actor is None and row.known:
        words = f"It was made for {row.person}, who has no access here any more."
        raise LinkEnded("This link decides nothing any more", words, forbidden=True)
    return actor or Actor(row.person, verified=True)


def new_link_id() -> str:
    """An id that cannot be guessed."""
    return _encoded(secrets.token_bytes(_ID_BYTES))


def _is_outdated(token: str) -> bool:
    body, dot, _ = token.partition(".")
    if not dot or len(token) > _MAX_TOKEN_CHARS or not token.isascii():
        return False
    try:
        payload = orjson.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (binascii.Error, ValueError):
        return False
    return isinstance(payload, dict) and {"r", "q", "e"} <= payload.keys()


def _derived(secret: bytes) -> bytes:
    return hmac.digest(secret, _PURPOSE, sha256)


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
