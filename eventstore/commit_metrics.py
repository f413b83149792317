"""Counts what commits say: what began, ended, failed, was used. Register it with `EventStore.on_commit`."""

from __future__ import annotations

from collections.abc import Callable

from eventstore.batch import Commit
from runs.event import Event, JsonObject
from runs.state import RunState
from schemas.usage import NO_CURRENCY
from telemetry import catalogue as c

_UNKNOWN = "unknown"


def count_commit(commit: Commit) -> None:
    """Count the events of a commit."""
    for event in commit.events:
        c.EVENTS.add(event.type)
        count = _COUNTS.get(event.type)
        if count is not None:
            count(event, commit.after)


def _start(event: Event, _state: RunState) -> None:
    origin: JsonObject = (event.detail or {}).get("origin") or {}
    c.RUNS_STARTED.add(str(origin.get("kind") or "new"))


def _complete(event: Event, state: RunState) -> None:
    outcome = str(event.payload["status"])
    error: JsonObject = event.payload.get("error") or {}
    c.RUNS_FINISHED.add(outcome, str(error.get("code") or ""))
    if state.created_at is not None:
        c.RUN_SECONDS_SPENT.observe(
            outcome, number=max((event.recorded_at - state.created_at).total_seconds(), 0.0)
        )


def _plan_rejected(event: Event, _state: RunState) -> None:
    c.PLANS.add("lost" if (event.detail or {}).get("lost") else "rejected")


def _node_complete(event: Event, _state: RunState) -> None:
    capability = str(event.payload.get("capabilityId") or _UNKNOWN)
    if "origin" in (event.detail or {}):
        c.NODE_ATTEMPTS.add(capability, "reused")
        return
    c.NODE_ATTEMPTS.add(capability, "completed")
    c.NODE_SECONDS.observe(capability, number=(event.payload.get("durationMs") or 0) / 1000)
    _used(capability, event.payload.get("usage"))


def _node_error(event: Event, _state: RunState) -> None:
    payload, detail = event.payload, event.detail or {}
    capability = str(payload.get("capabilityId") or _UNKNOWN)
    if detail.get("lost"):
        c.NODE_ATTEMPTS.add(capability, "lost")
        c.LOSSES.add(capability, str(detail.get("how") or "handed_back"))
    else:
        c.NODE_ATTEMPTS.add(capability, "failed")
        if payload.get("willRetry"):
            c.RETRIES.add(capability)
    _used(capability, payload.get("usage"))


def _used(capability: str, usage: JsonObject | None) -> None:
    if not usage:
        return
    for direction in ("input", "output"):
        if tokens := usage.get(f"{direction}Tokens"):
            c.TOKENS_USED.add(capability, direction, amount=tokens)
    if cost := usage.get("costMicros"):
        c.MONEY_USED.add(capability, str(usage.get("currency") or NO_CURRENCY), amount=cost / 1_000_000)
    if seconds := usage.get("seconds"):
        c.SECONDS_USED.add(capability, amount=seconds)


_COUNTS: dict[str, Callable[[Event, RunState], None]] = {
    "start": _start,
    "complete": _complete,
    "plan_generated": lambda _event, _state: c.PLANS.add("generated"),
    "plan_updated": lambda _event, _state: c.PLANS.add("updated"),
    "plan_rejected": _plan_rejected,
    "node_complete": _node_complete,
    "node_error": _node_error,
    "validation_error": lambda event, _state: c.VALIDATION_ERRORS.add(str(event.payload.get("scope"))),
    "hitl_request": lambda event, _state: c.REQUESTS_OPENED.add(str(event.payload.get("subject"))),
    "hitl_resolved": lambda event, _state: c.REQUESTS_RESOLVED.add(str(event.payload.get("decision"))),
}
