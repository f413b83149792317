"""A draft: the events that a command is about to cause, folded as they are added."""

from __future__ import annotations

from datetime import datetime
from typing import cast

from runs import new_events
from runs.event import Event, JsonObject, NewEvent
from runs.event_data import ErrorData
from runs.evolve import evolve
from runs.state import NodeState, RunState
from schemas.conditions import Allowance


class Draft:
    """Numbers events and keeps the state that they lead to.

    Time never runs backwards within a run: where the clock has jumped back, the last event's time counts.
    `reacted` is how many of the events the runtime policies have seen, `allowance` what their conditions may still
    cost.
    """

    def __init__(self, state: RunState, now: datetime) -> None:
        self.state = state
        self.now = max(now, state.updated_at) if state.updated_at is not None else now
        self.events: list[Event] = []
        self.reacted = 0
        self.allowance = Allowance()

    def add(self, new: NewEvent) -> None:
        """Append one event; `complete` is told its number, which is the count of events.

        Raises IllegalTransition where the tables have no such step.
        """
        state = self.state
        seq, detail = state.seq + 1, new.detail
        if new.type == "complete":
            detail = {**cast("JsonObject", detail or {}), "eventCount": seq}
        event = Event(
            state.run_id,
            seq,
            new.type,
            new.payload,
            self.now,
            new.correlation_id or state.correlation_id,
            new.node_id,
            new.plan_version or state.plan_version,
            new.message,
            detail,
        )
        self.state = evolve(state, event)
        self.events.append(event)

    def node(self, node_id: str) -> NodeState:
        """The node as it is now. Raises KeyError for one that is not in the plan."""
        return self.state.nodes[node_id]

    def fail_run(self, code: str, message: str, details: JsonObject | None = None) -> None:
        """End the run as failed."""
        error: ErrorData = {"code": code, "message": message}
        if details is not None:
            error["details"] = details
        self.add(new_events.run_ended("failed", error))
