"""Bodies that are checked in parts: JSON here, its descriptors one after the other."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from gateway.body import read_body
from gateway.capabilities.permission import require_writer
from gateway.deps import GATEWAY
from gateway.parsing import parse_json


async def read_document(request: web.Request) -> Any:
    """The JSON of a body, of a caller who may change the registry.

    Raises NotPermitted, ProblemError, DocumentRefused, CheckerUnavailable.
    """
    require_writer(request)
    gateway = request.app[GATEWAY]
    raw = await read_body(request, gateway.config)
    return await parse_json(gateway.deps.contracts.sandbox, raw, "registry.checking:check")
