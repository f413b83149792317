"""`POST /api/v1/flex/run.resume`: go on with a run that waits, and stream what follows."""

from __future__ import annotations

from aiohttp import web

from gateway.body import expect_continue
from gateway.deps import GATEWAY, Gateway
from gateway.middleware import adopt_correlation_id, caller, note
from gateway.people.bodies import decisions_of, read_model
from gateway.people.error_pointers import below, errors_at, errors_in_responses
from gateway.people.resume_snapshot import PatientWaitDetector, resumed_picture, state_at
from gateway.query import LastEventId, known_form, read_last_event_id
from gateway.streams.sse import encode_frame
from gateway.streams.stream import Reading, serve_stream
from gateway.streams.wait_detector import WaitDetector
from schemas.control import RunResumeBody
from schemas.hitl import ResumeBody
from schemas.parsing import validate_document

ROUTES = web.RouteTableDef()


@ROUTES.post("/api/v1/flex/run.resume", name="streamResumedRun", expect_handler=expect_continue)
async def resume_run(request: web.Request) -> web.StreamResponse:
    """The plan as it stands, then every event from here on (or after Last-Event-ID), until `complete` or the next wait.

    A run that is paused goes on; `payload.responses` are decided first, or the task of `payload.nodeId` is done. With
    none of these the stream stays open until somebody decides elsewhere.
    """
    gateway = request.app[GATEWAY]
    body = await read_model(request, RunResumeBody)
    adopt_correlation_id(request, body.correlation_id)
    note(request, run_id=body.run_id)
    responses = _responses(body)
    cursor = await _cursor(request, gateway, body.run_id)
    work = decisions_of(request).resume(body, responses, caller(request))
    places = (
        errors_in_responses(responses, before="/payload")
        if responses is not None
        else errors_at("/payload/output")
    )
    with places:
        outcome = await gateway.carry_out(work)
    store = gateway.deps.store
    after = outcome.before.seq if cursor is None or cursor.seq is None else cursor.seq
    seen = outcome.before if after == outcome.before.seq else await state_at(store, outcome.state, after)
    watch = WaitDetector if outcome.events else PatientWaitDetector
    reading = Reading(
        run_id=outcome.state.run_id,
        after=after,
        waits=watch(store, outcome.state),
        preamble=await resumed_picture(store, seen),
    )
    first = [encode_frame(event) for event in outcome.events] if after == outcome.before.seq else []
    return await serve_stream(request, reading, first)


async def _cursor(request: web.Request, gateway: Gateway, run_id: str) -> LastEventId | None:
    """The client's cursor, checked before anything is decided. Raises ProblemError (400)."""
    cursor = read_last_event_id(request)
    if cursor is not None:
        known = known_form(run_id)
        heads = await gateway.deps.store.heads([known])
        if known in heads:
            cursor.within(heads[known])
    return cursor


def _responses(body: RunResumeBody) -> ResumeBody | None:
    """`payload.responses` as the body that `/api/hitl/resume` takes. Raises DocumentRefused."""
    if body.payload is None or body.payload.responses is None:
        return None
    document = {
        "operator": body.operator,
        "note": body.note,
        "expectedPlanVersion": body.expected_plan_version,
        **body.payload.model_dump(by_alias=True, exclude_unset=True),
        "runId": body.run_id,
    }
    with below("/payload"):
        return validate_document(ResumeBody, document)
