"""The eight promises of docs/design.md, checked at the end of a simulation against the tables and what clients saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import jsonschema_rs
import orjson

from eventstore.chain import check_chain
from eventstore.replay import replay
from runs.event import Event, JsonObject, parse_time
from schemas.contract_schema import effective_schema
from simulation.database.append import rows_by_run
from simulation.database.log import EVENT
from simulation.database.tables import Row, StoredEvent, Tables
from simulation.history import PEOPLE, History

_ENDS_OF_ATTEMPTS = frozenset({"node_complete", "node_error"})
_MOST_SANDBOX_CALLS = 2_000
_FIELDS = EVENT[:-1]
Log = Sequence[StoredEvent]


def check(tables: Tables, history: History) -> None:
    """Note every promise that is broken."""
    logs = rows_by_run(tables)
    _accepted_is_durable(tables, logs, history)
    for run_id, log in logs.items():
        try:
            _run_is_right(tables, run_id, log, history)
        except Exception as error:  # noqa: BLE001 - a log that is wrong may be wrong in any way
            history.break_promise(2, f"run {run_id} cannot be folded: {error!r}")
    _whole_log(tables, history)
    _bounded(history)


def _run_is_right(tables: Tables, run_id: str, log: Log, history: History) -> None:
    _one_order(tables, run_id, log, history)
    _streams(run_id, log, history)
    _one_result(tables, run_id, log, history)
    _valid(tables, run_id, history)
    _decisions(run_id, log, history)
    _derived(tables, run_id, log, history)


def _accepted_is_durable(tables: Tables, logs: dict[str, list[StoredEvent]], history: History) -> None:
    for run_id in history.accepted:
        if run_id not in logs:
            history.break_promise(1, f"run {run_id} was accepted and is not in the log")
    for run_id, log in logs.items():
        ends = sum(event.type == "complete" for event in log)
        if ends != 1:
            work = [
                (each.kind, each.ref, each.worker) for each in tables.work.values() if each.run_id == run_id
            ]
            status = tables.runs[run_id]["status"]
            history.break_promise(1, f"run {run_id} has {ends} complete; it is {status}, with {work} to do")
    for told in history.told:
        stored = {event.seq: event.cells[10] for event in logs.get(told.run_id, [])}
        if any(stored.get(seq) != digest for seq, digest in told.events):
            history.break_promise(
                1, f"run {told.run_id}: events of {told.what} were told and are not in the log"
            )
        status = tables.runs[told.run_id]["status"]
        if told.finished is not None and told.finished != status:
            history.break_promise(
                1, f"run {told.run_id}: {told.what} was told {told.finished}, and it is {status}"
            )
        if told.what == "AbortRun" and status != "aborted":
            history.break_promise(1, f"run {told.run_id}: an abort was answered, and it is {status}")


def _one_order(tables: Tables, run_id: str, log: Log, history: History) -> None:
    if [event.seq for event in log] != list(range(1, len(log) + 1)):
        history.break_promise(2, f"run {run_id} has the events {[event.seq for event in log]}")
    types = [event.type for event in log]
    if "complete" in types[:-1] or types[0] != "start" or "start" in types[1:]:
        history.break_promise(2, f"run {run_id} has {types}")
    head: int = tables.runs[run_id]["head_seq"]
    wrong = check_chain(events_of(log), head=head)
    if wrong is not None:
        history.break_promise(2, f"the chain of hashes: {wrong}")


def events_of(log: Log) -> list[Event]:
    """The stored events as the domain has them."""
    return [Event(**dict(zip(_FIELDS, event.cells[:-1], strict=True))) for event in log]


def _detail(event: StoredEvent) -> JsonObject:
    return event.cells[9] or {}


def _streams(run_id: str, log: Log, history: History) -> None:
    for (reader, followed), frames in history.frames.items():
        if followed == run_id and any(
            frame.hash != event.cells[10] or frame.seq != event.seq
            for frame, event in zip(frames, log, strict=False)
        ):
            history.break_promise(3, f"{reader} of {run_id} was given what the log has not")
        if followed == run_id and log[-1].type == "complete" and len(frames) != len(log):
            history.break_promise(3, f"{reader} of {run_id} was given {len(frames)} of {len(log)} events")


def _whole_log(tables: Tables, history: History) -> None:
    read = [(run_id, seq) for _, _, run_id, seq in history.followed]
    stored = [(event.run_id, event.seq) for event in tables.log]
    missing, doubled = set(stored) - set(read), [each for each, times in Counter(read).items() if times > 1]
    if missing or doubled:
        history.break_promise(
            3, f"the reader of the whole log missed {len(missing)} and doubled {len(doubled)} events"
        )
    for run_id, group in groupby(sorted(read, key=lambda each: each[0]), key=lambda each: each[0]):
        seqs = [seq for _, seq in group]
        if seqs != sorted(seqs):
            history.break_promise(3, f"the reader of the whole log had {run_id} in the order {seqs}")


def _one_result(tables: Tables, run_id: str, log: Log, history: History) -> None:
    starts, ends = Counter[tuple[str, int]](), Counter[tuple[str, int]]()
    current: dict[str, int] = {}
    for event in log:
        node_id, payload = event.cells[6], event.cells[3]
        if event.type == "node_start":
            starts[node_id, payload["attempt"]] += 1
            current[node_id] = payload["attempt"]
        elif event.type in _ENDS_OF_ATTEMPTS and node_id in current:
            ends[node_id, current[node_id]] += 1
        if event.type == "node_complete":
            _is_what_was_made((run_id, node_id, current[node_id]), payload["output"], history)
    for what, counted in (("starts", starts), ("results", ends)):
        for (node_id, attempt), times in counted.items():
            if times > 1:
                history.break_promise(4, f"attempt {attempt} of {node_id} of run {run_id} has {times} {what}")
    for (run, node_id, attempt), times in history.begun.items():
        if run == run_id and times > 1:
            history.break_promise(
                4, f"attempt {attempt} of {node_id} of run {run_id} was worked on {times} times"
            )
    _attempts_are_counted(tables, run_id, log, history)


def _is_what_was_made(attempt: tuple[str, str, int], output: object, history: History) -> None:
    made = history.made.get(attempt)
    if output != made:
        history.break_promise(
            4, f"attempt {attempt[2]} of {attempt[1]} of run {attempt[0]} made {made}, not {output}"
        )


def _attempts_are_counted(tables: Tables, run_id: str, log: Log, history: History) -> None:
    failures = Counter[tuple[str, int | None]](
        (event.cells[6], event.cells[7])
        for event in log
        if event.type == "node_error" and not _detail(event).get("lost")
    )
    most: int = log[0].cells[9]["envelope"]["policies"]["maxAttempts"]
    if any(event.type in ("hitl_resolved", "plan_updated") for event in log):
        return  # people may have a node tried anew
    for (node_id, _), times in failures.items():
        counted: int = tables.nodes[run_id, node_id]["failures"]
        if times > most or times != counted:
            text = f"{node_id} of run {run_id} has failed {times} times, counted as {counted}, of {most} that it may"
            history.break_promise(4, text)


def _valid(tables: Tables, run_id: str, history: History) -> None:
    run = tables.runs[run_id]
    if run["status"] == "completed":
        schema = effective_schema(run["envelope"]["outputContract"])
        if not jsonschema_rs.validator_for(schema, offline=True).is_valid(run["output"]):
            history.break_promise(5, f"run {run_id} is completed with {run['output']}")


def _decisions(run_id: str, log: Log, history: History) -> None:
    asked: dict[str, JsonObject] = {}
    decided = Counter[str]()
    paused_at: datetime | None = None
    for event in log:
        payload: JsonObject = event.cells[3]
        if event.type == "run_paused":
            paused_at = event.cells[4]
        if event.type == "run_resumed" and paused_at is not None:
            _move_ends(asked, paused_at, event.cells[4])
            paused_at = None
        if event.type == "hitl_request":
            asked[payload["requestId"]] = _request(event)
        vote: JsonObject | None = _detail(event).get("vote") if event.type == "log" else None
        if vote is not None:
            _count_vote(asked[vote["requestId"]], vote)
        if event.type == "hitl_resolved":
            decided[payload["requestId"]] += 1
            _decision_is_right(run_id, event, asked[payload["requestId"]], paused_at, history)
    for request_id, times in decided.items():
        if times > 1:
            history.break_promise(6, f"request {request_id} of run {run_id} was resolved {times} times")


def _request(event: StoredEvent) -> JsonObject:
    ends = event.cells[3].get("expiresAt")
    times = {"asked_at": event.cells[4], "ends": parse_time(ends) if ends is not None else None}
    return {**event.cells[9], **times, "votes": dict[str, Any]()}


def _move_ends(asked: dict[str, JsonObject], paused_at: datetime, resumed_at: datetime) -> None:
    """Time stands still in a pause."""
    for request in asked.values():
        if request["ends"] is not None:
            request["ends"] += resumed_at - max(paused_at, request["asked_at"])


def _count_vote(request: JsonObject, vote: JsonObject) -> None:
    if "proposal" in vote or vote.get("dropped"):
        request["votes"].clear()
    if vote.get("withdrawn"):
        request["votes"].pop(vote["operator"], None)
    else:
        request["votes"][vote["operator"]] = True


def _decision_is_right(
    run_id: str, event: StoredEvent, request: JsonObject, paused_at: datetime | None, history: History
) -> None:
    payload: JsonObject = event.cells[3]
    name = payload.get("operator")
    if name not in PEOPLE:
        return
    now = event.cells[4] if paused_at is None else paused_at
    if request["ends"] is not None and now >= request["ends"]:
        history.break_promise(6, f"run {run_id}: {name} decided at {now}, after the end at {request['ends']}")
    quorum = request["rules"].get("quorum") or 1
    people = request["votes"].keys() | {name}
    if payload["decision"] == "approved" and len(people) < quorum:
        history.break_promise(6, f"run {run_id}: {len(people)} of {quorum} people approved, and it was taken")


def _derived(tables: Tables, run_id: str, log: Log, history: History) -> None:
    by_commit = groupby(log, key=lambda event: event.xid)
    rows = replay(run_id, [events_of(list(group)) for _, group in by_commit])
    pairs: list[tuple[str, list[Row], list[Row]]] = [
        ("starts", rows["starts"], [tables.runs[run_id]]),
        ("planned", rows["planned"], [row for (run, _), row in tables.nodes.items() if run == run_id]),
        ("requests", rows["requests"], [row for row in tables.requests.values() if row["run_id"] == run_id]),
    ]
    for name, derived, stored in pairs:
        kept = [{key: row.get(key) for key in derived[0]} for row in stored] if derived else stored
        if _comparable(derived) != _comparable(kept):
            history.break_promise(7, f"the rows {name} of run {run_id} are not those of its log")
    derived_work = sorted((row["kind"], row["ref"], row["attempt"], row["started"]) for row in rows["work"])
    stored_work = sorted(
        (work.kind, work.ref, work.attempt, work.started)
        for work in tables.work.values()
        if work.run_id == run_id
    )
    if derived_work != stored_work:
        history.break_promise(7, f"the work of run {run_id} is {stored_work}, and by its log {derived_work}")


def _comparable(rows: Sequence[Row]) -> list[bytes]:
    return sorted(orjson.dumps(row, option=orjson.OPT_SORT_KEYS) for row in rows)


def _bounded(history: History) -> None:
    for function, times in history.sandboxed.items():
        if times > _MOST_SANDBOX_CALLS:
            history.break_promise(8, f"{function} was called {times} times in children")
