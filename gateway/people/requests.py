"""`/api/hitl/…`: what waits for a person, and what people say to it."""

from __future__ import annotations

from aiohttp import web

from eventstore.queries import RequestCursor, get_request, pending_requests
from gateway.answers import json_answer
from gateway.body import expect_continue
from gateway.deps import GATEWAY
from gateway.middleware import caller, note
from gateway.page_cursor import read_page_cursor, write_page_cursor
from gateway.people.bodies import decisions_of, read_model
from gateway.people.context import with_context
from gateway.people.error_pointers import errors_in_responses
from gateway.people.screens import screen_runs
from gateway.people.serializers import serialize_outcome, serialize_question
from gateway.people.verdicts import schema_of_request
from gateway.query import known_form, read_number
from runs.errors import RequestUnknown
from schemas.hitl import HitlRemoveBody, ResumeBody

ROUTES = web.RouteTableDef()

DEFAULT_PAGE_REQUESTS = 50
MAX_PAGE_REQUESTS = 200


@ROUTES.get("/api/hitl/pending", name="listPendingRequests")
async def show_pending(request: web.Request) -> web.Response:
    """A page of what waits for a person, oldest first; all of it where one run is asked for."""
    limit = read_number(request, "limit", DEFAULT_PAGE_REQUESTS, least=1, most=MAX_PAGE_REQUESTS)
    run_id = request.query.get("runId")
    cursor = read_page_cursor(request, names=1)
    rows = await pending_requests(
        request.app[GATEWAY].deps.store,
        run_id=known_form(run_id) if run_id is not None else None,
        thread_id=request.query.get("threadId"),
        client_id=request.query.get("clientId"),
        names=request.query.getall("role", []) or None,
        after=RequestCursor(cursor[0], cursor[1][0]) if cursor is not None else None,
        limit=limit,
    )
    body: dict[str, object] = {
        "ok": True,
        "requests": [serialize_question(row) for row in rows],
        "runs": screen_runs(rows),
    }
    if len(rows) == limit and run_id is None:
        body["nextCursor"] = write_page_cursor(rows[-1].created_at, rows[-1].request_id)
    return json_answer(body)


@ROUTES.get("/api/hitl/requests/{request_id}", name="showRequest")
async def show_request(request: web.Request) -> web.Response:
    """One request, whether it waits or was decided."""
    request_id = request.match_info["request_id"]
    row = await get_request(request.app[GATEWAY].deps.store, request_id)
    if row is None:
        raise RequestUnknown(f"there is no request {request_id[:100]}")
    note(request, run_id=row.run_id)
    store = request.app[GATEWAY].deps.store
    contract = schema_of_request(await store.load(row.run_id), row.request_id)
    return json_answer(serialize_question(await with_context(store, row), contract), run_id=row.run_id)


@ROUTES.post("/api/hitl/resume", name="resolveRequests", expect_handler=expect_continue)
async def resolve(request: web.Request) -> web.Response:
    """Apply the responses of one body: all of them, or none."""
    body = await read_model(request, ResumeBody)
    work = decisions_of(request).decide(body, caller(request))
    with errors_in_responses(body):
        outcome = await request.app[GATEWAY].carry_out(work)
    ids = [response.request_id or "" for response in body.decisions()]
    note(request, run_id=outcome.state.run_id)
    return json_answer(serialize_outcome(outcome.state, ids), run_id=outcome.state.run_id)


@ROUTES.post("/api/hitl/remove", name="removeRequest", expect_handler=expect_continue)
async def remove(request: web.Request) -> web.Response:
    """Take a request back; its run cannot go on without it and ends as aborted."""
    body = await read_model(request, HitlRemoveBody)
    work = decisions_of(request).remove(body, caller(request))
    outcome, request_id = await request.app[GATEWAY].carry_out(work)
    note(request, run_id=outcome.state.run_id)
    return json_answer(serialize_outcome(outcome.state, [request_id]), run_id=outcome.state.run_id)
