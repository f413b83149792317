"""`POST /api/v1/flex/run.resume`: continue a run that waits, and stream what follows."""

from __future__ import annotations

from aiohttp import web

from gateway.deps import GATEWAY, Gateway
from gateway.endpoint import STREAM, UNAUTHORIZED, UNAVAILABLE, DocumentedResponse, Endpoints
from gateway.middleware import adopt_correlation_id, bind_log_fields, caller
from gateway.people.decisions import decisions_of
from gateway.people.documentation import BODY_INVALID, NOT_ALLOWED, RESPONSE_INVALID, UNDECIDABLE
from gateway.people.error_pointers import below, errors_at, errors_in_responses
from gateway.people.resume_snapshot import PatientWaitDetector, resume_snapshot_frame, state_at
from gateway.run_id import canonical_run_id
from gateway.scopes import CALLER, may
from gateway.streams.last_event_id import LastEventId, ReadFrom
from gateway.streams.sse import encode_frame
from gateway.streams.stream import StreamRange, serve_stream
from gateway.streams.wait_detector import WaitDetector
from schemas.control import RunResumeBody
from schemas.events import FlexEvent
from schemas.hitl import ResumeBody
from schemas.parsing import validate_document

ENDPOINTS = Endpoints("people")


@ENDPOINTS.post(
    "/api/v1/flex/run.resume",
    name="streamResumedRun",
    needs=("hitl:respond", "runs:read"),
    acts_on="run",
    summary="Go on with a run that waits, and stream what follows",
    description="A run that is paused goes on, for a caller with the scope `runs:control`; `payload.responses`, as in"
    " `ResumeBody`, are decided first. The first frame is the plan once more (`plan_generated` with `metadata.resumed`,"
    " without an `id`); then every event from here on, or after Last-Event-ID, until `complete` or the next wait for a"
    " person.",
    responses=[DocumentedResponse(200, "The plan and what follows.", {STREAM: FlexEvent})],
    problems=BODY_INVALID
    | UNAUTHORIZED
    | NOT_ALLOWED
    | UNDECIDABLE
    | {409: "The run waits for nothing (`not_waiting`, `run_finished`), or as for `/api/hitl/resume`."}
    | RESPONSE_INVALID
    | UNAVAILABLE,
)
async def resume_run(request: web.Request, body: RunResumeBody, read_from: ReadFrom) -> web.StreamResponse:
    """The plan as it stands, then every event from here on (or after Last-Event-ID), until `complete` or the next wait.

    A run that is paused continues; `payload.responses` are decided first, or the task of `payload.nodeId` is done. With
    none of these the stream stays open until a decision comes by another way.
    """
    gateway = request.app[GATEWAY]
    gateway.limiter.open_stream(request)  # before anything is decided
    adopt_correlation_id(request, body.correlation_id)
    bind_log_fields(request, run_id=body.run_id)
    responses = _responses(body)
    if read_from is not None:
        await _require_within(gateway, body.run_id, read_from)
    work = decisions_of(request).resume(
        body, responses, caller(request), may_control=may(request[CALLER], "runs:control")
    )
    places = (
        errors_in_responses(responses, before="/payload")
        if responses is not None
        else errors_at("/payload/output")
    )
    with places:
        outcome = await gateway.shield_write(work)
    store = gateway.deps.store
    after = outcome.before.seq if read_from is None or read_from.seq is None else read_from.seq
    seen = outcome.before if after == outcome.before.seq else await state_at(store, outcome.state, after)
    watch = WaitDetector if outcome.events else PatientWaitDetector
    stream_range = StreamRange(
        run_id=outcome.state.run_id,
        after=after,
        waits=watch(store, outcome.state),
        preamble=await resume_snapshot_frame(store, seen),
    )
    first = [encode_frame(event) for event in outcome.events] if after == outcome.before.seq else []
    return await serve_stream(request, stream_range, first)


async def _require_within(gateway: Gateway, run_id: str, cursor: LastEventId) -> None:
    """Raise ProblemError (400) for a cursor beyond the end of the run, before anything is decided."""
    known = canonical_run_id(run_id)
    heads = await gateway.deps.store.heads([known])
    if known in heads:
        cursor.within(heads[known])


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
