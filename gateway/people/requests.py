"""`/api/hitl/…`: what waits for a person, and what people say to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from aiohttp import web

from eventstore.queries.requests import RequestCursor, get_request, pending_requests
from gateway.deps import GATEWAY
from gateway.endpoint import (
    JSON,
    QUERY_INVALID,
    UNAUTHORIZED,
    UNAVAILABLE,
    DocumentedResponse,
    Endpoints,
    FromRequest,
)
from gateway.middleware import bind_log_fields, caller
from gateway.page_cursor import page_cursor, write_page_cursor
from gateway.people.contract_checks import schema_of_request
from gateway.people.decisions import decisions_of
from gateway.people.documentation import (
    BODY_INVALID,
    DEFAULT_PAGE,
    MAX_PAGE,
    NOT_ALLOWED,
    RESPONSE_INVALID,
    UNDECIDABLE,
    WaitingQuery,
)
from gateway.people.error_pointers import errors_in_responses
from gateway.people.models import DecisionOutcome, PendingRequest
from gateway.people.policy_context import with_policy_context
from gateway.people.screens import ScreenRun, screen_runs
from gateway.query import Parameter, whole_number
from gateway.response import Response, json_response
from gateway.runs.documentation import RUN_UNKNOWN
from runs.errors import RequestUnknown
from runs.event import JsonObject, parse_time
from schemas.hitl import HitlRemoveBody, ResumeBody

ENDPOINTS = Endpoints("people")

RequestId = Annotated[
    str,
    FromRequest(
        lambda request: request.match_info["request_id"],
        [Parameter("request_id", "path", "The request's id.")],
    ),
]


def _read_cursor(key: Sequence[str]) -> RequestCursor:
    created_at, request_id = key
    return RequestCursor(parse_time(created_at), request_id)


class PendingQuery(WaitingQuery):
    """Which requests to list, and from where on."""

    cursor: Annotated[RequestCursor | None, page_cursor(_read_cursor)] = None
    limit: Annotated[int, whole_number("How many, at most.", least=1, most=MAX_PAGE)] = DEFAULT_PAGE


class PendingList(Response):
    """Oldest first; `next_cursor` is there while there are more. `runs` are those of these requests."""

    ok: Literal[True]
    requests: list[PendingRequest]
    runs: list[ScreenRun]
    next_cursor: str | None = None


@ENDPOINTS.get(
    "/api/hitl/pending",
    name="listPendingRequests",
    needs="runs:read",
    summary="What waits for a person's decision, oldest first",
    responses=[DocumentedResponse(200, "A page.", {JSON: PendingList})],
    problems=QUERY_INVALID | UNAUTHORIZED | RUN_UNKNOWN | UNAVAILABLE,
)
async def list_pending(request: web.Request, query: PendingQuery) -> web.Response:
    """A page of what waits for a person, oldest first; all of it where one run is asked for."""
    rows = await pending_requests(
        request.app[GATEWAY].deps.store,
        run_id=query.run_id,
        thread_id=query.thread_id,
        client_id=query.client_id,
        names=query.role or None,
        after=query.cursor,
        limit=query.limit,
    )
    body: JsonObject = {
        "ok": True,
        "requests": [PendingRequest.of(row) for row in rows],
        "runs": screen_runs(rows),
    }
    if len(rows) == query.limit and query.run_id is None:
        body["nextCursor"] = write_page_cursor(rows[-1].created_at, rows[-1].request_id)
    return json_response(body)


@ENDPOINTS.get(
    "/api/hitl/requests/{request_id}",
    name="showRequest",
    needs="runs:read",
    summary="One request, decided or not",
    responses=[DocumentedResponse(200, "The request.", {JSON: PendingRequest})],
    problems={404: "There is no such request (`request_unknown`)."} | UNAUTHORIZED | UNAVAILABLE,
)
async def show_request(request: web.Request, request_id: RequestId) -> web.Response:
    """One request, whether it waits or was decided."""
    store = request.app[GATEWAY].deps.store
    row = await get_request(store, request_id)
    if row is None:
        raise RequestUnknown(f"there is no request {request_id[:100]}")
    bind_log_fields(request, run_id=row.run_id)
    contract = schema_of_request(await store.load(row.run_id), row.request_id)
    return json_response(
        PendingRequest.of(await with_policy_context(store, row), contract), run_id=row.run_id
    )


@ENDPOINTS.post(
    "/api/hitl/resume",
    name="resolveRequests",
    needs="hitl:respond",
    acts_on="request",
    summary="Decide one request or several of one run: all of them, or none",
    responses=[DocumentedResponse(200, "Decided, or counted as a vote.", {JSON: DecisionOutcome})],
    problems=BODY_INVALID | UNAUTHORIZED | NOT_ALLOWED | UNDECIDABLE | RESPONSE_INVALID | UNAVAILABLE,
)
async def resolve(request: web.Request, body: ResumeBody) -> web.Response:
    """Apply the responses of one body: all of them, or none."""
    work = decisions_of(request).decide(body, caller(request))
    with errors_in_responses(body):
        state = (await request.app[GATEWAY].shield_write(work)).state
    ids = [response.request_id or "" for response in body.decisions()]
    bind_log_fields(request, run_id=state.run_id, request_id=", ".join(filter(None, ids)))
    return json_response(DecisionOutcome.of(state, ids), run_id=state.run_id)


@ENDPOINTS.post(
    "/api/hitl/remove",
    name="removeRequest",
    needs="hitl:respond",
    acts_on="request",
    summary="Take a request back; its run ends as aborted",
    responses=[DocumentedResponse(200, "Taken back.", {JSON: DecisionOutcome})],
    problems=BODY_INVALID | UNAUTHORIZED | NOT_ALLOWED | UNDECIDABLE | UNAVAILABLE,
)
async def remove(request: web.Request, body: HitlRemoveBody) -> web.Response:
    """Take a request back; its run cannot continue without it and ends as aborted."""
    work = decisions_of(request).remove(body, caller(request))
    outcome, request_id = await request.app[GATEWAY].shield_write(work)
    state = outcome.state
    bind_log_fields(request, run_id=state.run_id, request_id=request_id)
    return json_response(DecisionOutcome.of(state, [request_id]), run_id=state.run_id)
