"""`GET /api/v1/flex/runs/{id}/events`: the log of a run, as a stream or as pages of JSON."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web

from eventstore.imported_rows import imported_run
from gateway.deps import GATEWAY, Gateway
from gateway.endpoint import JSON, STREAM, UNAUTHORIZED, UNAVAILABLE, DocumentedResponse, Endpoints
from gateway.query import Parameter, Query, read_query, whole_number
from gateway.response import Response, json_response
from gateway.run_id import PathRunId
from gateway.runs.documentation import DELTAS, FRAMES, RUN_UNKNOWN
from gateway.streams.accept import wants_stream
from gateway.streams.last_event_id import LastEventId, ReadFrom
from gateway.streams.stream import StreamRange, no_content, serve_head, serve_stream
from runs.errors import RunUnknown
from runs.frames import frame
from schemas.events import FlexEvent

ENDPOINTS = Endpoints("runs")

DEFAULT_PAGE_EVENTS = 200
MAX_PAGE_EVENTS = 1_000


class EventsQuery(Query):
    """Which events to send."""

    until: Annotated[int | None, whole_number("The last event to send.", least=1)] = None
    deltas: Annotated[bool, DELTAS] = False


class EventPageQuery(Query):
    """What is read for a page only: a stream has no limit."""

    limit: Annotated[int, whole_number("Events on a page.", least=1, most=MAX_PAGE_EVENTS)] = (
        DEFAULT_PAGE_EVENTS
    )


class EventPage(Response):
    """A part of a run's log. `complete` says that nothing follows; otherwise ask again with `?after=nextAfter`."""

    events: list[FlexEvent]
    next_after: int
    complete: bool


@ENDPOINTS.get(
    "/api/v1/flex/runs/{run_id}/events",
    name="readEvents",
    needs="runs:read",
    summary="The log of a run",
    description="A stream for `Accept: text/event-stream`, open until `complete`; otherwise a page of JSON. "
    + FRAMES
    + " An EventSource may give its token as `?access_token=`.",
    reads=[
        EventPageQuery,
        Parameter("access_token", "query", "A token, for streams that cannot send headers."),
    ],
    responses=[
        DocumentedResponse(200, "The events after the cursor.", {JSON: EventPage, STREAM: FlexEvent}),
        DocumentedResponse(204, "Everything was read and nothing will follow; an EventSource stops."),
    ],
    problems={
        400: "The cursor is no number (`last_event_id_invalid`, `query_invalid`) or is beyond the end of the log"
        " (`last_event_id_beyond_end`)."
    }
    | RUN_UNKNOWN
    | UNAUTHORIZED
    | UNAVAILABLE,
)
async def read_events(
    request: web.Request, run_id: PathRunId, read_from: ReadFrom, query: EventsQuery
) -> web.StreamResponse:
    """A stream for `Accept: text/event-stream`, a page otherwise; both start after the cursor that the client gives."""
    gateway, until = request.app[GATEWAY], query.until
    head = await head_of(gateway, run_id)
    after = (read_from or LastEventId(0)).within(head)
    if not wants_stream(request.headers.get("Accept", "")):
        return await _page(request, run_id, after, until)
    if (until is not None and after >= until) or (after == head and await _finished(gateway, run_id, head)):
        return no_content(run_id)
    if until is None and await imported_run(gateway.deps.store, run_id) is not None:
        until = head
    if request.method == "HEAD":
        return await serve_head(request, run_id)
    deltas = await gateway.partial.reader(run_id, after) if query.deltas else None
    return await serve_stream(request, StreamRange(run_id=run_id, after=after, until=until, deltas=deltas))


async def head_of(gateway: Gateway, run_id: str) -> int:
    """The seq of the run's last event. Raises RunUnknown."""
    head = (await gateway.deps.store.heads([run_id])).get(run_id, 0)
    if head == 0:
        raise RunUnknown(f"there is no run {run_id}")
    return head


async def _finished(gateway: Gateway, run_id: str, head: int) -> bool:
    """Whether nothing will follow: it is complete, or it was imported as it was in progress."""
    events = await gateway.deps.store.read(run_id, after=head - 1, limit=1)
    return events[-1].type == "complete" or await imported_run(gateway.deps.store, run_id) is not None


async def _page(request: web.Request, run_id: str, after: int, until: int | None) -> web.Response:
    limit = read_query(request, EventPageQuery).limit
    store = request.app[GATEWAY].deps.store
    events = await store.read(run_id, after=after, until=until, limit=limit)
    next_after = events[-1].seq if events else after
    if events:
        complete = events[-1].type == "complete"
    else:
        complete = after > 0 and await _finished(request.app[GATEWAY], run_id, after)
    body = {"events": [frame(event) for event in events], "nextAfter": next_after, "complete": complete}
    return json_response(body, run_id=run_id)
