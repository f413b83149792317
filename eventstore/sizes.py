"""How many bytes the database takes, by table, by index and by type of event."""

from __future__ import annotations

from dataclasses import dataclass

from eventstore.store import EventStore, is_run_id

SAMPLED_BYTES = 200_000_000
"""Of a larger log a sample of about so many bytes is read, and what was found is multiplied."""

_LOG = "flex_events"


@dataclass(frozen=True, slots=True)
class TableSize:
    """A table; `large_value_bytes` are its values that Postgres keeps apart (TOAST). Its rows are an estimate."""

    name: str
    table_bytes: int
    large_value_bytes: int
    index_bytes: int
    total_bytes: int
    rows_about: int


@dataclass(frozen=True, slots=True)
class IndexSize:
    """An index, and how often it was used since the database's statistics began."""

    name: str
    table_name: str
    bytes: int
    scans: int


@dataclass(frozen=True, slots=True)
class EventSize:
    """The events of a type: as stored, compressed, without indexes."""

    type: str
    events: int
    bytes: int
    largest_bytes: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """All of it; `sampled_percent` of the log's pages were read for `events`, whose numbers are multiplied by that."""

    tables: list[TableSize]
    indexes: list[IndexSize]
    events: list[EventSize]
    sampled_percent: float


async def sizes(store: EventStore) -> Sizes:
    """Ask the database. Reads a log of up to SAMPLED_BYTES whole. Raises StoreUnavailable."""
    tables = await store.select(TableSize, "sizes/tables", {})
    log_bytes = next(
        (table.table_bytes + table.large_value_bytes for table in tables if table.name == _LOG), 0
    )
    percent = min(100.0, 100.0 * SAMPLED_BYTES / max(log_bytes, 1))
    rows = await store.select(EventSize, "sizes/events", {"percent": percent})
    events = [
        EventSize(
            row.type, round(row.events * 100 / percent), round(row.bytes * 100 / percent), row.largest_bytes
        )
        for row in rows
    ]
    return Sizes(tables, await store.select(IndexSize, "sizes/indexes", {}), events, round(percent, 3))


async def run_bytes(store: EventStore, run_id: str) -> int:
    """The bytes of a run in the log and the read models; 0 for one that does not exist. Raises StoreUnavailable."""
    if not is_run_id(run_id):
        return 0
    return int((await store.fetch("sizes/run", {"run_id": run_id}))[0][0] or 0)
