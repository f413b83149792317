"""Puts the payload of protected runs back into their rows, from the log: see `eventstore.protected_rows`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import orjson

from eventstore.projection import final_rows
from eventstore.protected_rows import LEFT_OUT
from eventstore.store import PAGE_EVENTS, EventStore
from runs.event import Event, JsonObject
from runs.values import changed

_LONG_EVENTS = 200
"""The rows of a longer log are made on a thread."""


@dataclass(frozen=True, slots=True)
class WholeRun:
    """The rows of a protected run as any other run has them: nodes and requests by their ids."""

    run: JsonObject
    nodes: Mapping[str, JsonObject]
    requests: Mapping[str, JsonObject]


class RowOfRun(Protocol):
    """A row that says which run it is of, and that run's objective."""

    @property
    def run_id(self) -> str: ...

    @property
    def objective(self) -> str: ...


def lacks_payload(row: RowOfRun) -> bool:
    """Whether a row may be one of a protected run; those of erased runs look the same."""
    return row.objective == LEFT_OUT


async def whole_runs(store: EventStore, rows: Iterable[RowOfRun]) -> dict[str, WholeRun]:
    """The rows of the protected runs among those of `rows`, by run. Raises StoreUnavailable, LogUnfoldable."""
    found: dict[str, WholeRun] = {}
    for run_id in dict.fromkeys(row.run_id for row in rows if lacks_payload(row)):
        events = await _log(store, run_id)
        if events and events[0].protected:
            found[run_id] = await _whole(run_id, events)
    return found


async def _log(store: EventStore, run_id: str) -> list[Event]:
    events: list[Event] = []
    while True:
        page = await store.read(run_id, after=events[-1].seq if events else 0, limit=PAGE_EVENTS)
        events += page
        if len(page) < PAGE_EVENTS:
            return events


async def _whole(run_id: str, events: Sequence[Event]) -> WholeRun:
    shown = [changed(event, protected=False) for event in events]
    rows = (
        final_rows(run_id, shown)
        if len(shown) <= _LONG_EVENTS
        else await asyncio.to_thread(final_rows, run_id, shown)
    )
    return WholeRun(rows["starts"][0], _by(rows["planned"], "node_id"), _by(rows["requests"], "id"))


def _by(rows: Sequence[JsonObject], key: str) -> dict[str, JsonObject]:
    return {row[key]: row for row in rows}


def brief_id_of(envelope: JsonObject) -> str | None:
    """As the view `hitl_request_rows` has it."""
    for place in ("metadata", "inputs"):
        within: JsonObject = envelope.get(place) or {}
        found = within.get("briefId")
        if found is not None:
            return found if isinstance(found, str) else orjson.dumps(found).decode()
    return None
