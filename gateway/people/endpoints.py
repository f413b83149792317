"""The doors for people, for OpenAPI."""

from __future__ import annotations

from typing import Any

from gateway.endpoints import (
    CORRELATION_ID,
    CURSOR,
    JSON,
    KEY,
    REFUSED,
    RUN_ID,
    STREAM,
    UNAUTHORIZED,
    UNAVAILABLE,
    UNKNOWN,
    DocumentedResponse,
    Endpoint,
    Parameter,
)

HTML = "text/html"

_LIMIT: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": 200}
_LIST = [
    Parameter("runId", "query", "Only those of this run: all of them, without a cursor."),
    Parameter("threadId", "query", "Only those of this thread."),
    Parameter("clientId", "query", "Only those of runs whose metadata.clientId is this."),
    Parameter(
        "role", "query", "Only what somebody with this role or name may do; give it again for more roles."
    ),
    Parameter("cursor", "query", "The `nextCursor` of the page before."),
    Parameter("limit", "query", "How many, at most.", _LIMIT),
]
_QUERY = {400: "A parameter is wrong or unknown (`query_invalid`)."}
_BODY = {400: "The body is not what this door takes (`invalid_json`, `invalid_body`)."}
_NOT_ALLOWED = {403: "The rules do not let this person do it (`not_allowed`)."}
_EDIT = {
    422: "The response does not fit the request, or its output breaks the contract (`response_invalid`)."
}
_REQUEST_ID = Parameter("request_id", "path", "The request's id.")
_TASK_ID = Parameter("task_id", "path", "The task's id, as the list has it.")
_LINK = Parameter("token", "path", "The signed part of the link.")

_DECIDED = {
    404: "There is no such run or request (`run_unknown`, `request_unknown`).",
    409: "The request is resolved (`request_resolved`) or its time is over (`request_expired`), the run is over"
    " (`run_finished`), the plan, the proposal or the output has changed (`stale_plan_version`, `stale_proposal`,"
    " `stale_output`), several requests are open and none is named (`request_ambiguous`), there is no"
    " vote to withdraw (`not_voted`), or no more are taken (`too_many_votes`).",
}

_HITL_DOORS = (
    Endpoint(
        name="listPendingRequests",
        method="get",
        path="/api/hitl/pending",
        tag="people",
        summary="What waits for a person's decision, oldest first",
        parameters=_LIST,
        answers=[DocumentedResponse(200, "A page.", {JSON: "PendingList"})],
        problems=_QUERY | UNAUTHORIZED | UNKNOWN | UNAVAILABLE,
    ),
    Endpoint(
        name="showRequest",
        method="get",
        path="/api/hitl/requests/{request_id}",
        tag="people",
        summary="One request, decided or not",
        parameters=[_REQUEST_ID],
        answers=[DocumentedResponse(200, "The request.", {JSON: "PendingRequest"})],
        problems={404: "There is no such request (`request_unknown`)."} | UNAUTHORIZED | UNAVAILABLE,
    ),
    Endpoint(
        name="resolveRequests",
        method="post",
        path="/api/hitl/resume",
        tag="people",
        summary="Decide one request or several of one run: all of them, or none",
        body="ResumeBody",
        answers=[DocumentedResponse(200, "Decided, or counted as a vote.", {JSON: "DecisionOutcome"})],
        problems=_BODY | UNAUTHORIZED | _NOT_ALLOWED | _DECIDED | _EDIT | UNAVAILABLE,
    ),
    Endpoint(
        name="removeRequest",
        method="post",
        path="/api/hitl/remove",
        tag="people",
        summary="Take a request back; its run ends as aborted",
        body="HitlRemoveBody",
        answers=[DocumentedResponse(200, "Taken back.", {JSON: "DecisionOutcome"})],
        problems=_BODY | UNAUTHORIZED | _NOT_ALLOWED | _DECIDED | UNAVAILABLE,
    ),
    Endpoint(
        name="makeLink",
        method="post",
        path="/api/hitl/link",
        tag="people",
        summary="A signed link that lets its holder decide one request",
        description="It decides in the caller's name. In the name of somebody else (`for`) links are made by tokens"
        " with the role `links`, or by anybody where no tokens are configured.",
        body="LinkBody",
        answers=[DocumentedResponse(201, "The link.", {JSON: "LinkMade"})],
        problems=_BODY | UNAUTHORIZED | _NOT_ALLOWED | _DECIDED | UNAVAILABLE,
    ),
    Endpoint(
        name="listLinks",
        method="get",
        path="/api/hitl/links",
        tag="people",
        summary="Links, newest first, without their addresses",
        description="Those that the caller made or that are in the caller's name; with the role `links`, or where no"
        " tokens are configured, all of them.",
        parameters=[
            Parameter("runId", "query", "Only those of this run."),
            Parameter("requestId", "query", "Only those of this request."),
            Parameter("cursor", "query", "The `nextCursor` of the page before."),
            Parameter("limit", "query", "How many, at most.", _LIMIT),
        ],
        answers=[DocumentedResponse(200, "A page.", {JSON: "LinkList"})],
        problems=_QUERY | UNAUTHORIZED | UNKNOWN | UNAVAILABLE,
    ),
    Endpoint(
        name="revokeLink",
        method="post",
        path="/api/hitl/links/{link_id}/revoke",
        tag="people",
        summary="Take a link back; it decides nothing from now on",
        parameters=[Parameter("link_id", "path", "The link's id, as the list has it.")],
        answers=[DocumentedResponse(200, "The link.", {JSON: "LinkSummary"})],
        problems={404: "There is no such link (`link_unknown`)."} | UNAUTHORIZED | UNAVAILABLE,
    ),
    Endpoint(
        name="showLink",
        method="get",
        path="/hitl/{token}",
        tag="people",
        summary="The page behind a link; looking at it changes nothing",
        parameters=[_LINK],
        answers=[DocumentedResponse(200, "The question with its forms.", {HTML: ""})],
        problems={
            404: "Not a link of ours, as a page.",
            403: "The person of the link may not decide any more, as a page.",
            410: "Expired, revoked or decided, as a page.",
        },
        open=True,
    ),
    Endpoint(
        name="decideByLink",
        method="post",
        path="/hitl/{token}",
        tag="people",
        summary="What the forms of that page send",
        parameters=[_LINK],
        answers=[DocumentedResponse(200, "What was decided, as a page.", {HTML: ""})],
        problems={
            403: "The rules do not let this person decide, as a page.",
            404: "Not a link of ours, as a page.",
            409: "Decided already, as a page.",
            410: "Expired, as a page.",
            422: "The response does not fit, as a page with the errors.",
        },
        open=True,
    ),
)

_RESUME_DOOR = Endpoint(
    name="streamResumedRun",
    method="post",
    path="/api/v1/flex/run.resume",
    tag="people",
    summary="Go on with a run that waits, and stream what follows",
    description="A run that is paused goes on; `payload.responses`, as in `ResumeBody`, are decided first. The first"
    " frame is the plan once more (`plan_generated` with `metadata.resumed`, without an `id`); then every event"
    " from here on, or after Last-Event-ID, until `complete` or the next wait for a person.",
    parameters=CURSOR,
    body="RunResumeBody",
    answers=[DocumentedResponse(200, "The plan and what follows.", {STREAM: "FlexEvent"})],
    problems=_BODY
    | UNAUTHORIZED
    | _NOT_ALLOWED
    | _DECIDED
    | {409: "The run waits for nothing (`not_waiting`, `run_finished`), or as for `/api/hitl/resume`."}
    | _EDIT
    | UNAVAILABLE,
)

_TASK_DOORS = (
    Endpoint(
        name="listTasks",
        method="get",
        path="/api/v1/flex/tasks",
        tag="people",
        summary="Nodes that wait for a person's work, longest waiting first",
        parameters=[*_LIST, Parameter("assignedTo", "query", "The same as `role`.")],
        answers=[DocumentedResponse(200, "A page.", {JSON: "TaskList"})],
        problems=_QUERY | UNAUTHORIZED | UNKNOWN | UNAVAILABLE,
    ),
    Endpoint(
        name="showTask",
        method="get",
        path="/api/v1/flex/tasks/{task_id}",
        tag="people",
        summary="One task with the whole of its bundle",
        parameters=[_TASK_ID],
        answers=[DocumentedResponse(200, "The task.", {JSON: "TaskSummary"})],
        problems={
            404: "There is no such task or run (`task_unknown`, `run_unknown`).",
            409: "It is done (`stale_attempt`).",
        }
        | UNAUTHORIZED
        | UNAVAILABLE,
    ),
    *(
        Endpoint(
            name=f"{verb}Task",
            method="post",
            path=f"/api/v1/flex/tasks/{{task_id}}/{verb}",
            tag="people",
            summary=summary,
            parameters=[_TASK_ID],
            body=body,
            answers=[DocumentedResponse(200, "Taken.", {JSON: "DecisionOutcome"})],
            problems=_BODY
            | UNAUTHORIZED
            | {403: "The task is for others (`not_allowed`)."}
            | {404: "There is no such task or run (`task_unknown`, `run_unknown`)."}
            | {409: "It is done (`not_ready`, `stale_attempt`), or the run is over (`run_finished`)."}
            | problems
            | UNAVAILABLE,
        )
        for verb, summary, body, problems in (
            (
                "submit",
                "A person's output for a node",
                "TaskSubmitBody",
                {422: "The output breaks the node's contract (`response_invalid`)."},
            ),
            ("decline", "A person will not do a node", "TaskDeclineBody", {}),
        )
    ),
)

_FORK_PROBLEMS = UNAUTHORIZED | UNKNOWN | REFUSED
_FORK_DOORS = (
    Endpoint(
        name="retryRun",
        method="post",
        path="/api/v1/flex/runs/{run_id}/retry",
        tag="control",
        summary="A new run that begins at the failed nodes of this one",
        parameters=[RUN_ID, KEY, CORRELATION_ID],
        body="OperatorBody",
        body_required=False,
        answers=[
            DocumentedResponse(201, "The new run.", {JSON: "RunForked"}),
            DocumentedResponse(200, "The new run was there already.", {JSON: "RunForked"}),
        ],
        problems=_FORK_PROBLEMS | {409: "The run did not fail and was not aborted (`not_ready`)."},
    ),
    Endpoint(
        name="forkRun",
        method="post",
        path="/api/v1/flex/runs/{run_id}/fork",
        tag="control",
        summary="A new run that keeps what this one completed before a node",
        parameters=[RUN_ID, KEY, CORRELATION_ID],
        body="ForkBody",
        body_required=False,
        answers=[
            DocumentedResponse(201, "The new run.", {JSON: "RunForked"}),
            DocumentedResponse(200, "The Idempotency-Key had made it already.", {JSON: "RunForked"}),
        ],
        problems=_FORK_PROBLEMS
        | {
            403: "The fork would loosen rules of approval, and this person may not decide in the run (`not_allowed`).",
            422: "The changed plan cannot be run (`plan_invalid`, `response_invalid`), or the key was used otherwise.",
        },
    ),
)

PEOPLE_DOORS: tuple[Endpoint, ...] = (*_HITL_DOORS, _RESUME_DOOR, *_TASK_DOORS, *_FORK_DOORS)
