"""Who calls: bearer tokens from `FLEXRUN_TOKENS`, from the database, and of an issuer, each with a name and roles.

Two ways to write them: `token=name:role1,role2;token2=name2`, or JSON such as
`{"token": {"name": "ada", "roles": ["editor"]}}` (a plain text as value is the name). A role with a `@` in front is one
that opens something (`gateway.roles`); the others are for the rules of runs. A token is of the default tenant unless
a role `tenant:NAME`, or the member `tenant`, names another.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson
from aiohttp import web

from eventstore.tenancy import sees
from eventstore.token_copy import TokenCopy
from eventstore.tokens import LiveToken, digest_of
from gateway.errors import TokenRefused
from gateway.identity.certificates import Certificates
from gateway.identity.oidc import Oidc, looks_issued
from gateway.roles import Roles
from gateway.scopes import Caller, acting_in, scopes_of_plain_roles
from runs.commands import Actor
from schemas.addresses import is_loopback
from schemas.redaction import know_secrets
from schemas.tenant import DEFAULT_TENANT, is_tenant_name
from schemas.tokens import Scope, access_roles, rule_roles, scopes_meant

ANONYMOUS = Actor("anonymous")
_NONE: dict[bytes, LiveToken] = {}
_NOBODY: Mapping[str, tuple[str, ...]] = {}
_MIN_TOKEN_CHARS = 8
_OF_TENANT = "tenant:"


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose a token is, and of which tenant."""

    actor: Actor
    tenant: str = DEFAULT_TENANT


class TokensInvalid(ValueError):
    """`FLEXRUN_TOKENS` cannot be read; the text says why and never shows a token."""


class BindRefused(ValueError):
    """Without tokens the gateway is for this machine only, and for the pages that were named."""


class Tokens:
    """The known tokens, kept as digests only: those of `FLEXRUN_TOKENS`, and those of the database (`stored`).

    `oidc` checks those of an issuer, where there is one; `certificates` says who needs none of these.
    """

    def __init__(self, holders: Mapping[str, Holder], roles: Roles | None = None) -> None:
        self.stored: TokenCopy | None = None
        self.oidc: Oidc | None = None
        self.certificates: Certificates | None = None
        self.roles = roles or Roles()
        self._digests = [
            (digest_of(token), _in_rules(holder), _scopes(holder.actor.roles, self.roles))
            for token, holder in holders.items()
        ]
        self._holders: tuple[Holder, ...] = ()
        self._made_from: tuple[object, object, object] | None = None

    @classmethod
    def parse(cls, text: str | None, roles: Roles | None = None) -> Tokens:
        """Read either format; nothing (or white space) means that no tokens are configured. Raises TokensInvalid.

        `roles` are those that open something; without them, those that are built in.
        """
        known = roles or Roles()
        stripped = (text or "").strip()
        if not stripped:
            return cls({}, known)
        pairs = _from_json(stripped) if stripped.startswith("{") else _from_text(stripped)
        holders: dict[str, Holder] = {}
        for token, holder in pairs:
            actor = holder.actor
            if len(token) < _MIN_TOKEN_CHARS:
                raise TokensInvalid(
                    f"the token of {actor.name!r} is shorter than {_MIN_TOKEN_CHARS} characters"
                )
            if token in holders:
                raise TokensInvalid(f"{holders[token].actor.name!r} and {actor.name!r} have the same token")
            if unknown := known.unknown(access_roles(actor.roles)):
                raise TokensInvalid(
                    f"{actor.name!r} has the role @{unknown[0]}, and FLEXRUN_ROLES has none of that name"
                )
            holders[token] = holder
        if not holders:
            raise TokensInvalid("tokens are set and there is none among them; write token=name:role1,role2")
        know_secrets(*holders)
        return cls(holders, known)

    def same_settings(self, other: Tokens) -> bool:
        """Whether other settings name the same tokens, and the same people with certificates."""
        mine, others = (
            each.certificates.people if each.certificates is not None else None for each in (self, other)
        )
        return self._digests == other._digests and mine == others

    def replace(self, other: Tokens) -> None:
        """Know the tokens of another `FLEXRUN_TOKENS`, and its roles, from now on; those of the database stay."""
        self._digests, self.roles = other._digests, other.roles
        if self.certificates is None:
            self.certificates = other.certificates
        else:
            self.certificates.people = other.certificates.people if other.certificates is not None else {}

    @property
    def configured(self) -> bool:
        """Whether callers have to say who they are: there is a token in the settings, an issuer, somebody with a
        certificate, or the database has or had a token.
        """
        return (
            bool(self._digests)
            or self.oidc is not None
            or self.certificates is not None
            or (self.stored is not None and self.stored.there_are)
        )

    @property
    def others_may_come(self) -> bool:
        """Whether an issuer says who has which roles, which nobody knows here before they come."""
        return self.oidc is not None

    @property
    def actors(self) -> tuple[Actor, ...]:
        """All people who have a token of the tenant that is worked for, or may come with a certificate."""
        return tuple(holder.actor for holder in self._all_holders() if sees(holder.tenant))

    def _all_holders(self) -> tuple[Holder, ...]:
        live = self.stored.live if self.stored is not None else _NONE
        certified = self.certificates.people if self.certificates is not None else _NOBODY
        made_from = live, self._digests, certified
        if self._made_from is None or any(
            old is not new for old, new in zip(self._made_from, made_from, strict=True)
        ):
            self._holders = (
                *(holder for _, holder, _ in self._digests),
                *(Holder(_stored_actor(row), row.tenant) for row in live.values()),
                *(Holder(Actor(name, rule_roles(roles), verified=True)) for name, roles in certified.items()),
            )
            self._made_from = made_from
        return self._holders

    def actor(self, token: str) -> Actor | None:
        """Whose token this is; None for a wrong one."""
        caller = self.caller(token)
        return caller.actor if caller is not None else None

    def caller(self, token: str) -> Caller | None:
        """Whose token this is, and what it is good for; None for one that is wrong, expired or revoked."""
        return self._find(digest_of(token))

    async def identify(self, token: str) -> Caller:
        """Whose token this is, an issuer's too. Raises TokenRefused, IdentityUnavailable."""
        known = self.caller(token)
        if known is not None:
            return known
        if self.oidc is None or not looks_issued(token):
            raise TokenRefused("This token is not known here, or not any more.")
        return await self.oidc.caller(token, self.roles)

    def still(self, caller: Caller) -> bool:
        """Whether a caller, who was let in before, would be let in now, and for the same."""
        if caller.proof is not None:
            return caller.proof.scopes_now(self.roles) == caller.scopes
        if caller.digest is None:
            return not self.configured
        found = self._find(caller.digest)
        return found is not None and (found == caller or acting_in(found, caller.tenant) == caller)

    def named(self, name: str) -> Actor | None:
        """Who has a token of the tenant that is worked for under this name, with the roles of all of them."""
        found = [actor for actor in self.actors if actor.name == name]
        roles = dict.fromkeys(role for actor in found for role in actor.roles)
        return Actor(name, tuple(roles), verified=True) if found else None

    def _find(self, offered: bytes) -> Caller | None:
        """Every digest of the settings is compared, each in constant time."""
        found: Caller | None = None
        for digest, holder, scopes in self._digests:
            if hmac.compare_digest(digest, offered):
                found = Caller(holder.actor, scopes, digest=offered, tenant=holder.tenant)
        if found is not None:
            return found
        row = self.stored.find(offered) if self.stored is not None else None
        if row is None:
            return None
        scopes = scopes_meant(row.scopes) | self.roles.scopes_of(access_roles(row.roles))
        actor = _stored_actor(row)
        return Caller(actor, scopes, token_id=row.token_id, digest=offered, tenant=row.tenant)


def _stored_actor(row: LiveToken) -> Actor:
    return Actor(row.name, rule_roles(row.roles), verified=True)


def _in_rules(holder: Holder) -> Holder:
    """The person as the rules of runs know them: without the roles that open something."""
    actor = holder.actor
    return Holder(Actor(actor.name, rule_roles(actor.roles), verified=actor.verified), holder.tenant)


def _scopes(roles: Sequence[str], known: Roles) -> frozenset[Scope]:
    """What a token of `FLEXRUN_TOKENS` may do."""
    if access := access_roles(roles):
        return known.scopes_of(access) | scopes_meant(roles)
    return scopes_of_plain_roles(roles)


def _holder(name: str, roles: list[str], tenant: str | None = None) -> Holder:
    if not name.strip():
        raise TokensInvalid("a token has no name; write token=name:role1,role2")
    given = [role.strip() for role in roles if role.strip()]
    tenants = [role.removeprefix(_OF_TENANT) for role in given if role.startswith(_OF_TENANT)]
    tenants += [tenant] if tenant is not None else []
    if len(tenants) > 1 or not all(map(is_tenant_name, tenants)):
        raise TokensInvalid(
            f"the token of {name.strip()!r} must name one tenant at most: small letters, digits and hyphens"
        )
    kept = tuple(role for role in given if not role.startswith(_OF_TENANT))
    return Holder(Actor(name.strip(), kept, verified=True), *tenants)


def _from_text(text: str) -> Iterator[tuple[str, Holder]]:
    for number, entry in enumerate(filter(None, (part.strip() for part in text.split(";"))), start=1):
        token, equals, who = entry.rpartition("=")
        if not equals or not token:
            raise TokensInvalid(f"entry {number} of the tokens is not token=name:role1,role2")
        name, _, roles = who.partition(":")
        yield token.strip(), _holder(name, roles.split(","))


def _from_json(text: str) -> Iterator[tuple[str, Holder]]:
    try:
        entries: dict[str, Any] = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise TokensInvalid(f"the tokens start like JSON and are none (character {error.pos})") from None
    for number, (token, entry) in enumerate(entries.items(), start=1):
        if isinstance(entry, str):
            yield token, _holder(entry, [])
            continue
        who = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}
        name, roles, tenant = who.get("name"), who.get("roles", []), who.get("tenant")
        if not isinstance(name, str) or not _is_texts(roles) or not isinstance(tenant, str | None):
            raise TokensInvalid(f'entry {number} of the tokens is not {{"name": text, "roles": [text]}}')
        yield token, _holder(name, roles, tenant)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in cast("list[object]", value))


def bearer_token(request: web.Request, *, in_query: bool) -> str | None:
    """The token of a request; where `in_query`, also of `?access_token=`, since an EventSource cannot send headers."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return (request.query.get("access_token") or None) if in_query else None


def check_bind(host: str, tokens: Tokens) -> None:
    """Raise BindRefused where every client on the network could do everything."""
    if not tokens.configured and not is_loopback(host):
        raise BindRefused(
            f"refusing to listen on {host or 'every interface'} without tokens: set FLEXRUN_TOKENS"
            " (token=name:role1,role2;…), make one (flexrun db token NAME --scope admin), or listen on 127.0.0.1"
        )


def check_origins(origins: Collection[str], tokens: Tokens) -> None:
    """Raise BindRefused where every page in a browser on this machine could do everything."""
    if not tokens.configured and "*" in origins:
        raise BindRefused(
            "refusing to let the pages of every origin call without tokens: set FLEXRUN_TOKENS, or name the origins"
            " in FLEXRUN_CORS_ORIGINS (https://app.example,…)"
        )
