"""Tokens of the API that the database keeps, each as its SHA-256.

A token has 256 random bits: nobody finds it by trying, so that no slow hash is needed, as a password would need it.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from uuid_utils import uuid7

from eventstore.store import EventStore
from schemas.tenant import DEFAULT_TENANT
from schemas.tokens import SCOPES, TOKEN_PREFIX, OldScope, Scope, TokenBody, scopes_meant

MAX_TOKENS = 2_000
"""How many there may be that are neither revoked nor expired: each gateway reads all of them every second."""

TOKEN_BYTES = 32
SHOWN_CHARS = 12
_LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token to be kept. `token` is shown once, and is nowhere in the database."""

    token_id: str
    token: str
    name: str
    scopes: Sequence[Scope]
    roles: Sequence[str] = ()
    description: str | None = None
    expires_in_seconds: float | None = None
    created_by: str
    tenant: str = DEFAULT_TENANT


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token without what would open anything."""

    token_id: str
    name: str
    prefix: str
    scopes: list[Scope | OldScope]
    roles: list[str]
    description: str | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str | None
    tenant: str


@dataclass(frozen=True, slots=True)
class LiveToken:
    """A token that is good until it expires, as gateways know it."""

    token_id: str
    name: str
    digest: bytes
    scopes: list[Scope | OldScope]
    roles: list[str]
    expires_at: datetime | None
    tenant: str


def new_token_id() -> str:
    """The id of a new token."""
    return str(uuid7())


def new_token() -> str:
    """A token that cannot be guessed."""
    return TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)


def digest_of(token: str) -> bytes:
    """What is kept of a token."""
    return sha256(token.encode("utf-8", "surrogateescape")).digest()


def made_token(body: TokenBody, created_by: str, tenant: str = DEFAULT_TENANT) -> NewToken:
    """A new token as it was asked for, which is not kept yet."""
    return NewToken(
        token_id=new_token_id(),
        token=new_token(),
        name=body.name.strip(),
        scopes=sorted(scopes_meant(body.scopes), key=SCOPES.index),
        roles=body.roles,
        description=body.description,
        expires_in_seconds=body.expires_in_seconds,
        created_by=created_by,
        tenant=tenant,
    )


async def add_token(store: EventStore, new: NewToken) -> TokenRow | None:
    """Keep a token, which opens the gateways from now on; None where there are MAX_TOKENS already."""
    rows = await store.select(TokenRow, "tokens/add", token_parameters(new))
    return rows[0] if rows else None


def token_parameters(new: NewToken) -> dict[str, object]:
    """The parameters of `tokens/add`."""
    return {
        "token_id": new.token_id,
        "name": new.name,
        "prefix": new.token[:SHOWN_CHARS],
        "digest": digest_of(new.token),
        "scopes": list(dict.fromkeys(new.scopes)),
        "roles": list(dict.fromkeys(new.roles)),
        "description": new.description,
        "created_by": new.created_by,
        "expires_in_seconds": new.expires_in_seconds,
        "limit": MAX_TOKENS,
        "tenant": new.tenant,
    }


async def list_tokens(store: EventStore, *, before: str | None = None, limit: int = 50) -> list[TokenRow]:
    """Up to `limit` tokens, newest first, from the one of id `before` on; also those that are good no more."""
    parameters = {"token_id": None, "before": before or _LAST_ID, "limit": limit}
    return await store.select(TokenRow, "tokens/list", parameters)


async def get_token(store: EventStore, token_id: str) -> TokenRow | None:
    """One token; None for an id that is not known."""
    parameters = {"token_id": token_id, "before": _LAST_ID, "limit": 1}
    rows = await store.select(TokenRow, "tokens/list", parameters)
    return rows[0] if rows else None


async def revoke_token(store: EventStore, token_id: str, revoked_by: str) -> bool:
    """Have a token open nothing from now on; False for an id that is not known."""
    return bool(await store.fetch("tokens/revoke", {"token_id": token_id, "revoked_by": revoked_by}))
