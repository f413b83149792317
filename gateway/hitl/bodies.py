"""Bodies of requests, as models."""

from __future__ import annotations

from typing import TypeVar

from aiohttp import web

from gateway.body import read_body
from gateway.deps import GATEWAY
from gateway.hitl.decisions import Decisions
from schemas.base import Model
from schemas.parsing import parse_document

M = TypeVar("M", bound=Model)


async def read_model(request: web.Request, model: type[M], *, optional: bool = False) -> M:
    """The body; where it is `optional`, none at all is an empty object. Raises DocumentRefused, ProblemError."""
    raw = await read_body(request, request.app[GATEWAY].config)
    return parse_document(model, b"{}" if optional and not raw.strip() else raw)


def decisions_of(request: web.Request) -> Decisions:
    """The service, over this gateway's parts."""
    deps = request.app[GATEWAY].deps
    return Decisions(deps.store, deps.handler, deps.contracts, deps.clock)
