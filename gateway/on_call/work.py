"""`/api/v1/flex/work`: outstanding work, who has it, and giving it back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, get_args

from aiohttp import web

from eventstore.capabilities import capability_rows
from eventstore.processes import ProcessRow, list_processes
from eventstore.store import EventStore, is_run_id
from eventstore.work_list import (
    HELD,
    WORK_STATES,
    WorkEntry,
    WorkFilter,
    WorkPlace,
    find_work,
    list_work,
)
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
from gateway.errors import NotFound
from gateway.middleware import bind_log_fields, caller
from gateway.on_call.models import OperationReport, WorkDetail, WorkItem, WorkList, WorkServer
from gateway.on_call.release import Release
from gateway.operators import operator_text
from gateway.page_cursor import page_cursor, write_page_cursor
from gateway.people.documentation import BODY_INVALID
from gateway.query import Parameter, Query, QueryValue, known_value, whole_number
from gateway.recording import begin_operation, note_operation
from gateway.response import json_response
from gateway.run_id import canonical_run_id, run_id_value
from runs.event import JsonObject, parse_time
from schemas.on_call import ReleaseWorkBody
from schemas.vocabulary import HintKind, TimerKind

ENDPOINTS = Endpoints("operations")

PATH = "/api/v1/flex/work"
DEFAULT_PAGE = 100
MAX_PAGE = 1000
_KINDS: tuple[str, ...] = (*get_args(HintKind), *get_args(TimerKind))
_CALLED_HOMES = frozenset({"http", "mcp", "model"})


class NoSuchWork(NotFound):
    """No outstanding work has this id."""

    code = "work_unknown"

    def __init__(self, work_id: str) -> None:
        super().__init__(
            f"There is no outstanding work {work_id[:200]!r}: it was done, or its run has ended."
        )


PathWorkId = Annotated[
    str,
    FromRequest(
        lambda request: request.match_info["work_id"],
        [Parameter("work_id", "path", "The work's id, `RUN:KIND:REF`.")],
    ),
]


def _read_cursor(key: Sequence[str]) -> WorkPlace:
    due_at, run_id, kind, ref = key
    return WorkPlace(parse_time(due_at), canonical_run_id(run_id), known_value(kind, "kind", _KINDS), ref)


def _one_of(description: str, values: Sequence[str]) -> QueryValue:
    return QueryValue(description, {"enum": list(values)}, lambda text, name: known_value(text, name, values))


class WorkQuery(Query):
    """Which outstanding work to list, and from where on."""

    run_id: Annotated[str | None, run_id_value("Only of this run.")] = None
    queue: Annotated[str | None, QueryValue("Only of this queue.")] = None
    kind: Annotated[str | None, _one_of("Only of this kind.", _KINDS)] = None
    worker: Annotated[str | None, QueryValue("Only what this worker, or this process, has.")] = None
    state: Annotated[str | None, _one_of("Only in this state.", WORK_STATES)] = None
    cursor: Annotated[WorkPlace | None, page_cursor(_read_cursor)] = None
    limit: Annotated[int, whole_number("How many, at most.", least=1, most=MAX_PAGE)] = DEFAULT_PAGE

    @property
    def filter(self) -> WorkFilter:
        states = WORK_STATES if self.state is None else (self.state,)
        return WorkFilter(self.run_id, self.queue, self.kind, self.worker, states)


@ENDPOINTS.get(
    PATH,
    name="listWork",
    needs="runs:read",
    operator=True,
    summary="Outstanding work",
    description="What is due or will be, who has it until when, and whether anybody is there to take it.",
    responses=[DocumentedResponse(200, "A page, oldest first.", {JSON: WorkList})],
    problems=QUERY_INVALID | UNAUTHORIZED | UNAVAILABLE,
)
async def show_list(request: web.Request, query: WorkQuery) -> web.Response:
    """A page of outstanding work."""
    store = request.app[GATEWAY].deps.store
    rows = await list_work(store, query.filter, after=query.cursor, limit=query.limit)
    body: JsonObject = {"work": [WorkItem.of(row) for row in rows]}
    if len(rows) == query.limit:
        last = rows[-1]
        body["nextCursor"] = write_page_cursor(last.due_at, last.run_id, last.kind, last.ref)
    return json_response(body)


@ENDPOINTS.get(
    PATH + "/{work_id}",
    name="showWork",
    needs="runs:read",
    operator=True,
    summary="One piece of outstanding work, and who serves it",
    responses=[DocumentedResponse(200, "The work.", {JSON: WorkDetail})],
    problems={404: "There is no such outstanding work (`work_unknown`)."} | UNAUTHORIZED | UNAVAILABLE,
)
async def show(request: web.Request, work_id: PathWorkId) -> web.Response:
    """A piece of work with those who could take it, or have it."""
    store = request.app[GATEWAY].deps.store
    run_id, _, rest = work_id.partition(":")
    kind, _, ref = rest.partition(":")
    entry = await find_work(store, run_id, kind, ref) if is_run_id(run_id) else None
    if entry is None:
        raise NoSuchWork(work_id)
    homes = await _homes(store, entry)
    servers = [
        WorkServer.of(row, has_it=_has(row, entry))
        for row in await list_processes(store, queue=entry.queue)
        if _has(row, entry) or _serves(row, entry, homes)
    ]
    return json_response({**WorkItem.of(entry), "servers": servers}, run_id=entry.run_id)


async def _homes(store: EventStore, entry: WorkEntry) -> set[str]:
    if entry.capability_id is None:
        return set()
    return {row.home for row in await capability_rows(store, entry.capability_id)}


def _has(row: ProcessRow, entry: WorkEntry) -> bool:
    holder = entry.worker or ""
    return row.worker == holder or holder.startswith(f"claim:{row.worker.rpartition(':')[2]}:")


def _serves(row: ProcessRow, entry: WorkEntry, homes: set[str]) -> bool:
    if row.status == "silent":
        return False
    served = {each.split(" ", 1)[0] for each in row.capabilities}
    return entry.kind != "node" or entry.capability_id in served or bool(homes & _CALLED_HOMES)


@ENDPOINTS.post(
    PATH + "/release",
    name="releaseWork",
    needs="admin",
    operator=True,
    summary="Give work back, so that another worker takes it",
    description="The lease ends now. Work that has begun goes on as after a lost lease, and its worker is not charged"
    " with it; what that worker still reports is refused as stale. A filter selects what workers have, and what is"
    " parked.",
    acts_on="work",
    records_itself=True,
    responses=[DocumentedResponse(200, "What became of each.", {JSON: OperationReport})],
    problems=BODY_INVALID | UNAUTHORIZED | UNAVAILABLE,
)
async def release(request: web.Request, body: ReleaseWorkBody) -> web.Response:
    """End leases by hand; a dry run says which."""
    if not body.dry_run:
        note_operation(request, "releaseWork", "work", None)
        await begin_operation(request, [body], object_id=_object(body))
    gateway = request.app[GATEWAY]
    deps = gateway.deps
    name = caller(request).name
    if not deps.tokens.configured:
        name = operator_text(body.operator) or name
    releasing = Release(deps.store, deps.handler, deps.broker, deps.clock, name, dry=body.dry_run)
    bind_log_fields(request, by=name, reason=body.reason)
    if body.work_ids is not None:
        items, more = await gateway.shield_write(releasing.named(body.work_ids)), False
    else:
        entries = await list_work(deps.store, _selected(body), limit=body.limit + 1)
        items = await gateway.shield_write(releasing.found(entries[: body.limit]))
        more = len(entries) > body.limit
    return json_response(OperationReport.of(items, dry_run=body.dry_run, more=more))


def _object(body: ReleaseWorkBody) -> str | None:
    """What the operations log names: the ids as far as they go, or the filter."""
    if body.work_ids is not None:
        return " ".join(body.work_ids)
    return body.filter.model_dump_json(exclude_none=True) if body.filter is not None else None


def _selected(body: ReleaseWorkBody) -> WorkFilter:
    wanted = body.filter
    if wanted is None:
        raise ValueError("a release without ids has a filter")
    states = HELD if wanted.state is None else (wanted.state,)
    return WorkFilter(wanted.run_id, wanted.queue, wanted.kind, wanted.worker, states)
