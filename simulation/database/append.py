"""`flex_append` in memory: the expected version, the rules of the log, and the rows of the read models."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import psycopg

from simulation.database.tables import Row, StoredEvent, Tables, WorkRecord

_TIMES = ("due_at", "created_at", "updated_at", "completed_at", "deadline_at", "started_at", "finished_at",
          "expires_at", "resolved_at", "run_created_at")  # fmt: skip
_STARTED: Row = dict.fromkeys(
    ("output", "error", "completed_at", "deadline_at", "usage", "imported_at", "erased_at", "apart")
)
_NODE: Row = {"context": None, "apart": None}
_REQUEST: Row = {"proposal": None, "apart": None}


class LogBroken(psycopg.DatabaseError):
    """What a trigger of the log raises."""

    def __init__(self, sqlstate: str, message: str) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


@dataclass(slots=True)
class Append:
    """A batch in its transaction: what it will change when it commits, and what it has refused."""

    batch: dict[str, list[Row]]
    xid: int
    runs: list[str]
    taken: set[str] = field(default_factory=set[str])
    conflicts: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    events: list[StoredEvent] = field(default_factory=list[StoredEvent])
    values: dict[tuple[str, str], bytes] = field(default_factory=dict[tuple[str, str], bytes])


def parsed(text: str, parameters: dict[str, Any]) -> Append:
    """The batch of a call, before it has a transaction. Raises psycopg.DataError for what is no run id."""
    batch: dict[str, list[Row]] = orjson.loads(text)
    runs = [row["run_id"] for name in ("advances", "starts") for row in batch.get(name, ())]
    for run_id in runs:
        try:
            UUID(run_id)
        except ValueError:
            raise psycopg.errors.InvalidTextRepresentation(f'invalid input for uuid: "{run_id}"') from None
    values = {
        (run_id, digest.hex()): bytes(value)
        for run_id, digest, value in zip(
            parameters.get("run_ids", ()),
            parameters.get("hashes", ()),
            parameters.get("values", ()),
            strict=True,
        )
    }
    return Append(batch, 0, runs, values=values)


def begin(tables: Tables, append: Append) -> None:
    """Take a transaction id and positions, and compare versions. Raises LogBroken, psycopg.IntegrityError."""
    append.xid = tables.next_xid
    tables.next_xid += 1
    for row in append.batch.get("advances", ()):
        head = head_of(tables, row["run_id"])
        if is_expected(head, row["expected"]):
            append.taken.add(row["run_id"])
        else:
            append.conflicts.append((row["run_id"], head))
    for row in append.batch.get("starts", ()):
        if row["run_id"] in tables.runs:
            append.conflicts.append((row["run_id"], head_of(tables, row["run_id"])))
        else:
            append.taken.add(row["run_id"])
    for row in append.batch.get("chained", ()):
        if row["runId"] in append.taken:
            append.events.append(StoredEvent(append.xid, tables.new_id(), _cells(row)))
    _check_order(tables, append.events)


def is_expected(head: int, expected: int) -> bool:
    """Whether a run at version `head` takes an append that expects `expected`."""
    return head == expected


def head_of(tables: Tables, run_id: str) -> int:
    """The version of a run; 0 where there is none."""
    row = tables.runs.get(run_id)
    return row["head_seq"] if row is not None else 0


def _cells(row: Row) -> tuple[Any, ...]:
    return (
        row["runId"],
        row["seq"],
        row["type"],
        row["payload"],
        datetime.fromisoformat(row["at"]),
        row["correlationId"],
        row["nodeId"],
        row["planVersion"],
        row["message"],
        row["detail"],
        row["hash"],
        row.get("apart"),
    )


def _check_order(tables: Tables, events: list[StoredEvent]) -> None:
    """The trigger and the key of `flex_events`."""
    heads: dict[str, StoredEvent | None] = {}
    for event in sorted(events, key=lambda each: (each.run_id, each.seq)):
        stored = tables.events.get(event.run_id, [])
        before = heads.get(event.run_id, stored[-1] if stored else None)
        last = before.seq if before is not None else 0
        if event.seq <= last:
            raise psycopg.errors.UniqueViolation("duplicate key: flex_events_pkey")
        if (event.seq == 1) != (event.type == "start"):
            raise LogBroken("FR003", f"run {event.run_id}: event 1 is start and only event 1")
        if before is not None and before.type == "complete":
            raise LogBroken("FR001", f"run {event.run_id} is complete: event {event.seq} cannot follow")
        if event.seq != last + 1:
            raise LogBroken("FR002", f"run {event.run_id}: there is no event before event {event.seq}")
        heads[event.run_id] = event


def commit(tables: Tables, append: Append) -> None:
    """Make the transaction visible."""
    for event in append.events:
        tables.events.setdefault(event.run_id, []).append(event)
        tables.log.append(event)
    tables.values |= {key: value for key, value in append.values.items() if key[0] in append.taken}
    for row in append.batch.get("keys", ()):
        tables.keys[row["run_id"]] = bytes.fromhex(row["key"])
    _write_runs(tables, append)
    _write_nodes(tables, append)
    _write_requests(tables, append)
    _write_work(tables, append)


def _taken(append: Append, section: str) -> list[Row]:
    return [_with_times(row) for row in append.batch.get(section, ()) if row["run_id"] in append.taken]


def _with_times(row: Row) -> Row:
    for name in _TIMES:
        if isinstance(row.get(name), str):
            row[name] = datetime.fromisoformat(row[name])
    return row


def _write_runs(tables: Tables, append: Append) -> None:
    for row in _taken(append, "starts"):
        tables.runs[row["run_id"]] = _STARTED | row
    for row in _taken(append, "advances"):
        run = tables.runs[row["run_id"]]
        kept = {name: run[name] for name in ("deadline_at", "usage") if row.get(name) is None}
        apart = (run["apart"] or {}) | row["apart"] if row.get("apart") else run["apart"]
        del row["expected"]
        run |= {"output": None, "error": None, "completed_at": None, **row, **kept, "apart": apart}


def _write_nodes(tables: Tables, append: Append) -> None:
    for row in _taken(append, "replanned"):
        for key in [key for key in tables.nodes if key[0] == row["run_id"]]:
            del tables.nodes[key]
    for row in _taken(append, "planned"):
        tables.nodes[row["run_id"], row["node_id"]] = _NODE | row
    for row in _taken(append, "nodes"):
        node = tables.nodes[row["run_id"], row["node_id"]]
        context = row.get("context")
        node |= {"apart": None, **row, "context": node["context"] if context is None else context}


def _write_requests(tables: Tables, append: Append) -> None:
    for row in _taken(append, "requests"):
        tables.requests[row["id"]] = _REQUEST | row
    for row in append.batch.get("request_changes", ()):
        known = tables.requests.get(row["id"])
        if known is not None and known["run_id"] in append.taken:
            known |= _with_times(row)


def _write_work(tables: Tables, append: Append) -> None:
    now = tables.now()
    for row in _taken(append, "gone"):
        tables.work.pop((row["run_id"], row["kind"], row["ref"]), None)
    for row in _taken(append, "work"):
        key = (row["run_id"], row["kind"], row["ref"])
        known = tables.work.get(key)
        seconds = row.get("lease_seconds")
        tables.work[key] = WorkRecord(
            *key,
            row["queue"],
            row["attempt"],
            row["started"],
            min(row["due_at"], now) if row["at_once"] else row["due_at"],
            row.get("worker"),
            now + timedelta(seconds=seconds) if seconds is not None else None,
            now,
            known.failures if known is not None else 0,
            known.losses if known is not None and known.attempt == row["attempt"] else None,
        )


def changed_work(append: Append) -> dict[tuple[str, str, str], str]:
    """The rows of `flex_work` that the transaction holds until it ends, and their runs."""
    held: dict[tuple[str, str, str], str] = {}
    for name in ("gone", "work"):
        for row in append.batch.get(name, ()):
            if row["run_id"] in append.taken:
                held[row["run_id"], row["kind"], row["ref"]] = row["run_id"]
    return held


def rows_by_run(tables: Tables) -> dict[str, list[StoredEvent]]:
    """The log, run by run."""
    found: defaultdict[str, list[StoredEvent]] = defaultdict(list)
    for event in tables.log:
        found[event.run_id].append(event)
    return found
