"""Rows of the read models in the shapes of the operator screens that were there before flexrun."""

from __future__ import annotations

from collections.abc import Sequence

from eventstore.people import TaskRow
from eventstore.queries import RequestRow
from runs.event import Json, JsonObject, rfc3339
from runs.frames import origin_agent, screen_question


def screen_runs(rows: Sequence[RequestRow]) -> list[JsonObject]:
    """The runs of these requests, in their order: each once, with the first of its requests."""
    first: dict[str, RequestRow] = {}
    for row in rows:
        first.setdefault(row.run_id, row)
    return [_run(row) for row in first.values()]


def _run(row: RequestRow) -> JsonObject:
    return {
        "runId": row.run_id,
        "threadId": row.thread_id,
        "briefId": row.brief_id,
        "pendingRequestId": row.request_id,
        "status": row.run_status,
        "updatedAt": rfc3339(row.run_updated_at),
        "pendingRequest": {
            "id": row.request_id,
            "createdAt": rfc3339(row.created_at),
            "payload": screen_question(row.payload),
            "originAgent": row.payload.get("originAgent") or origin_agent(row.subject, None),
        },
    }


def screen_task(row: TaskRow, task_id: str) -> JsonObject:
    """What the screens read of a task beside our own words."""
    contract: JsonObject = row.context.get("contract") or {}
    output: Json = contract.get("output")
    return {
        "assignmentId": task_id,
        "status": "awaiting_submission",
        "contracts": {"output": {"mode": "json_schema", "schema": True if output is None else output}},
    }
