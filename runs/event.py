"""The event: one fact about a run, as the log keeps it."""

from __future__ import annotations

from dataclasses import field
from datetime import UTC, datetime

from runs.values import value
from schemas.json_types import Json, JsonObject
from schemas.vocabulary import EventType

__all__ = ["ERASED", "Event", "Json", "JsonObject", "NewEvent", "parse_time", "rfc3339"]

ERASED = "erased"
"""The member of a payload that says that the data of the event was erased: `{at, by, reason}`."""


@value
class Event:
    """One row of the log.

    `seq` counts 1, 2, 3 … within the run. `payload` is what the wire shows; `detail` is what the engine needs to
    fold the run and the wire does not show (the envelope, the whole plan, the rules of a request). `hash` is given by
    the append and covers the event and the hash of the one before it; events of earlier versions have none.
    `sealed`: the log has it in sealed form, which a key of its run opens; one whose key was destroyed is `erased`.
    `protected`: nothing but the log has what is sealed.
    """

    run_id: str
    seq: int
    type: EventType
    payload: JsonObject
    recorded_at: datetime
    correlation_id: str | None = None
    node_id: str | None = None
    plan_version: int | None = None
    message: str | None = None
    detail: JsonObject | None = None
    hash: str | None = field(default=None, compare=False)
    sealed: bool = field(default=False, compare=False)
    protected: bool = field(default=False, compare=False)

    @property
    def erased(self) -> bool:
        return ERASED in self.payload


@value
class NewEvent:
    """An event that has no place in a log yet; see `runs.new_events`."""

    type: EventType
    payload: Json
    node_id: str | None = None
    message: str | None = None
    detail: Json = None
    correlation_id: str | None = None
    plan_version: int | None = None


def rfc3339(moment: datetime) -> str:
    """`2026-11-22T09:30:00.123456Z`: UTC, always with six digits, so that text order is time order."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds")[: -len("+00:00")] + "Z"


def parse_time(text: str) -> datetime:
    """The inverse of `rfc3339`; any RFC 3339 time with an offset is taken. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"a time needs an offset: {text}")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"a time beyond the end of time: {text}") from None
