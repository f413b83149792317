"""`GET /api/v1/flex/runs`: list runs."""

from __future__ import annotations

import base64
import binascii
from typing import get_args

from aiohttp import web

from eventstore.queries import RunCursor, RunFilters, RunRow, list_runs
from gateway.answers import json_answer
from gateway.deps import GATEWAY
from gateway.query import known_form, query_problem, read_number
from gateway.runs.serializers import serialize_run
from runs.errors import RunUnknown
from runs.event import parse_time, rfc3339
from schemas.vocabulary import RunStatus

ROUTES = web.RouteTableDef()

PATH = "/api/v1/flex/runs"
DEFAULT_PAGE_RUNS = 50
MAX_PAGE_RUNS = 200
_STATUSES = get_args(RunStatus)


@ROUTES.get(PATH, name="listRuns")
async def show_list(request: web.Request) -> web.Response:
    """A page of runs, newest first."""
    limit = read_number(request, "limit", DEFAULT_PAGE_RUNS, least=1, most=MAX_PAGE_RUNS)
    filters = RunFilters(
        statuses=_statuses(request),
        thread_id=request.query.get("threadId"),
        run_label=request.query.get("label"),
        client_id=request.query.get("clientId"),
    )
    store = request.app[GATEWAY].deps.store
    rows = await list_runs(store, filters, after=_page_cursor(request), limit=limit)
    body: dict[str, object] = {"runs": [serialize_run(row) for row in rows]}
    if len(rows) == limit:
        body["nextCursor"] = _cursor_after(rows[-1])
    return json_answer(body)


def _statuses(request: web.Request) -> list[str] | None:
    asked = [each for value in request.query.getall("status", []) for each in value.split(",")]
    unknown = [each for each in asked if each not in _STATUSES]
    if unknown:
        raise query_problem(
            "status", f"there is no status {unknown[0][:50]!r}; there are {', '.join(_STATUSES)}."
        )
    return list(dict.fromkeys(asked)) or None


def _cursor_after(row: RunRow) -> str:
    return base64.urlsafe_b64encode(f"{rfc3339(row.created_at)} {row.run_id}".encode()).decode()


def _page_cursor(request: web.Request) -> RunCursor | None:
    text = request.query.get("cursor")
    if text is None:
        return None
    try:
        created_at, run_id = base64.b64decode(text, altchars=b"-_", validate=True).decode().split(" ")
        return RunCursor(parse_time(created_at), known_form(run_id))
    except (binascii.Error, ValueError, RunUnknown):
        raise query_problem("cursor", "this is not a nextCursor of this list.") from None
