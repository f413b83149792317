"""`GET /api/v1/flex/operations`: who did what, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, get_args

from aiohttp import web

from eventstore.operations import Operation, OperationFilters, Outcome, list_operations
from eventstore.store import is_run_id
from gateway.deps import GATEWAY
from gateway.endpoint import JSON, QUERY_INVALID, UNAUTHORIZED, UNAVAILABLE, DocumentedResponse, Endpoints
from gateway.page_cursor import page_cursor, write_page_cursor
from gateway.query import Query, QueryValue, QueryValueError, known_value, whole_number
from gateway.response import Response, document, json_response
from gateway.run_id import run_id_value
from gateway.runs.documentation import RUN_UNKNOWN
from runs.event import JsonObject, parse_time
from schemas.base import RunId, Timestamp

ENDPOINTS = Endpoints("operations")

DEFAULT_PAGE_OPERATIONS = 50
MAX_PAGE_OPERATIONS = 200
_MAX_FILTER_CHARS = 300
_OUTCOMES: tuple[str, ...] = get_args(Outcome)


def _read_cursor(key: Sequence[str]) -> str:
    (operation_id,) = key
    if not is_run_id(operation_id):
        raise ValueError(operation_id)
    return operation_id


def _moment(description: str) -> QueryValue:
    def read(text: str, name: str) -> datetime:
        try:
            return parse_time(text)
        except ValueError:
            raise QueryValueError(f"{name} must be a time such as 2026-11-22T12:00:00Z.") from None

    return QueryValue(description, {"type": "string", "format": "date-time"}, read)


def _name(description: str) -> QueryValue:
    def read(text: str, name: str) -> str:
        if not text or len(text) > _MAX_FILTER_CHARS or "\x00" in text or not text.isprintable():
            raise QueryValueError(f"{name} must have 1 to {_MAX_FILTER_CHARS} printable characters.")
        return text

    return QueryValue(description, read=read)


class OperationQuery(Query):
    """Which operations to list, and from where on."""

    actor: Annotated[str | None, _name("Only what this person did: the name of a token.")] = None
    action: Annotated[str | None, _name("Only this operation: an `operationId` of this document.")] = None
    run_id: Annotated[str | None, run_id_value("Only what was done to this run.")] = None
    object_kind: Annotated[str | None, _name("Only what was done to this kind of object.")] = None
    object_id: Annotated[str | None, _name("Only what was done to the object of this id.")] = None
    outcome: Annotated[
        Outcome | None,
        QueryValue(
            "Only those with this outcome.",
            {"enum": list(_OUTCOMES)},
            lambda text, name: known_value(text, name, _OUTCOMES),
        ),
    ] = None
    since: Annotated[datetime | None, _moment("Only from this time on.")] = None
    until: Annotated[datetime | None, _moment("Only before this time.")] = None
    cursor: Annotated[str | None, page_cursor(_read_cursor)] = None
    limit: Annotated[int, whole_number("How many, at most.", least=1, most=MAX_PAGE_OPERATIONS)] = (
        DEFAULT_PAGE_OPERATIONS
    )


class OperationEntry(Response):
    """One request that changed something, or was refused.

    `actor` is the name of the token, `claimedActor` who the caller said to be. `action` is the `operationId` of the
    endpoint, `objectKind` and `objectId` what it was about; a run is in `runId`. `begun` as `outcome`: the caller left,
    or the gateway ended, before the answer was known; whether it took place is seen at the object. `source` is the
    address of the connection, `forwardedFor` what the caller says of the way of its request.
    """

    operation_id: str
    at: Timestamp
    actor: str
    action: str
    object_kind: str
    outcome: Outcome
    object_id: str | None = None
    run_id: RunId | None = None
    claimed_actor: str | None = None
    token_id: str | None = None
    status: int | None = None
    code: str | None = None
    reason: str | None = None
    correlation_id: str | None = None
    source: str | None = None
    forwarded_for: str | None = None
    finished_at: Timestamp | None = None

    @classmethod
    def of(cls, operation: Operation) -> JsonObject:
        """An operation as its row has it."""
        return document(cls, operation)


class OperationList(Response):
    """Newest first; `nextCursor` is there while there are more."""

    operations: list[OperationEntry]
    next_cursor: str | None = None


@ENDPOINTS.get(
    "/api/v1/flex/operations",
    name="listOperations",
    needs="audit:read",
    summary="Who did what, newest first: the operations log",
    description="Every request of the API that changes something is in it, with what came of it. Reads are where the"
    " gateway has the setting FLEXRUN_RECORD_READS.",
    responses=[DocumentedResponse(200, "A page.", {JSON: OperationList})],
    problems=QUERY_INVALID | RUN_UNKNOWN | UNAUTHORIZED | UNAVAILABLE,
)
async def show_operations(request: web.Request, query: OperationQuery) -> web.Response:
    """A page of the operations log, newest first."""
    gateway = request.app[GATEWAY]
    filters = OperationFilters(
        actor=query.actor,
        action=query.action,
        run_id=query.run_id,
        object_kind=query.object_kind,
        object_id=query.object_id,
        outcome=query.outcome,
        since=query.since,
        until=query.until,
    )
    rows = await list_operations(gateway.deps.store, filters, before=query.cursor, limit=query.limit)
    body: JsonObject = {"operations": [OperationEntry.of(row) for row in rows]}
    if len(rows) == query.limit:
        body["nextCursor"] = write_page_cursor(rows[-1].operation_id)
    return json_response(body)
