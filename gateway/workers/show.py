"""`GET /api/v1/flex/workers`: which processes and workers there are, what they serve, and whether they take it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, get_args

from aiohttp import web
from pydantic import Field

from eventstore.processes import ProcessRole, ProcessRow, ProcessStatus, list_processes
from gateway.deps import GATEWAY
from gateway.endpoint import JSON, QUERY_INVALID, UNAUTHORIZED, UNAVAILABLE, DocumentedResponse, Endpoints
from gateway.page_cursor import page_cursor, write_page_cursor
from gateway.query import Query, QueryValue, known_value, whole_number
from gateway.response import Response, document, json_response, present
from runs.event import JsonObject
from schemas.base import Timestamp

ENDPOINTS = Endpoints("operations")

PATH = "/api/v1/flex/workers"
DEFAULT_PAGE = 200
MAX_PAGE = 1000
_ROLES: tuple[str, ...] = get_args(ProcessRole)
_STATUSES: tuple[str, ...] = get_args(ProcessStatus)


class ServedVersion(Response):
    """A version of a capability that it runs by itself."""

    id: str
    version: str


class WorkerEntry(Response):
    """A role of a process, or a worker that claims its work at a gateway (`role` is `worker`).

    `inFlight` counts its leases, claims that have not begun included; `busy` is how many of its slots are taken, as it
    says. `waitingSeconds` is how long the oldest free and due work waits that it serves.
    """

    worker: str
    role: ProcessRole
    status: ProcessStatus
    version: str | None = None
    queues: list[str]
    capabilities: list[ServedVersion]
    slots: int | None = None
    busy: int | None = None
    in_flight: Annotated[int, Field(ge=0)]
    last_taken_at: Timestamp | None = None
    waiting_seconds: float | None = None
    clock_ahead_seconds: float | None = None
    started_at: Timestamp
    heard_at: Timestamp

    @classmethod
    def of(cls, row: ProcessRow) -> JsonObject:
        """An entry as its row has it."""
        served = [dict(zip(("id", "version"), each.split(" ", 1), strict=True)) for each in row.capabilities]
        return document(cls, row, capabilities=served, **present(last_taken_at=row.taken_at))


class WorkerList(Response):
    """A page of workers by name; `nextCursor` is there while there are more."""

    workers: list[WorkerEntry]
    next_cursor: str | None = None


def _read_cursor(key: Sequence[str]) -> tuple[str, str]:
    worker, role = key
    known_value(role, "role", _ROLES)
    return worker, role


class WorkersQuery(Query):
    """Which workers to list."""

    role: Annotated[
        str | None,
        QueryValue(
            "Only this role.", {"enum": list(_ROLES)}, lambda text, name: known_value(text, name, _ROLES)
        ),
    ] = None
    status: Annotated[
        str | None,
        QueryValue(
            "Only those with this status; a page may then have fewer than `limit`.",
            {"enum": list(_STATUSES)},
            lambda text, name: known_value(text, name, _STATUSES),
        ),
    ] = None
    queue: Annotated[str | None, QueryValue("Only those that serve this queue.")] = None
    capability: Annotated[str | None, QueryValue("Only those that run this capability by themselves.")] = None
    cursor: Annotated[tuple[str, str] | None, page_cursor(_read_cursor)] = None
    limit: Annotated[int, whole_number("How many, at most.", least=1, most=MAX_PAGE)] = DEFAULT_PAGE


@ENDPOINTS.get(
    PATH,
    name="listWorkers",
    needs="runs:read",
    operator=True,
    summary="Which processes and workers there are, and whether they take work",
    description="`status` is `ok`; `deaf`, when it is heard of, has a free slot, and work that it serves has been due"
    " for 10 s while it took none; or `silent`, when it was not heard of for 15 s. Those that are silent for a day are"
    " forgotten; one that stops as it should is not shown any more.",
    responses=[DocumentedResponse(200, "A page, by name and role.", {JSON: WorkerList})],
    problems=QUERY_INVALID | UNAUTHORIZED | UNAVAILABLE,
)
async def show_workers(request: web.Request, query: WorkersQuery) -> web.Response:
    """A page of processes and workers."""
    rows = await list_processes(
        request.app[GATEWAY].deps.store,
        role=query.role,
        queue=query.queue,
        capability_id=query.capability,
        after=query.cursor or ("", ""),
        limit=query.limit,
    )
    shown = [WorkerEntry.of(row) for row in rows if query.status in (None, row.status)]
    body: JsonObject = {"workers": shown}
    if len(rows) == query.limit:
        body["nextCursor"] = write_page_cursor(rows[-1].worker, rows[-1].role)
    return json_response(body)
