"""`POST /api/v1/flex/run.stream`: an envelope in, the run's frames out."""

from __future__ import annotations

from aiohttp import web

from gateway.body import expect_continue
from gateway.deps import GATEWAY
from gateway.query import read_cursor, refuse_beyond_end
from gateway.sse import encode_frame
from gateway.stream import Reading, nothing_left, serve_stream
from gateway.submit import submit
from gateway.waiting import WaitWatch

ROUTES = web.RouteTableDef()


@ROUTES.post("/api/v1/flex/run.stream", name="streamRun", expect_handler=expect_continue)
async def stream_run(request: web.Request) -> web.StreamResponse:
    """Until the run is complete or waits for a person.

    A run that was there before (same Idempotency-Key, or `constraints.resumeRunId`) is told from its first event on,
    or from the one after `Last-Event-ID`; it does not end at a wait that the run has left behind.
    """
    after = read_cursor(request)
    submission = await submit(request)
    state = submission.state
    if submission.events:
        after = 0
    else:
        refuse_beyond_end(after, state.seq)
        if state.finished and after == state.seq:
            return nothing_left(state.run_id)
    waits = WaitWatch(request.app[GATEWAY].deps.store, state)
    reading = Reading(run_id=state.run_id, after=after, waits=waits)
    return await serve_stream(request, reading, [encode_frame(event) for event in submission.events])
