"""Who calls, and with which token."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from runs.commands import Actor


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request. `token_id` names the token, where it is one that the database keeps."""

    actor: Actor
    token_id: str | None = None


CALLER = web.RequestKey("caller", Caller)

CORRELATION_ID = web.RequestKey("correlation_id", str)
"""The id under which a request is found in the logs; it goes out with the answer."""
