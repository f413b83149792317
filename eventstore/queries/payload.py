"""Puts the payload of protected runs back into their rows, from the log: see `eventstore.protected_rows`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from eventstore.projection import final_rows
from eventstore.protected_rows import LEFT_OUT
from eventstore.store import EventStore
from runs.event import JsonObject
from runs.values import changed

_PAGE_EVENTS = 1_000
_LONG_EVENTS = 200
"""The rows of a longer log are made on a thread."""


@dataclass(frozen=True, slots=True)
class WholeRun:
    """The rows of a protected run as any other run has them: nodes and requests by their ids."""

    run: JsonObject
    nodes: Mapping[str, JsonObject]
    requests: Mapping[str, JsonObject]


def lacks_payload(objective: str) -> bool:
    """Whether a row with this objective may be one of a protected run; those of erased runs look the same."""
    return objective == LEFT_OUT


async def whole_runs(store: EventStore, run_ids: Iterable[str]) -> dict[str, WholeRun]:
    """The rows of those of these runs that are protected. Raises StoreUnavailable, LogUnfoldable."""
    found: dict[str, WholeRun] = {}
    asked = list(dict.fromkeys(run_ids))
    keys = await store.seals.keys(asked) if asked else {}
    for run_id in asked:
        if keys[run_id].protected:
            found[run_id] = await _whole(store, run_id)
    return found


async def _whole(store: EventStore, run_id: str) -> WholeRun:
    events = await store.read(run_id, limit=_PAGE_EVENTS)
    while len(page := await store.read(run_id, after=events[-1].seq, limit=_PAGE_EVENTS)):
        events += page
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
