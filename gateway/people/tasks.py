"""`/api/v1/flex/tasks`: nodes that wait for a person's work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from aiohttp import web

from eventstore.handler import Outcome
from eventstore.queries.tasks import TaskCursor, TaskFilters, TaskRow, human_tasks
from gateway.deps import GATEWAY
from gateway.endpoint import (
    JSON,
    QUERY_INVALID,
    UNAUTHORIZED,
    UNAVAILABLE,
    DocumentedResponse,
    Endpoints,
    FromRequest,
)
from gateway.middleware import bind_log_fields, caller
from gateway.page_cursor import page_cursor, write_page_cursor
from gateway.people.documentation import BODY_INVALID, DEFAULT_PAGE, MAX_PAGE, WaitingQuery
from gateway.people.error_pointers import errors_at
from gateway.people.models import DecisionOutcome
from gateway.people.task_service import TaskId, Tasks, task_bundle, task_id
from gateway.query import Parameter, repeated, whole_number
from gateway.response import Response, document, json_response
from gateway.run_id import canonical_run_id
from gateway.runs.documentation import RUN_UNKNOWN
from runs.errors import RunUnknown, StaleAttempt
from runs.event import Json, JsonObject, parse_time
from schemas.control import HumanTask, TaskDeclineBody, TaskSubmitBody
from schemas.payload_marks import PAYLOAD
from schemas.vocabulary import RunStatus

ENDPOINTS = Endpoints("people")


def _read_path(request: web.Request) -> TaskId:
    task = TaskId.parse(request.match_info["task_id"])
    bind_log_fields(request, run_id=task.run_id)
    return task


PathTask = Annotated[
    TaskId, FromRequest(_read_path, [Parameter("task_id", "path", "The task's id, as the list has it.")])
]


def _read_cursor(key: Sequence[str]) -> TaskCursor:
    started_at, run_id, node_id = key
    return TaskCursor(parse_time(started_at), canonical_run_id(run_id), node_id)


class TaskListQuery(WaitingQuery):
    """Which tasks to list, and from where on."""

    cursor: Annotated[TaskCursor | None, page_cursor(_read_cursor)] = None
    limit: Annotated[int, whole_number("How many, at most.", least=1, most=MAX_PAGE)] = DEFAULT_PAGE
    assigned_to: Annotated[tuple[str, ...], repeated("The same as `role`.")] = ()


class TaskSummary(HumanTask):
    """A task in a list; its `bundle` is what the plan says of the node. `assignmentId` is the `taskId`."""

    assignment_id: str
    status: Literal["awaiting_submission"]
    contracts: dict[str, Any]
    thread_id: str | None = None
    objective: Annotated[str, PAYLOAD]
    run_status: RunStatus

    @classmethod
    def of(cls, row: TaskRow, bundle: JsonObject | None = None) -> JsonObject:
        """A task as its row has it, with the whole of its bundle where that is at hand.

        The last three keys but for the status are what the operator screens read.
        """
        contract: JsonObject = row.context.get("contract") or {}
        output: Json = contract.get("output")
        name = task_id(row.run_id, row.plan_version, row.attempt, row.node_id)
        return document(
            cls,
            row,
            task_id=name,
            instructions=contract.get("expectations") or [],
            output_schema=output,
            bundle=bundle if bundle is not None else row.context.get("bundle") or {},
            created_at=row.started_at,
            expires_at=row.expires_at,
            thread_id=row.thread_id,
            assignment_id=name,
            status="awaiting_submission",
            contracts={"output": {"mode": "json_schema", "schema": True if output is None else output}},
        )


class TaskList(Response):
    """Longest waiting first; `next_cursor` is there while there are more. `count` is how many are on this page."""

    ok: Literal[True]
    count: int
    tasks: list[TaskSummary]
    next_cursor: str | None = None


_TAKEN = [DocumentedResponse(200, "Taken.", {JSON: DecisionOutcome})]
_PROBLEMS = (
    BODY_INVALID
    | UNAUTHORIZED
    | {403: "The task is for others (`not_allowed`)."}
    | {404: "There is no such task or run (`task_unknown`, `run_unknown`)."}
    | {409: "It is done (`not_ready`, `stale_attempt`), or the run is over (`run_finished`)."}
)


@ENDPOINTS.get(
    "/api/v1/flex/tasks",
    name="listTasks",
    needs="runs:read",
    summary="Nodes that wait for a person's work, longest waiting first",
    responses=[DocumentedResponse(200, "A page.", {JSON: TaskList})],
    problems=QUERY_INVALID | UNAUTHORIZED | RUN_UNKNOWN | UNAVAILABLE,
)
async def list_tasks(request: web.Request, query: TaskListQuery) -> web.Response:
    """A page of tasks, longest waiting first; all of them where one run is asked for."""
    filters = TaskFilters(
        run_id=query.run_id,
        thread_id=query.thread_id,
        client_id=query.client_id,
        names=[*query.role, *query.assigned_to] or None,
    )
    store = request.app[GATEWAY].deps.store
    rows = await human_tasks(store, filters, after=query.cursor, limit=query.limit)
    body: JsonObject = {"ok": True, "count": len(rows), "tasks": [TaskSummary.of(row) for row in rows]}
    if len(rows) == query.limit and query.run_id is None:
        body["nextCursor"] = write_page_cursor(rows[-1].started_at, rows[-1].run_id, rows[-1].node_id)
    return json_response(body)


@ENDPOINTS.get(
    "/api/v1/flex/tasks/{task_id}",
    name="showTask",
    needs="runs:read",
    summary="One task with the whole of its bundle",
    responses=[DocumentedResponse(200, "The task.", {JSON: TaskSummary})],
    problems={
        404: "There is no such task or run (`task_unknown`, `run_unknown`).",
        409: "It is done (`stale_attempt`).",
    }
    | UNAUTHORIZED
    | UNAVAILABLE,
)
async def show_task(request: web.Request, task: PathTask) -> web.Response:
    """One task with the whole of its bundle: the inputs, and the outputs of the nodes before it."""
    store = request.app[GATEWAY].deps.store
    state = await store.load(task.run_id, fresh=True)
    if not state.exists:
        raise RunUnknown(f"there is no run {task.run_id}")
    bundle = task_bundle(state, task)
    for row in await human_tasks(store, TaskFilters(run_id=task.run_id)):
        if (row.plan_version, row.attempt, row.node_id) == (task.plan_version, task.attempt, task.node_id):
            return json_response(TaskSummary.of(row, bundle), run_id=task.run_id)
    raise StaleAttempt(f"this attempt of node {task.node_id} is over", nodeId=task.node_id)


@ENDPOINTS.post(
    "/api/v1/flex/tasks/{task_id}/submit",
    name="submitTask",
    needs="hitl:respond",
    summary="A person's output for a node",
    responses=_TAKEN,
    problems=_PROBLEMS | {422: "The output breaks the node's contract (`response_invalid`)."} | UNAVAILABLE,
)
async def submit_task(request: web.Request, task: PathTask, body: TaskSubmitBody) -> web.Response:
    """A person's output, checked by the node's contract like any other."""
    with errors_at("/output"):
        outcome = await request.app[GATEWAY].shield_write(_tasks(request).submit(task, body, caller(request)))
    return _answer(outcome)


@ENDPOINTS.post(
    "/api/v1/flex/tasks/{task_id}/decline",
    name="declineTask",
    needs="hitl:respond",
    summary="A person will not do a node",
    responses=_TAKEN,
    problems=_PROBLEMS | UNAVAILABLE,
)
async def decline_task(request: web.Request, task: PathTask, body: TaskDeclineBody) -> web.Response:
    """A person will not do it; what happens then says the node's `fallback`."""
    return _answer(
        await request.app[GATEWAY].shield_write(_tasks(request).decline(task, body, caller(request)))
    )


def _tasks(request: web.Request) -> Tasks:
    deps = request.app[GATEWAY].deps
    return Tasks(deps.handler, deps.contracts, deps.clock)


def _answer(outcome: Outcome) -> web.Response:
    return json_response(DecisionOutcome.of(outcome.state, []), run_id=outcome.state.run_id)
