"""`/api/v1/flex/tasks`: nodes that wait for a person's work."""

from __future__ import annotations

from aiohttp import web

from eventstore.handler import Outcome
from eventstore.people import TaskCursor, TaskFilters, human_tasks
from gateway.answers import json_answer
from gateway.body import expect_continue
from gateway.deps import GATEWAY
from gateway.middleware import caller, note
from gateway.page_cursor import read_page_cursor, write_page_cursor
from gateway.people.bodies import read_model
from gateway.people.error_pointers import errors_at
from gateway.people.serializers import serialize_outcome, serialize_task, task_id
from gateway.people.task_service import TaskId, Tasks, task_bundle
from gateway.query import known_form, query_problem, read_number
from runs.errors import RunUnknown, StaleAttempt
from schemas.control import TaskDeclineBody, TaskSubmitBody

ROUTES = web.RouteTableDef()

PATH = "/api/v1/flex/tasks"
DEFAULT_PAGE_TASKS = 50
MAX_PAGE_TASKS = 200


@ROUTES.get(PATH, name="listTasks")
async def show_tasks(request: web.Request) -> web.Response:
    """A page of tasks, longest waiting first; all of them where one run is asked for."""
    limit = read_number(request, "limit", DEFAULT_PAGE_TASKS, least=1, most=MAX_PAGE_TASKS)
    run_id = request.query.get("runId")
    filters = TaskFilters(
        run_id=known_form(run_id) if run_id is not None else None,
        thread_id=request.query.get("threadId"),
        client_id=request.query.get("clientId"),
        names=[*request.query.getall("role", []), *request.query.getall("assignedTo", [])] or None,
    )
    rows = await human_tasks(request.app[GATEWAY].deps.store, filters, after=_cursor(request), limit=limit)
    body: dict[str, object] = {"ok": True, "count": len(rows), "tasks": [serialize_task(row) for row in rows]}
    if len(rows) == limit and run_id is None:
        body["nextCursor"] = write_page_cursor(rows[-1].started_at, rows[-1].run_id, rows[-1].node_id)
    return json_answer(body)


@ROUTES.get(PATH + "/{task_id}", name="showTask")
async def show_task(request: web.Request) -> web.Response:
    """One task with the whole of its bundle: the inputs, and the outputs of the nodes before it."""
    task = TaskId.parse(request.match_info["task_id"])
    note(request, run_id=task.run_id)
    store = request.app[GATEWAY].deps.store
    state = await store.load(task.run_id, fresh=True)
    if not state.exists:
        raise RunUnknown(f"there is no run {task.run_id}")
    bundle = task_bundle(state, task)
    name = task_id(task.run_id, task.plan_version, task.attempt, task.node_id)
    rows = await human_tasks(store, TaskFilters(run_id=task.run_id))
    shown = [each for each in map(serialize_task, rows) if each["taskId"] == name]
    if not shown:
        raise StaleAttempt(f"this attempt of node {task.node_id} is over", nodeId=task.node_id)
    return json_answer({**shown[0], "bundle": bundle}, run_id=task.run_id)


@ROUTES.post(PATH + "/{task_id}/submit", name="submitTask", expect_handler=expect_continue)
async def submit_task(request: web.Request) -> web.Response:
    """A person's output, checked by the node's contract like any other."""
    task, body = TaskId.parse(request.match_info["task_id"]), await read_model(request, TaskSubmitBody)
    with errors_at("/output"):
        outcome = await request.app[GATEWAY].carry_out(_tasks(request).submit(task, body, caller(request)))
    return _answer(request, outcome)


@ROUTES.post(PATH + "/{task_id}/decline", name="declineTask", expect_handler=expect_continue)
async def decline_task(request: web.Request) -> web.Response:
    """A person will not do it; what happens then says the node's `fallback`."""
    task, body = TaskId.parse(request.match_info["task_id"]), await read_model(request, TaskDeclineBody)
    outcome = await request.app[GATEWAY].carry_out(_tasks(request).decline(task, body, caller(request)))
    return _answer(request, outcome)


def _tasks(request: web.Request) -> Tasks:
    deps = request.app[GATEWAY].deps
    return Tasks(deps.handler, deps.contracts, deps.clock)


def _answer(request: web.Request, outcome: Outcome) -> web.Response:
    note(request, run_id=outcome.state.run_id)
    return json_answer(serialize_outcome(outcome.state, []), run_id=outcome.state.run_id)


def _cursor(request: web.Request) -> TaskCursor | None:
    cursor = read_page_cursor(request, names=2)
    if cursor is None:
        return None
    try:
        return TaskCursor(cursor[0], known_form(cursor[1][0]), cursor[1][1])
    except RunUnknown:
        raise query_problem("cursor", "this is not a nextCursor of this list.") from None
