"""Arguments of appends, made by the domain."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from runs import commands as c
from runs.decide import step
from runs.event import Event
from runs.state import RunState, new_run
from tests.support.given import ENVELOPE

Append = tuple[RunState, RunState, list[Event]]


def first_event(run_id: str) -> Append:
    """A run's `start`."""
    command = c.StartRun(now=datetime.now(UTC), envelope=ENVELOPE, schema_hash="h")
    events, after = step(new_run(run_id), [command])
    return new_run(run_id), after, events


def next_log(state: RunState, message: Any = "hello") -> Append:
    """One `log` event after `state`."""
    events, after = step(state, [c.RecordLog(now=datetime.now(UTC), message=message)])
    return state, after, events
