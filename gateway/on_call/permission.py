"""Who may mend things by hand."""

from __future__ import annotations

from aiohttp import web

from gateway.deps import GATEWAY
from gateway.errors import NotPermitted
from gateway.middleware import caller

ADMIN = "admin"
NOT_PERMITTED = {403: "The token has not the role `admin` (`not_permitted`)."}


def require_admin(request: web.Request) -> str:
    """The caller's name. Raises NotPermitted where tokens are configured and this one is not an administrator's."""
    actor = caller(request)
    if request.app[GATEWAY].deps.tokens.configured and ADMIN not in actor.roles:
        raise NotPermitted(f"This needs the role {ADMIN!r}; {actor.name!r} has it not.")
    return actor.name
