"""Tokens of attempts: who has one may report on this attempt, at any gateway of the installation.

A token is `key.HMAC-SHA256(key)`, both in base64url; the key says which attempt it is, and which worker has it. The
secret is kept in the database. A token says nothing of whether the attempt is still under way: the log does.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from dataclasses import astuple, dataclass
from hashlib import sha256
from typing import Any

import orjson

from eventstore.installation import keep_secret
from eventstore.store import EventStore

SECRET_NAME = "tasks"  # noqa: S105 - what the secret is called
_PURPOSE = b"flexrun task token v1"
_MAX_TOKEN_CHARS = 2_000


class TokenForged(Exception):
    """Not a token of this installation: cut short, changed, or signed with another secret."""


@dataclass(frozen=True, slots=True)
class TaskKey:
    """An attempt, and the name under which its lease is held.

    `plan_version` is the plan that the node is of: a later one may have a node of the same name. A worker's lease is
    extended by `lease_seconds` until `ends_at` (seconds since 1970), when the time for the attempt is up.
    """

    run_id: str
    node_id: str
    attempt: int
    worker: str
    plan_version: int | None = None
    lease_seconds: float | None = None
    ends_at: float | None = None


class TaskTokens:
    """Signs and reads tokens with the secret that the database keeps for all processes."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._key: bytes | None = None

    async def sign(self, key: TaskKey) -> str:
        """The token of an attempt. Raises StoreUnavailable."""
        text = orjson.dumps(astuple(key))
        return f"{_encoded(text)}.{_encoded(await self._mac(text))}"

    async def read(self, token: str) -> TaskKey:
        """The attempt of a token. Raises TokenForged, StoreUnavailable."""
        body, _, signature = token.partition(".")
        text = _decoded(body) if len(token) <= _MAX_TOKEN_CHARS else b""
        if not hmac.compare_digest(_encoded(await self._mac(text)).encode(), signature.encode()):
            raise TokenForged
        fields: list[Any] = orjson.loads(text)
        return TaskKey(*fields)

    async def _mac(self, text: bytes) -> bytes:
        if self._key is None:
            secret = await keep_secret(self._store, SECRET_NAME, secrets.token_bytes(32))
            self._key = hmac.digest(secret, _PURPOSE, sha256)
        return hmac.digest(self._key, text, sha256)


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""
