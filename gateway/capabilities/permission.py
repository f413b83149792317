"""Who may change the registry."""

from __future__ import annotations

from aiohttp import web

from gateway.scopes import CALLER, require

NOT_PERMITTED = {403: "The token lacks the scope `capabilities:write` (`not_permitted`)."}


def require_writer(request: web.Request) -> str:
    """The caller's name. Raises NotPermitted where the token lacks the scope for it."""
    who = request[CALLER]
    require(who, "capabilities:write")
    return who.actor.name
