"""Rows of the read models in the shapes of the operator screens that were there before flexrun."""

from __future__ import annotations

from collections.abc import Sequence

from eventstore.queries.requests import RequestRow
from gateway.response import Response, document
from runs.event import JsonObject
from runs.frames import origin_agent, screen_question
from schemas.base import RunId, Timestamp
from schemas.payloads import ScreenQuestion
from schemas.vocabulary import OriginAgent, RunStatus


class ScreenPending(Response):
    """A request in the shape of the operator screens."""

    id: str
    created_at: Timestamp
    payload: ScreenQuestion
    origin_agent: OriginAgent

    @classmethod
    def of(cls, row: RequestRow) -> JsonObject:
        """A request as its row has it."""
        return document(
            cls,
            row,
            leave_out=("payload",),
            id=row.request_id,
            payload=screen_question(row.payload),
            origin_agent=row.payload.get("originAgent") or origin_agent(row.subject, None),
        )


class ScreenRun(Response):
    """A run that waits, in the shape of the operator screens, with the first of its requests."""

    run_id: RunId
    thread_id: str | None
    brief_id: str | None
    pending_request_id: str
    status: RunStatus
    updated_at: Timestamp
    pending_request: ScreenPending

    @classmethod
    def of(cls, row: RequestRow) -> JsonObject:
        """The run of a request as its row has it."""
        return document(
            cls,
            row,
            pending_request_id=row.request_id,
            status=row.run_status,
            updated_at=row.run_updated_at,
            pending_request=ScreenPending.of(row),
        )


def screen_runs(rows: Sequence[RequestRow]) -> list[JsonObject]:
    """The runs of these requests, in their order: each once, with the first of its requests."""
    first: dict[str, RequestRow] = {}
    for row in rows:
        first.setdefault(row.run_id, row)
    return [ScreenRun.of(row) for row in first.values()]
