"""Who calls, and what they may do. `may` is the one place that decides it.

A token of the database has the scopes that it was made with. One of `FLEXRUN_TOKENS` may do what such tokens always
could (BASIC), and of the rest what its roles name. Without any token everybody may do everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aiohttp import web

from gateway.errors import NotPermitted
from runs.commands import Actor
from schemas.tenant import DEFAULT_TENANT
from schemas.tokens import SCOPES, Scope

BASIC: frozenset[Scope] = frozenset({"runs:read", "runs:write", "hitl:respond", "webhooks:write"})
EVERYTHING: frozenset[Scope] = frozenset(SCOPES)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request, and for which tenant. `token_id` names the token where the database keeps it; `digest` is its
    hash.
    """

    actor: Actor
    scopes: frozenset[Scope] = EVERYTHING
    token_id: str | None = None
    digest: bytes | None = None
    tenant: str = DEFAULT_TENANT


CALLER = web.RequestKey("caller", Caller)

CORRELATION_ID = web.RequestKey("correlation_id", str)
"""The id under which a request is found in the logs; it goes out with the answer."""


def may(caller: Caller, scope: Scope) -> bool:
    """Whether this caller may do what asks for `scope`."""
    return scope in caller.scopes or "admin" in caller.scopes


def require(caller: Caller, scope: Scope) -> None:
    """Raise NotPermitted where the caller may not do what asks for `scope`."""
    if not may(caller, scope):
        has = ", ".join(sorted(caller.scopes)) or "none"
        raise NotPermitted(f"This needs the scope {scope!r}; the token of {caller.actor.name!r} has {has}.")


def scopes_of_roles(roles: Iterable[str]) -> frozenset[Scope]:
    """What a token of `FLEXRUN_TOKENS` may do."""
    named = set(roles)
    return BASIC | frozenset[Scope](scope for scope in SCOPES if scope in named)
