"""`GET /api/v1/flex/runs`: list runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, get_args

from aiohttp import web

from eventstore.queries.runs import RunCursor, RunFilters, RunRow, list_runs
from gateway.deps import GATEWAY
from gateway.endpoint import JSON, QUERY_INVALID, UNAUTHORIZED, UNAVAILABLE, DocumentedResponse, Endpoints
from gateway.page_cursor import page_cursor, write_page_cursor
from gateway.query import Query, QueryValue, known_value, whole_number
from gateway.response import Response, document, json_response
from gateway.run_id import canonical_run_id
from runs.event import JsonObject, parse_time
from schemas.base import RunId, Timestamp
from schemas.payloads import ErrorInfo
from schemas.usage import RunUsage
from schemas.vocabulary import RunStatus

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


class RunListQuery(Query):
    """Which runs to list, and from where on."""

    status: Annotated[
        list[str] | None,
        QueryValue("Only runs with this status.", {"enum": list(_STATUSES)}, _read_statuses, repeated=True),
    ] = None
    thread_id: Annotated[str | None, QueryValue("Only runs of this thread.")] = None
    label: Annotated[str | None, QueryValue("Only runs whose metadata.runLabel is this.")] = None
    client_id: Annotated[str | None, QueryValue("Only runs whose metadata.clientId is this.")] = None
    cursor: Annotated[RunCursor | None, page_cursor(_read_cursor)] = None
    limit: Annotated[int, whole_number("How many, at most.", least=1, most=MAX_PAGE_RUNS)] = DEFAULT_PAGE_RUNS


class RunSummary(Response):
    """A run in a list."""

    run_id: RunId
    status: RunStatus
    objective: str
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

    @classmethod
    def of(cls, run: RunRow) -> JsonObject:
        """A run as its row has it."""
        return document(cls, run, last_event_id=str(run.head_seq))


class RunList(Response):
    """Newest first; `next_cursor` is there while there are more."""

    runs: list[RunSummary]
    next_cursor: str | None = None


@ENDPOINTS.get(
    "/api/v1/flex/runs",
    name="listRuns",
    summary="List runs, newest first",
    responses=[DocumentedResponse(200, "A page.", {JSON: RunList})],
    problems=QUERY_INVALID | UNAUTHORIZED | UNAVAILABLE,
)
async def show_list(request: web.Request, query: RunListQuery) -> web.Response:
    """A page of runs, newest first."""
    filters = RunFilters(
        statuses=query.status,
        thread_id=query.thread_id,
        run_label=query.label,
        client_id=query.client_id,
    )
    rows = await list_runs(request.app[GATEWAY].deps.store, filters, after=query.cursor, limit=query.limit)
    body: JsonObject = {"runs": [RunSummary.of(row) for row in rows]}
    if len(rows) == query.limit:
        body["nextCursor"] = write_page_cursor(rows[-1].created_at, rows[-1].run_id)
    return json_response(body)
