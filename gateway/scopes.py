"""Who calls, and what they may do. `may` is the one place that decides it, whichever way a request comes.

A token of the database has the scopes that it was made with, and those of its roles. One of `FLEXRUN_TOKENS` has those
of its roles where some open something (`@viewer`); one without such a role may do what such tokens always could
(BASIC), and of the rest what its roles name. Without any token everybody may do everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Protocol

from aiohttp import web

from gateway.errors import NotPermitted
from gateway.roles import Roles
from runs.commands import Actor
from schemas.tenant import DEFAULT_TENANT
from schemas.tokens import SCOPES, Scope, scopes_meant

BASIC: frozenset[Scope] = frozenset(
    {
        "runs:start",
        "runs:read",
        "runs:payload",
        "runs:control",
        "hitl:respond",
        "webhooks:manage",
        "links:make",
    }
)
EVERYTHING: frozenset[Scope] = frozenset(SCOPES)


class Owned(Protocol):
    """What a request is about: `tenant` is whose it is, None for what is the operator's and shown to all."""

    @property
    def tenant(self) -> str | None: ...


class Proof(Protocol):
    """Why a caller was believed, where no token that is kept here says who it is."""

    def scopes_now(self, roles: Roles) -> frozenset[Scope] | None:
        """What it would open now, where roles open this; None where it would not be believed any more."""
        ...


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request, and for which tenant. `token_id` names the token where the database keeps it; `digest` is its
    hash. `proof` is there in the place of both where an issuer or a certificate says who it is.
    """

    actor: Actor
    scopes: frozenset[Scope] = EVERYTHING
    token_id: str | None = None
    digest: bytes | None = None
    proof: Proof | None = field(default=None, compare=False)
    tenant: str = DEFAULT_TENANT


CALLER = web.RequestKey("caller", Caller)

CORRELATION_ID = web.RequestKey("correlation_id", str)
"""The id under which a request is found in the logs; it goes out with the answer."""


def may(caller: Caller, verb: Scope, thing: Owned | None = None) -> bool:
    """Whether this caller may do what asks for the scope `verb`, with `thing` where it is about one."""
    return (verb in caller.scopes or "admin" in caller.scopes) and (thing is None or may_see(caller, thing))


def may_see(caller: Caller, thing: Owned) -> bool:
    """Whether a thing is there at all for this caller: one of another tenant is answered like one that is not (404)."""
    return thing.tenant is None or thing.tenant == caller.tenant


def require(caller: Caller, *verbs: Scope) -> None:
    """Raise NotPermitted where the caller lacks one of these scopes; it names the first that is missing."""
    for verb in verbs:
        if not may(caller, verb):
            has = ", ".join(sorted(caller.scopes)) or "none"
            raise NotPermitted(
                f"This needs the scope {verb!r}; the token of {caller.actor.name!r} has {has}."
            )


def is_operator(caller: Caller) -> bool:
    """Whether this is who runs the installation: the scope `admin` in the default tenant."""
    return caller.tenant == DEFAULT_TENANT and may(caller, "admin")


def acting_in(caller: Caller, tenant: str) -> Caller | None:
    """The same caller in another tenant; None where that is no operator."""
    return replace(caller, tenant=tenant) if is_operator(caller) else None


def require_operators_tenant(caller: Caller) -> None:
    """Raise NotPermitted for callers of a tenant that shares the installation with its operator."""
    if caller.tenant != DEFAULT_TENANT:
        raise NotPermitted(f"This is about the whole installation, and not for the tenant {caller.tenant!r}.")


def scopes_of_plain_roles(roles: Iterable[str]) -> frozenset[Scope]:
    """What a token of `FLEXRUN_TOKENS` may do whose roles are those of rules and names of scopes."""
    return BASIC | scopes_meant(roles)
