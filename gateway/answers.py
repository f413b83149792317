"""JSON answers."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from aiohttp import web

from runs.event import Json


def json_answer(
    document: Json,
    *,
    status: int = 200,
    run_id: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """`document` as JSON, with the run that it is about in `X-Run-Id`."""
    response = web.Response(
        body=orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE),
        status=status,
        content_type="application/json",
    )
    if run_id is not None:
        response.headers["X-Run-Id"] = run_id
    response.headers.update(headers or {})
    return response
