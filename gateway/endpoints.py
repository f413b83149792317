"""The table of all doors, from which OpenAPI is made. A test holds it against the routes that are really there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from schemas.vocabulary import RunStatus

STREAM = "text/event-stream"
JSON = "application/json"

_UNSIGNED: dict[str, Any] = {"type": "integer", "minimum": 0}
_TEXT: dict[str, Any] = {"type": "string"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a door."""

    name: str
    place: Literal["path", "query", "header"]
    description: str
    schema: Mapping[str, Any] = field(default_factory=lambda: _TEXT)


@dataclass(frozen=True, slots=True)
class DocumentedResponse:
    """One way in which a door answers well: media type → model, '' for text and for any JSON object.

    The model of `text/event-stream` is that of the data of one frame.
    """

    status: int
    description: str
    content: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method on one path."""

    name: str
    method: Literal["get", "post", "delete"]
    path: str
    tag: str
    summary: str
    description: str = ""
    parameters: Sequence[Parameter] = ()
    body: str | None = None
    body_required: bool = True
    answers: Sequence[DocumentedResponse]
    problems: Mapping[int, str] = field(default_factory=dict[int, str])
    open: bool = False


RUN_ID = Parameter("run_id", "path", "The run's id.", {"type": "string", "format": "uuid"})
CORRELATION_ID = Parameter(
    "X-Correlation-Id", "header", "Found again in every event and log line of the run."
)
KEY = Parameter("Idempotency-Key", "header", "The same key (of the same caller) gives the same run.")
_POSITION: dict[str, Any] = {"oneOf": [_UNSIGNED, {"const": "latest"}]}
CURSOR = (
    Parameter("Last-Event-ID", "header", "The id of the last frame that was read.", _UNSIGNED),
    Parameter(
        "lastEventId", "query", "The same, where a header cannot be set; the header counts.", _POSITION
    ),
    Parameter(
        "after", "query", "The same, or `latest`; both others count for more, so that it may stay.", _POSITION
    ),
)

UNAUTHORIZED = {401: "No token, or one that is not known (`unauthorized`)."}
UNAVAILABLE = {503: "The database is away (`store_unavailable`); Retry-After says when to try again."}
UNKNOWN = {404: "There is no such run (`run_unknown`)."}
REFUSED = {
    400: "The body is no JSON (`invalid_json`), no TaskEnvelope, or its contract cannot be compiled (`invalid_body`)."
    " Every place that is wrong is in `errors`, and nothing is stored.",
    422: "The Idempotency-Key has started a run with another envelope (`idempotency_key_reused`).",
    503: "Too much work is waiting (`backlog_full`, with X-Backlog-Pending and X-Backlog-Limit), or the database is"
    " away (`store_unavailable`). Retry-After says when to try again.",
}

_FRAMES = (
    "Frames: `event:` is the event's type, `data:` one line of JSON, a FlexEvent, `id:` its number in the run (1, 2,"
    " 3 …). A comment comes every 15 s. `complete` is the last frame of a run; any other end of a stream means: come"
    " back with Last-Event-ID."
)

_START_DOORS = (
    Endpoint(
        name="streamRun",
        method="post",
        path="/api/v1/flex/run.stream",
        tag="runs",
        summary="Start a run and stream its events",
        description="The stream ends with `complete`, or with the frame after which the run waits for a person. "
        + _FRAMES
        + " With `constraints.resumeRunId` no run is started: that run is streamed. With a cursor none is started"
        " either: the run is the one of `constraints.resumeRunId` or of the Idempotency-Key.",
        parameters=[KEY, CORRELATION_ID, *CURSOR],
        body="TaskEnvelope",
        answers=[
            DocumentedResponse(200, "The run is in the log and its events follow.", {STREAM: "FlexEvent"}),
            DocumentedResponse(204, "The run was there already, is over, and everything of it was read."),
        ],
        problems=REFUSED
        | UNAUTHORIZED
        | {
            400: REFUSED[400] + " Or there is a cursor, and the request would start a new run"
            " (`last_event_id_of_no_run`), or it is wrong (`last_event_id_invalid`, `last_event_id_beyond_end`).",
            404: "`constraints.resumeRunId` names no run (`run_unknown`).",
        },
    ),
    Endpoint(
        name="startRun",
        method="post",
        path="/api/v1/flex/runs",
        tag="runs",
        summary="Start a run",
        parameters=[KEY, CORRELATION_ID],
        body="TaskEnvelope",
        answers=[
            DocumentedResponse(
                202, "The run is in the log; Location says where to see it.", {JSON: "RunAccepted"}
            )
        ],
        problems=REFUSED | UNAUTHORIZED | {404: "`constraints.resumeRunId` names no run (`run_unknown`)."},
    ),
)

_READ_DOORS = (
    Endpoint(
        name="listRuns",
        method="get",
        path="/api/v1/flex/runs",
        tag="runs",
        summary="List runs, newest first",
        parameters=[
            Parameter("status", "query", "Only runs with this status.", {"enum": list(get_args(RunStatus))}),
            Parameter("threadId", "query", "Only runs of this thread."),
            Parameter("label", "query", "Only runs whose metadata.runLabel is this."),
            Parameter("clientId", "query", "Only runs whose metadata.clientId is this."),
            Parameter("cursor", "query", "The `nextCursor` of the page before."),
            Parameter(
                "limit", "query", "How many, at most.", {"type": "integer", "minimum": 1, "maximum": 200}
            ),
        ],
        answers=[DocumentedResponse(200, "A page.", {JSON: "RunList"})],
        problems={400: "A parameter is wrong or unknown (`query_invalid`)."} | UNAUTHORIZED | UNAVAILABLE,
    ),
    Endpoint(
        name="showRun",
        method="get",
        path="/api/v1/flex/runs/{run_id}",
        tag="runs",
        summary="One run with its plan, its nodes, the requests that wait, its output",
        parameters=[RUN_ID],
        answers=[DocumentedResponse(200, "The run.", {JSON: "RunDetail"})],
        problems=UNKNOWN | UNAUTHORIZED | UNAVAILABLE,
    ),
    Endpoint(
        name="readEvents",
        method="get",
        path="/api/v1/flex/runs/{run_id}/events",
        tag="runs",
        summary="The log of a run",
        description="A stream for `Accept: text/event-stream`, open until `complete`; otherwise a page of JSON. "
        + _FRAMES
        + " An EventSource may give its token as `?access_token=`.",
        parameters=[
            RUN_ID,
            *CURSOR,
            Parameter("until", "query", "The last event to send.", {"type": "integer", "minimum": 1}),
            Parameter(
                "limit", "query", "Events on a page.", {"type": "integer", "minimum": 1, "maximum": 1_000}
            ),
            Parameter("access_token", "query", "A token, for streams that cannot send headers."),
        ],
        answers=[
            DocumentedResponse(200, "The events after the cursor.", {STREAM: "FlexEvent", JSON: "EventPage"}),
            DocumentedResponse(204, "Everything was read and nothing will follow; an EventSource stops."),
        ],
        problems={
            400: "The cursor is no number (`last_event_id_invalid`, `query_invalid`) or is beyond the end of the log"
            " (`last_event_id_beyond_end`)."
        }
        | UNKNOWN
        | UNAUTHORIZED
        | UNAVAILABLE,
    ),
)


def _control(name: str, verb: str, summary: str, conflict: str) -> Endpoint:
    return Endpoint(
        name=name,
        method="post",
        path=f"/api/v1/flex/runs/{{run_id}}/{verb}",
        tag="control",
        summary=summary,
        parameters=[RUN_ID],
        body="OperatorBody",
        body_required=False,
        answers=[DocumentedResponse(200, "Done, or done before.", {JSON: "RunControlled"})],
        problems={400: "The body is not an OperatorBody (`invalid_json`, `invalid_body`).", 409: conflict}
        | UNKNOWN
        | UNAUTHORIZED
        | UNAVAILABLE,
    )


_CONTROL_DOORS = (
    _control("abortRun", "abort", "End a run now", "The run is over already (`run_finished`)."),
    _control("pauseRun", "pause", "Start nothing new in a run", "The run is over already (`run_finished`)."),
    _control(
        "resumeRun", "resume", "Go on after a pause", "The run is not paused (`not_waiting`, `run_finished`)."
    ),
)

_OTHER_DOORS = (
    Endpoint(
        name="listCapabilities",
        method="get",
        path="/api/v1/flex/capabilities",
        tag="capabilities",
        summary="What the workers can do",
        answers=[DocumentedResponse(200, "The registered capabilities.", {JSON: "CapabilityList"})],
        problems=UNAUTHORIZED | UNAVAILABLE,
    ),
    Endpoint(
        name="health",
        method="get",
        path="/healthz",
        tag="operations",
        summary="Whether this process answers",
        answers=[DocumentedResponse(200, "It does.", {JSON: "Health"})],
        open=True,
    ),
    Endpoint(
        name="readiness",
        method="get",
        path="/readyz",
        tag="operations",
        summary="Whether requests should be sent here",
        answers=[DocumentedResponse(200, "They should.", {JSON: "Readiness"})],
        problems={503: "A run could not be started and finished now (`not_ready`); `detail` says why."},
        open=True,
    ),
    Endpoint(
        name="describe",
        method="get",
        path="/openapi.json",
        tag="operations",
        summary="This document",
        answers=[DocumentedResponse(200, "OpenAPI 3.1.", {JSON: ""})],
        open=True,
    ),
    Endpoint(
        name="describe30",
        method="get",
        path="/openapi-3.0.json",
        tag="operations",
        summary="This document, for tools that read no OpenAPI 3.1",
        answers=[DocumentedResponse(200, "OpenAPI 3.0.", {JSON: ""})],
        open=True,
    ),
)

DOORS: tuple[Endpoint, ...] = (*_START_DOORS, *_READ_DOORS, *_CONTROL_DOORS, *_OTHER_DOORS)
