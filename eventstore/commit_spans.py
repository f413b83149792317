"""The spans that commits end: of attempts at nodes, and of runs. Register it with `EventStore.on_commit`."""

from __future__ import annotations

from datetime import datetime

from eventstore.batch import Commit
from runs.event import Event, JsonObject
from runs.state import RunState
from runs.trace import attempt_span, origin_span, parent_of_run, run_span
from telemetry.tracing import Span, record


def record_commit(commit: Commit) -> None:
    """Record what has ended with the events of a commit."""
    for event in commit.events:
        if event.type in ("node_complete", "node_error"):
            _attempt(event, commit)
        elif event.type == "complete":
            _run(event, commit.after)


def _attempt(event: Event, commit: Commit) -> None:
    node_id, number = event.node_id or "", event.payload.get("attempt")
    before = commit.before.nodes.get(node_id)
    if not isinstance(number, int) or number < 1 or "origin" in (event.detail or {}):
        return
    state, error = commit.after, _error(event)
    began_at = before.started_at if before is not None and before.attempt == number else None
    record(
        Span(
            name=f"node {node_id}",
            context=attempt_span(state, node_id, number),
            parent_id=run_span(state).span_id,
            began_at=_unix(began_at or event.recorded_at),
            ended_at=_unix(event.recorded_at),
            attributes={
                "flexrun.run_id": state.run_id,
                "flexrun.node_id": node_id,
                "flexrun.attempt": number,
                "flexrun.capability_id": str(event.payload.get("capabilityId") or ""),
            },
            # A retry is an attempt of its own beside the one before, which did not cause it to be called.
            links=(attempt_span(state, node_id, number - 1),) if number > 1 else (),
            error=error,
        )
    )


def _run(event: Event, state: RunState) -> None:
    origin = origin_span(state)
    record(
        Span(
            name="run",
            context=run_span(state),
            parent_id=parent_of_run(state),
            began_at=_unix(state.created_at or event.recorded_at),
            ended_at=_unix(event.recorded_at),
            attributes={
                "flexrun.run_id": state.run_id,
                "flexrun.status": str(event.payload.get("status")),
                "flexrun.correlation_id": state.correlation_id or "",
            },
            links=() if origin is None else (origin,),
            error=_error(event),
        )
    )


def _error(event: Event) -> str | None:
    error: JsonObject | None = event.payload.get("error")
    return None if error is None else str(error.get("code"))


def _unix(moment: datetime) -> float:
    return moment.timestamp()
