"""Ids of runs as requests name them: in the path, the query and bodies."""

from __future__ import annotations

import re
from typing import Annotated

from aiohttp import web

from gateway.deps import GATEWAY
from gateway.endpoint import FromRequest
from gateway.middleware import bind_log_fields
from gateway.query import Parameter, QueryValue
from runs.errors import RunUnknown

_RUN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def canonical_run_id(run_id: str) -> str:
    """The id in lower case, as it is stored. Raises RunUnknown for a text that no run can have as its id."""
    if _RUN_ID.fullmatch(run_id) is None:
        raise RunUnknown(f"there is no run {run_id[:100]!r}: that is not a run id")
    return run_id.lower()


def run_id_value(description: str) -> QueryValue:
    """A run's id in the query."""
    return QueryValue(description, read=lambda text, _name: canonical_run_id(text))


async def _read_path(request: web.Request) -> str:
    run_id = canonical_run_id(request.match_info["run_id"])
    bind_log_fields(request, run_id=run_id)
    if not await request.app[GATEWAY].deps.store.visible([run_id]):
        raise RunUnknown(f"there is no run {run_id}")
    return run_id


PathRunId = Annotated[
    str,
    FromRequest(
        _read_path, [Parameter("run_id", "path", "The run's id.", {"type": "string", "format": "uuid"})]
    ),
]
"""The run that the path names, of the caller's tenant. Raises RunUnknown."""
