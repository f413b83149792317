"""`POST /api/v1/flex/run.stream` and `POST /api/v1/flex/runs`: start a run, and stream it or say where to read it."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web

from gateway.deps import GATEWAY
from gateway.endpoint import JSON, STREAM, UNAUTHORIZED, DocumentedResponse, Endpoints
from gateway.query import Query
from gateway.response import Response, document, json_response
from gateway.runs.documentation import CORRELATION_ID, DELTAS, FRAMES, KEY, RUN_REFUSED
from gateway.runs.submit import submit
from gateway.streams.last_event_id import LastEventId, ReadFrom
from gateway.streams.sse import encode_frame
from gateway.streams.stream import StreamRange, no_content, serve_stream
from gateway.streams.wait_detector import WaitDetector
from schemas.base import RunId
from schemas.envelope import TaskEnvelope
from schemas.events import FlexEvent
from schemas.vocabulary import RunStatus

ENDPOINTS = Endpoints("runs")

IN_ITS_LOG = (
    "a run that has begun says in its own log who started it, and each run would wait for one more commit"
)

PATH = "/api/v1/flex/runs"


class RunAccepted(Response):
    """A run that is in the log, and where to read it."""

    run_id: RunId
    status: RunStatus
    thread_id: str | None = None
    events_url: str


class StreamQuery(Query):
    """What is sent beside the events."""

    deltas: Annotated[bool, DELTAS] = False


@ENDPOINTS.post(
    "/api/v1/flex/run.stream",
    name="streamRun",
    needs="runs:start",
    acts_on="run",
    recorded_after=IN_ITS_LOG,
    summary="Start a run and stream its events",
    description="The stream ends with `complete`, or with the frame after which the run waits for a person. "
    + FRAMES
    + " With `constraints.resumeRunId` no run is started: that run is streamed. With a cursor none is started"
    " either: the run is the one of `constraints.resumeRunId` or of the Idempotency-Key.",
    headers=[KEY, CORRELATION_ID],
    responses=[
        DocumentedResponse(200, "The run is in the log and its events follow.", {STREAM: FlexEvent}),
        DocumentedResponse(204, "The run was there already, is over, and everything of it was read."),
    ],
    problems=RUN_REFUSED
    | UNAUTHORIZED
    | {
        400: RUN_REFUSED[400] + " Or there is a cursor, and the request would start a new run"
        " (`last_event_id_of_no_run`), or it is wrong (`last_event_id_invalid`, `last_event_id_beyond_end`).",
        404: "`constraints.resumeRunId` names no run (`run_unknown`).",
    },
)
async def stream_run(
    request: web.Request, read_from: ReadFrom, query: StreamQuery, envelope: TaskEnvelope
) -> web.StreamResponse:
    """Until the run is complete or waits for a person.

    A run that was there before (same Idempotency-Key, or `constraints.resumeRunId`) is streamed from its first event,
    or from the one after `Last-Event-ID`; it does not end at a wait that the run has left behind. With a cursor no
    run is started: a client that repeats its POST after a broken connection would start one more each time.
    """
    request.app[GATEWAY].limiter.open_stream(request)  # before anything is stored
    cursor = read_from or LastEventId(0)
    submission = await submit(request, envelope, reads_on=cursor.seq != 0)
    state = submission.state
    after = cursor.within(state.seq)
    if not submission.events and state.finished and after == state.seq:
        return no_content(state.run_id)
    waits = WaitDetector(request.app[GATEWAY].deps.store, state)
    gateway = request.app[GATEWAY]
    deltas = await gateway.partial.reader(state.run_id, after) if query.deltas else None
    stream_range = StreamRange(run_id=state.run_id, after=after, waits=waits, deltas=deltas)
    return await serve_stream(request, stream_range, [encode_frame(event) for event in submission.events])


@ENDPOINTS.post(
    PATH,
    name="startRun",
    needs="runs:start",
    acts_on="run",
    recorded_after=IN_ITS_LOG,
    summary="Start a run",
    headers=[KEY, CORRELATION_ID],
    responses=[
        DocumentedResponse(202, "The run is in the log; Location says where to see it.", {JSON: RunAccepted})
    ],
    problems=RUN_REFUSED | UNAUTHORIZED | {404: "`constraints.resumeRunId` names no run (`run_unknown`)."},
)
async def start_run(request: web.Request, envelope: TaskEnvelope) -> web.Response:
    """Start a run and answer with where to read it."""
    state = (await submit(request, envelope)).state
    path = f"{PATH}/{state.run_id}"
    body = document(RunAccepted, state, thread_id=state.thread_id, events_url=f"{path}/events")
    return json_response(body, status=202, run_id=state.run_id, headers={"Location": path})
