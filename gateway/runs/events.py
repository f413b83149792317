"""`GET /api/v1/flex/runs/{id}/events`: the log of a run, as a stream or as pages of JSON."""

from __future__ import annotations

from aiohttp import web

from gateway.answers import json_answer
from gateway.deps import GATEWAY, Gateway
from gateway.middleware import note
from gateway.query import LastEventId, path_run_id, read_last_event_id, read_number
from gateway.streams.accept import wants_stream
from gateway.streams.stream import Reading, nothing_left, serve_head, serve_stream
from runs.errors import RunUnknown
from runs.frames import frame

ROUTES = web.RouteTableDef()

DEFAULT_PAGE_EVENTS = 200
MAX_PAGE_EVENTS = 1_000


@ROUTES.get("/api/v1/flex/runs/{run_id}/events", name="readEvents")
async def read_events(request: web.Request) -> web.StreamResponse:
    """A stream for `Accept: text/event-stream`, a page otherwise; both start after the cursor that the client gives."""
    gateway = request.app[GATEWAY]
    run_id = path_run_id(request)
    note(request, run_id=run_id)
    cursor = read_last_event_id(request) or LastEventId(0)
    until = read_number(request, "until", 0, least=1) or None
    head = await _head(gateway, run_id)
    after = cursor.within(head)
    if not wants_stream(request.headers.get("Accept", "")):
        return await _page(request, run_id, after, until)
    if (until is not None and after >= until) or (after == head and await _finished(gateway, run_id, head)):
        return nothing_left(run_id)
    if request.method == "HEAD":
        return await serve_head(request, run_id)
    return await serve_stream(request, Reading(run_id=run_id, after=after, until=until))


async def _head(gateway: Gateway, run_id: str) -> int:
    """The seq of the run's last event. Raises RunUnknown."""
    head = (await gateway.deps.store.heads([run_id])).get(run_id, 0)
    if head == 0:
        raise RunUnknown(f"there is no run {run_id}")
    return head


async def _finished(gateway: Gateway, run_id: str, head: int) -> bool:
    events = await gateway.deps.store.read(run_id, after=head - 1, limit=1)
    return events[-1].type == "complete"


async def _page(request: web.Request, run_id: str, after: int, until: int | None) -> web.Response:
    limit = read_number(request, "limit", DEFAULT_PAGE_EVENTS, least=1, most=MAX_PAGE_EVENTS)
    store = request.app[GATEWAY].deps.store
    events = await store.read(run_id, after=after, until=until, limit=limit)
    next_after = events[-1].seq if events else after
    if events:
        complete = events[-1].type == "complete"
    else:
        complete = after > 0 and await _finished(request.app[GATEWAY], run_id, after)
    body = {"events": [frame(event) for event in events], "nextAfter": next_after, "complete": complete}
    return json_answer(body, run_id=run_id)
