"""Bodies of requests, as models."""

from __future__ import annotations

from typing import TypeVar

from aiohttp import web

from gateway.body import read_body
from gateway.deps import GATEWAY
from gateway.parsing import parse_body
from gateway.people.decisions import Decisions
from schemas.base import Model

M = TypeVar("M", bound=Model)


async def read_model(request: web.Request, model: type[M], *, optional: bool = False) -> M:
    """The body; where it is `optional`, none at all is an empty object. Raises DocumentRefused, ProblemError."""
    gateway = request.app[GATEWAY]
    raw = await read_body(request, gateway.config)
    if optional and not raw.strip():
        raw = b"{}"
    return await parse_body(gateway.deps.contracts.sandbox, model, raw)


def decisions_of(request: web.Request) -> Decisions:
    """The service, over this gateway's parts."""
    deps = request.app[GATEWAY].deps
    return Decisions(deps.store, deps.handler, deps.contracts, deps.clock)
