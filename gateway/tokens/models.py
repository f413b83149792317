"""Tokens as endpoints show them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from eventstore.tokens import TokenRow
from gateway.response import Response, document
from runs.event import JsonObject
from schemas.base import Timestamp
from schemas.tokens import OldScope, Scope


class TokenEntry(Response):
    """A token without what would open anything: `prefix` is how it begins. `lastUsedAt` is a minute late at most.

    `scopes` are its own: what those of `roles` open that begin with `@` comes to it, as the gateway's settings say.
    """

    token_id: str
    name: str
    prefix: str
    scopes: list[Scope | OldScope]
    roles: list[str]
    tenant: str
    status: Literal["active", "expired", "revoked"]
    description: str | None = None
    created_at: Timestamp
    created_by: str
    expires_at: Timestamp | None = None
    last_used_at: Timestamp | None = None
    revoked_at: Timestamp | None = None
    revoked_by: str | None = None

    @classmethod
    def of(cls, row: TokenRow, now: datetime) -> JsonObject:
        """A token as its row has it."""
        return document(cls, row, status=token_status(row, now))


class TokenCreated(TokenEntry):
    """A new token. `token` is shown this once."""

    token: str

    @classmethod
    def with_token(cls, row: TokenRow, token: str, now: datetime) -> JsonObject:
        """A token as its row has it, and the token itself."""
        return document(cls, row, status=token_status(row, now), token=token)


class TokenList(Response):
    """Newest first; `nextCursor` is there while there are more."""

    tokens: list[TokenEntry]
    next_cursor: str | None = None


def token_status(row: TokenRow, now: datetime) -> str:
    """What a token is good for now."""
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if row.expires_at is not None and row.expires_at <= now else "active"
