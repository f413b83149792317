"""A draft: the events that a command is about to cause, folded as they are added."""

from __future__ import annotations

from datetime import datetime

from runs.event import Event, JsonObject
from runs.evolve import evolve
from runs.state import NodeState, RunState
from schemas.vocabulary import EventType


class Draft:
    """Numbers events and keeps the state that they lead to.

    Time never runs backwards within a run: a clock that jumps back is held at the last event's time.
    """

    def __init__(self, state: RunState, now: datetime) -> None:
        self.state = state
        self.now = max(now, state.updated_at) if state.updated_at is not None else now
        self.events: list[Event] = []

    def add(
        self,
        event_type: EventType,
        payload: JsonObject,
        *,
        node_id: str | None = None,
        message: str | None = None,
        detail: JsonObject | None = None,
        correlation_id: str | None = None,
        plan_version: int | None = None,
    ) -> None:
        """Append one event. Raises IllegalTransition where the tables have no such step."""
        event = Event(
            run_id=self.state.run_id,
            seq=self.state.seq + 1,
            type=event_type,
            payload=payload,
            recorded_at=self.now,
            correlation_id=correlation_id or self.state.correlation_id,
            node_id=node_id,
            plan_version=plan_version or self.state.plan_version,
            message=message,
            detail=detail,
        )
        self.state = evolve(self.state, event)
        self.events.append(event)

    def node(self, node_id: str) -> NodeState:
        """The node as it is now. Raises KeyError for one that is not in the plan."""
        return self.state.nodes[node_id]

    def fail_run(self, code: str, message: str, details: JsonObject | None = None) -> None:
        """End the run as failed."""
        error: JsonObject = {"code": code, "message": message}
        if details is not None:
            error["details"] = details
        self.add("complete", {"status": "failed", "error": error}, message=message)
