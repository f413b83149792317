"""`GET /api/v1/flex/runs`: list runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, get_args

from aiohttp import web

from eventstore.queries.run_list import WAIT_FILTERS, RunCursor, RunFilters, WaitFilter, list_runs
from eventstore.queries.runs import RunRow
from gateway.deps import GATEWAY
from gateway.endpoint import JSON, QUERY_INVALID, UNAUTHORIZED, UNAVAILABLE, DocumentedResponse, Endpoints
from gateway.page_cursor import page_cursor, write_page_cursor
from gateway.query import Query, QueryValue, known_value, moment, whole_number, yes_or_no
from gateway.response import Response, document, json_response
from gateway.run_id import canonical_run_id
from gateway.scopes import CALLER, require
from runs.event import JsonObject, parse_time
from schemas.base import RunId, Timestamp
from schemas.payload_marks import PAYLOAD
from schemas.payloads import ErrorInfo
from schemas.usage import RunUsage
from schemas.vocabulary import RunStatus
from schemas.withheld import NEEDED

ENDPOINTS = Endpoints("runs")

DEFAULT_PAGE_RUNS = 50
MAX_PAGE_RUNS = 200
_STATUSES: tuple[str, ...] = get_args(RunStatus)


def _read_statuses(texts: Sequence[str], name: str) -> list[str] | None:
    asked = [known_value(each, name, _STATUSES) for text in texts for each in text.split(",")]
    return list(dict.fromkeys(asked)) or None


def _read_cursor(key: Sequence[str]) -> RunCursor:
    created_at, run_id = key
    return RunCursor(parse_time(created_at), canonical_run_id(run_id))


def _read_wait(text: str, name: str) -> str:
    return known_value(text, name, WAIT_FILTERS)


class RunListQuery(Query):
    """Which runs to list, and from where on."""

    status: Annotated[
        list[str] | None,
        QueryValue("Only runs with this status.", {"enum": list(_STATUSES)}, _read_statuses, repeated=True),
    ] = None
    thread_id: Annotated[str | None, QueryValue("Only runs of this thread.")] = None
    label: Annotated[str | None, QueryValue("Only runs whose metadata.runLabel is this.")] = None
    client_id: Annotated[str | None, QueryValue("Only runs whose metadata.clientId is this.")] = None
    submitted_by: Annotated[str | None, QueryValue("Only runs that this person submitted.")] = None
    error_code: Annotated[str | None, QueryValue("Only runs that ended with this error code.")] = None
    capability_id: Annotated[
        str | None, QueryValue("Only runs of whose plan a node has this capability.")
    ] = None
    objective: Annotated[
        str | None, QueryValue("Only runs whose objective has this text in it, in any case of its letters.")
    ] = None
    waiting_for: Annotated[
        WaitFilter | None,
        QueryValue(
            "Only open runs that wait for this. `worker` is work that is due and that nobody has taken, `lease` work"
            " that somebody has.",
            {"enum": list(WAIT_FILTERS)},
            _read_wait,
        ),
    ] = None
    imported: Annotated[
        bool | None, yes_or_no("Only runs that were imported; `false`: only those that were not.")
    ] = None
    created_after: Annotated[datetime | None, moment("Only runs made at this time or later.")] = None
    created_before: Annotated[datetime | None, moment("Only runs made before this time.")] = None
    cursor: Annotated[RunCursor | None, page_cursor(_read_cursor)] = None
    limit: Annotated[int, whole_number("How many, at most.", least=1, most=MAX_PAGE_RUNS)] = DEFAULT_PAGE_RUNS


class RunSummary(Response):
    """A run in a list."""

    run_id: RunId
    status: RunStatus
    objective: Annotated[str, PAYLOAD]
    thread_id: str | None = None
    run_label: str | None = None
    client_id: str | None = None
    submitted_by: str | None = None
    correlation_id: str | None = None
    plan_version: int | None = None
    last_event_id: str
    error: ErrorInfo | None = None
    usage: RunUsage | None = None
    created_at: Timestamp
    updated_at: Timestamp
    completed_at: Timestamp | None = None
    imported_at: Timestamp | None = None
    erased_at: Timestamp | None = None

    @classmethod
    def of(cls, run: RunRow) -> JsonObject:
        """A run as its row has it."""
        return document(cls, run, last_event_id=str(run.head_seq))


class RunList(Response):
    """Newest first; `next_cursor` is there while there may be more. A page may be short, or empty, before the last."""

    runs: list[RunSummary]
    next_cursor: str | None = None


@ENDPOINTS.get(
    "/api/v1/flex/runs",
    name="listRuns",
    needs="runs:read",
    summary="List runs, newest first",
    description="All filters together must match. One of them is looked up; for the others, and for `objective`, a page"
    " looks at 10,000 runs and may have fewer than `limit`, or none: go on with `nextCursor`. The filter `objective`"
    " needs the scope `runs:payload` too.",
    responses=[DocumentedResponse(200, "A page.", {JSON: RunList})],
    problems=QUERY_INVALID | UNAUTHORIZED | UNAVAILABLE,
)
async def show_list(request: web.Request, query: RunListQuery) -> web.Response:
    """A page of runs, newest first."""
    if query.objective is not None:
        require(request[CALLER], NEEDED)  # whether it is found tells what it is
    filters = RunFilters(
        statuses=query.status,
        thread_id=query.thread_id,
        run_label=query.label,
        client_id=query.client_id,
        submitted_by=query.submitted_by,
        error_code=query.error_code,
        capability_id=query.capability_id,
        objective=query.objective,
        waiting_for=query.waiting_for,
        imported=query.imported,
        created_after=query.created_after,
        created_before=query.created_before,
    )
    page = await list_runs(request.app[GATEWAY].deps.store, filters, after=query.cursor, limit=query.limit)
    body: JsonObject = {"runs": [RunSummary.of(row) for row in page.runs]}
    if page.after is not None:
        body["nextCursor"] = write_page_cursor(page.after.created_at, page.after.run_id)
    return json_response(body)
