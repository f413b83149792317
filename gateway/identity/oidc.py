"""Tokens of an OpenID Connect issuer (JWT, RFC 7519 and 9068), checked with the keys that it publishes.

What a token says about where its key is (`jku`, `jwk`, `x5u`, `x5c`) is not looked at, and its `kid` is only compared.
The algorithm must be one of the settings and one that the key is for: all of them sign with a key that is secret.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import jwt

from gateway.errors import TokenRefused
from gateway.identity.claims import access_of, actor_of, scopes_of, tenant_of
from gateway.identity.config import OidcConfig
from gateway.identity.issuer_keys import IssuerKeys
from gateway.identity.key_set import MAX_KEY_ID_CHARS, IssuerKey
from gateway.roles import Roles
from gateway.scopes import Caller
from schemas.json_types import JsonObject
from schemas.tokens import Scope

MAX_TOKEN_CHARS = 16_384
_MOST_SECONDS = 2**40
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_OTHER_KINDS = frozenset({"ID", "Refresh", "Offline", "Logout"})
"""What Keycloak writes into the claim `typ` of tokens that are not for calling anything."""

_NOT_OURS = "This token is not known here, or not any more."
_WORDS: dict[type[Exception], str] = {
    jwt.ExpiredSignatureError: "This token has expired; get a new one from its issuer.",
    jwt.ImmatureSignatureError: "This token is not valid yet; are the clocks right?",
    jwt.InvalidAudienceError: "This token is meant for somebody else (aud).",
    jwt.InvalidIssuerError: "This token is of another issuer (iss).",
}
"""What is told about a token whose signature is good."""


@dataclass(frozen=True, slots=True)
class IssuedProof:
    """That a token of the issuer was checked: it holds `until` then, as long as its key is published.

    `access` are the names of scopes and roles in it.
    """

    keys: IssuerKeys
    key: IssuerKey
    until: float
    access: frozenset[str]

    def scopes_now(self, roles: Roles) -> frozenset[Scope] | None:
        """What the token would open now; None where it would not be accepted."""
        if time.time() >= self.until or not self.keys.has(self.key):
            return None
        return scopes_of(self.access, roles)


class Oidc:
    """Checks the tokens of one issuer."""

    def __init__(self, config: OidcConfig, keys: IssuerKeys) -> None:
        self.config = config
        self.keys = keys

    async def caller(self, token: str, roles: Roles) -> Caller:
        """Whose token this is, and what it is good for. Raises TokenRefused, IdentityUnavailable."""
        header = _header(token)
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in self.config.algorithms or not _is_access_token(header):
            raise TokenRefused(_NOT_OURS)
        if key_id is not None and not (isinstance(key_id, str) and len(key_id) <= MAX_KEY_ID_CHARS):
            raise TokenRefused(_NOT_OURS)
        key = await self.keys.find(key_id, algorithm)
        if key is None:
            raise TokenRefused(_NOT_OURS)
        claims = self._checked(token, key, algorithm)
        until = min(int(claims["exp"]), _MOST_SECONDS) + self.config.leeway_seconds
        access = access_of(claims, self.config)
        return Caller(
            actor_of(claims, self.config),
            scopes_of(access, roles),
            proof=IssuedProof(self.keys, key, until, access),
            tenant=tenant_of(claims, self.config),
        )

    def _checked(self, token: str, key: IssuerKey, algorithm: str) -> JsonObject:
        try:
            claims: JsonObject = jwt.decode(  # pyright: ignore[reportUnknownMemberType] - one of its options is untyped
                token,
                key.key,
                algorithms=[algorithm],
                audience=self.config.audience,
                issuer=self.config.issuer,
                leeway=self.config.leeway_seconds,
                options={"require": ["exp", "iss", "aud"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise TokenRefused(_WORDS.get(type(error), _NOT_OURS)) from None
        if claims.get("typ") in _OTHER_KINDS:
            raise TokenRefused("This is not an access token, which alone opens something here.")
        if claims.get("cnf") is not None:
            raise TokenRefused("This token is bound to a key of its holder (cnf), which is not checked here.")
        return claims


def looks_issued(token: str) -> bool:
    """Whether a token has the form of a signed JWT."""
    return token.startswith("eyJ") and token.count(".") == 2


def _header(token: str) -> dict[str, Any]:
    if len(token) > MAX_TOKEN_CHARS:
        raise TokenRefused(f"A token has {MAX_TOKEN_CHARS:,} characters at most.")
    try:
        return jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise TokenRefused(_NOT_OURS) from None


def _is_access_token(header: dict[str, Any]) -> bool:
    kind = header.get("typ")
    return kind is None or (isinstance(kind, str) and kind.lower() in _TYPES)
