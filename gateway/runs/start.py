"""`POST /api/v1/flex/run.stream` and `POST /api/v1/flex/runs`: start a run, and stream it or say where to read it."""

from __future__ import annotations

from aiohttp import web

from gateway.answers import json_answer
from gateway.body import expect_continue
from gateway.deps import GATEWAY
from gateway.query import LastEventId, read_last_event_id
from gateway.runs.submit import submit
from gateway.streams.sse import encode_frame
from gateway.streams.stream import Reading, nothing_left, serve_stream
from gateway.streams.wait_detector import WaitDetector

ROUTES = web.RouteTableDef()

PATH = "/api/v1/flex/runs"


@ROUTES.post("/api/v1/flex/run.stream", name="streamRun", expect_handler=expect_continue)
async def stream_run(request: web.Request) -> web.StreamResponse:
    """Until the run is complete or waits for a person.

    A run that was there before (same Idempotency-Key, or `constraints.resumeRunId`) is told from its first event on,
    or from the one after `Last-Event-ID`; it does not end at a wait that the run has left behind. With a cursor no
    run is started: a client that repeats its POST after a broken connection would start one more each time.
    """
    cursor = read_last_event_id(request) or LastEventId(0)
    submission = await submit(request, reads_on=cursor.seq != 0)
    state = submission.state
    after = cursor.within(state.seq)
    if not submission.events and state.finished and after == state.seq:
        return nothing_left(state.run_id)
    waits = WaitDetector(request.app[GATEWAY].deps.store, state)
    reading = Reading(run_id=state.run_id, after=after, waits=waits)
    return await serve_stream(request, reading, [encode_frame(event) for event in submission.events])


@ROUTES.post(PATH, name="startRun", expect_handler=expect_continue)
async def start_run(request: web.Request) -> web.Response:
    """Start a run and answer with where to read it."""
    state = (await submit(request)).state
    path = f"{PATH}/{state.run_id}"
    body = {
        "runId": state.run_id,
        "status": state.status,
        "threadId": state.thread_id,
        "eventsUrl": f"{path}/events",
    }
    return json_answer(body, status=202, run_id=state.run_id, headers={"Location": path})
