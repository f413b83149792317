"""Requests to people: those that are open, as lists, and each by its id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from eventstore.queries.payload import WholeRun, brief_id_of, whole_runs
from eventstore.store import EventStore, is_run_id
from runs.event import JsonObject
from schemas.vocabulary import Decision, RequestKind, RequestSubject, RunStatus

RequestRowStatus = Literal["open", "resolved", "cancelled"]


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A question to people, and some facts of its run. `status`: open, resolved, or cancelled (its run is over).

    `brief_id` is `briefId` in the envelope's metadata or inputs.
    """

    request_id: str
    run_id: str
    thread_id: str | None
    node_id: str | None
    kind: RequestKind
    subject: RequestSubject
    status: RequestRowStatus
    payload: JsonObject
    rules: JsonObject
    votes: list[JsonObject]
    proposal: JsonObject | None
    decision: Decision | None
    operator: str | None
    note: str | None
    created_at: datetime
    expires_at: datetime | None
    resolved_at: datetime | None
    run_status: RunStatus
    plan_version: int | None
    objective: str
    run_updated_at: datetime
    brief_id: str | None


@dataclass(frozen=True, slots=True)
class RequestCursor:
    """The last request of a page: the next page begins after it (oldest first)."""

    created_at: datetime
    request_id: str


async def pending_requests(
    store: EventStore,
    *,
    run_id: str | None = None,
    thread_id: str | None = None,
    client_id: str | None = None,
    names: Sequence[str] | None = None,
    after: RequestCursor | None = None,
    limit: int = 100,
) -> list[RequestRow]:
    """Open requests, oldest first, after a cursor: of all runs, of a thread, or all of one run.

    With `names` (a person's name and roles) only those that this person may decide.
    """
    parameters: dict[str, Any] = {
        "run_id": run_id,
        "thread_id": thread_id,
        "client_id": client_id,
        "names": None if names is None else list(names),
        "created_after": after.created_at if after is not None else None,
        "request_after": after.request_id if after is not None else "",
        "limit": limit,
    }
    if run_id is not None:
        name = "people/pending_requests_of_run"
        if not is_run_id(run_id):
            return []
    else:
        name = "people/pending_requests_of_thread" if thread_id is not None else "people/pending_requests"
    rows = await store.select(RequestRow, name, parameters)
    return _with_payload(rows, await whole_runs(store, rows))


async def open_requests_of(store: EventStore, run_id: str, whole: Mapping[str, WholeRun]) -> list[RequestRow]:
    """All open requests of one run; `whole` has the run where it is protected."""
    parameters = {"run_id": run_id, "client_id": None, "names": None}
    rows = await store.select(RequestRow, "people/pending_requests_of_run", parameters)
    return _with_payload(rows, whole)


async def get_request(store: EventStore, request_id: str) -> RequestRow | None:
    """One request, open or not; None where there is no such request."""
    rows = await store.select(RequestRow, "people/get_request", {"request_id": request_id})
    return _with_payload(rows, await whole_runs(store, rows))[0] if rows else None


def _with_payload(rows: list[RequestRow], whole: Mapping[str, WholeRun]) -> list[RequestRow]:
    return [_whole_request(row, whole[row.run_id]) if row.run_id in whole else row for row in rows]


def _whole_request(row: RequestRow, whole: WholeRun) -> RequestRow:
    request = whole.requests.get(row.request_id, {})
    names = ("payload", "votes", "proposal", "note")
    return replace(
        row,
        objective=whole.run["objective"],
        brief_id=brief_id_of(whole.run["envelope"]),
        **{name: request[name] for name in names if name in request},
    )
