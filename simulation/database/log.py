"""The statements that read the log."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import psycopg

from simulation.database.statements import Parameters, Rows, answers
from simulation.database.tables import StoredEvent, Tables

EVENT = (
    "run_id", "seq", "type", "payload", "recorded_at", "correlation_id", "node_id", "plan_version", "message",
    "detail", "hash", "apart",
)  # fmt: skip
_IMPORT = (
    "run_id", "imported_at", "imported_by", "installation", "flexrun", "exported_at", "events", "head_hash",
)  # fmt: skip
_WHOLE = (*EVENT[:-1], "xid", "position", "apart")


def uuid_of(text: str) -> str:
    """The canonical form of a run id. Raises psycopg.DataError for what is none."""
    try:
        return str(UUID(text))
    except ValueError:
        raise psycopg.errors.InvalidTextRepresentation(f'invalid input for uuid: "{text}"') from None


@answers("log/read", *EVENT)
def read(tables: Tables, asked: Parameters) -> Rows:
    """A range of one run."""
    stored = tables.events.get(uuid_of(asked["run_id"]), [])
    until = min(asked["until"], asked["after"] + asked["limit"])
    return [event.cells for event in stored[asked["after"] : until]]


@answers("log/read_many", *EVENT)
def read_many(tables: Tables, asked: Parameters) -> Rows:
    """What follows each run's cursor."""
    rows: Rows = []
    for run_id, after in zip(asked["run_ids"], asked["after"], strict=True):
        stored = tables.events.get(uuid_of(run_id), [])
        rows += [event.cells for event in stored[after : after + asked["limit_each"]]]
    return rows


@answers("log/heads", "run_id", "head_seq")
def heads(tables: Tables, asked: Parameters) -> Rows:
    """The last seq of each run."""
    return [
        (run_id, tables.runs[run_id]["head_seq"])
        for run_id in dict.fromkeys(map(uuid_of, asked["run_ids"]))
        if run_id in tables.runs
    ]


@answers("log/read_whole", *_WHOLE)
def read_whole(tables: Tables, asked: Parameters) -> Rows:
    """The whole log in the order of transactions, below the watermark."""
    cursor = (int(asked["xid"]), asked["position"])
    found = [event for event in tables.log if _place(event) > cursor and is_settled(tables, event)]
    found.sort(key=_place)
    return [
        (*event.cells[:-1], event.xid, event.position, event.cells[-1]) for event in found[: asked["limit"]]
    ]


def _place(event: StoredEvent) -> tuple[int, int]:
    return event.xid, event.position


def is_settled(tables: Tables, event: StoredEvent) -> bool:
    """Whether nothing can be stored before this event any more."""
    return event.xid < tables.watermark


@answers("log/lag", "events", "seconds")
def lag(tables: Tables, _: Parameters) -> Rows:
    """What the watermark hides."""
    hidden = [event.cells[4] for event in tables.log if not is_settled(tables, event)]
    return [(len(hidden), (tables.now() - min(hidden)).total_seconds() if hidden else 0.0)]


@answers("erasure/keys", "run_id", "key", "erased_at", "erased_by", "reason")
def keys(tables: Tables, asked: Parameters) -> Rows:
    """The keys of sealed runs."""
    return [
        (run_id, tables.keys[run_id], None, None, None)
        for run_id in asked["run_ids"]
        if run_id in tables.keys
    ]


@answers("values/read", "run_id", "hash", "value")
def values(tables: Tables, asked: Parameters) -> Rows:
    """Large values."""
    named = zip(asked["run_ids"], asked["hashes"], strict=True)
    return [(*key, tables.values[key]) for key in named if key in tables.values]


@answers("imports/get", *_IMPORT)
def imported(_: Tables, __: Parameters) -> Rows:
    """No run is imported here."""
    return []


@answers("database/ping", "?column?")
def ping(_: Tables, __: Parameters) -> Rows:
    """The connection works."""
    return [(1,)]


@answers("database/probe")
def probe(_: Tables, __: Parameters) -> Rows:
    """An append could be stored."""
    return []


@answers("database/time", "extract")
def time(tables: Tables, _: Parameters) -> Rows:
    """The server's clock."""
    return [((tables.now() - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds(),)]


@answers("processes/notify", "pg_notify")
def notify(tables: Tables, asked: Parameters) -> Rows:
    """Wake-ups."""
    for channel, payload in zip(asked["channels"], asked["payloads"], strict=True):
        tables.notify(channel, payload)
    return []
