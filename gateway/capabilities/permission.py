"""Who may change the registry."""

from __future__ import annotations

from aiohttp import web

from gateway.deps import GATEWAY
from gateway.errors import NotPermitted
from gateway.middleware import caller

WRITER_ROLES = frozenset({"capabilities:write", "admin"})
NOT_PERMITTED = {403: "The token has neither the role `capabilities:write` nor `admin` (`not_permitted`)."}


def require_writer(request: web.Request) -> str:
    """The caller's name. Raises NotPermitted where tokens are configured and this one has no role for it."""
    actor = caller(request)
    if request.app[GATEWAY].deps.tokens.configured and not WRITER_ROLES.intersection(actor.roles):
        roles = " or ".join(repr(role) for role in sorted(WRITER_ROLES))
        raise NotPermitted(f"Changing the registry needs the role {roles}; {actor.name!r} has neither.")
    return actor.name
