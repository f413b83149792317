"""What the endpoints for operators answer with."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from eventstore.processes import ProcessRow
from eventstore.work_list import WorkEntry, WorkState
from gateway.response import Response, document, present
from runs.event import JsonObject
from schemas.base import RunId, Timestamp
from schemas.payload_marks import SHOWN
from schemas.plan import CapabilityId, CapabilityVersion
from schemas.vocabulary import WorkKind


class WorkItem(Response):
    """A piece of outstanding work. `served` says of due work whether somebody is there to take it.

    `state` is `due`, `later` (due later), `claimed` (and not begun), `running`, `parked` (it waits for a limit or an
    endpoint), `callback` (a service is to call back), or `timer`.
    """

    work_id: str
    run_id: RunId
    kind: WorkKind
    ref: str
    queue: str
    attempt: int
    state: WorkState
    due_at: Timestamp
    waiting_seconds: float | None = None
    """How long it has been due; of free work only."""
    worker: str | None = None
    lease_until: Timestamp | None = None
    capability_id: CapabilityId | None = None
    capability_version: CapabilityVersion | None = None
    run_status: str
    served: bool | None = None
    failures: Annotated[int, Field(ge=0)]
    losses: Annotated[list[dict[str, Any]], SHOWN]
    """Workers in a row that were lost over this attempt before it began."""

    @classmethod
    def of(cls, row: WorkEntry) -> JsonObject:
        """An item as its row has it."""
        waited = (
            (row.asked_at - row.due_at).total_seconds()
            if row.state == "due" and row.asked_at is not None
            else None
        )
        return document(
            cls, row, leave_out=("losses",), losses=row.known_losses, **present(waiting_seconds=waited)
        )


class WorkList(Response):
    """A page of outstanding work, oldest first; `nextCursor` is there while there are more."""

    work: list[WorkItem]
    next_cursor: str | None = None


class WorkServer(Response):
    """Who is there to take a piece of work, or has it."""

    worker: str
    role: str
    status: str
    heard_at: Timestamp
    has_it: bool

    @classmethod
    def of(cls, row: ProcessRow, *, has_it: bool) -> JsonObject:
        return document(cls, row, has_it=has_it)


class WorkDetail(WorkItem):
    """A piece of work, and who serves it."""

    servers: list[WorkServer]


class OperationItem(Response):
    """What became of one: `done`, `would` (a dry run), or `refused` with the reason."""

    id: str
    result: Literal["done", "would", "refused"]
    code: str | None = None
    reason: str | None = None
    about: str | None = None
    """What it is, in words."""


class OperationReport(Response):
    """What became of each. `more`: the filter selects others beyond the limit."""

    dry_run: bool
    done: Annotated[int, Field(ge=0)]
    refused: Annotated[int, Field(ge=0)]
    more: bool
    items: list[OperationItem]

    @classmethod
    def of(cls, items: list[JsonObject], *, dry_run: bool, more: bool) -> JsonObject:
        """A report of these items; `done` counts what a dry run would do."""
        refused = sum(each["result"] == "refused" for each in items)
        return {
            "dryRun": dry_run,
            "done": len(items) - refused,
            "refused": refused,
            "more": more,
            "items": items,
        }
