"""The rows that a commit changes: pure, and a function of the log alone.

`project` gives sections of rows, as `flex_append` takes them. What it does for a commit it does again at a rebuild, so
nothing here may come from anywhere but the events: times are the events' `recorded_at`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from eventstore.protected_rows import without_payload
from runs.bundle import node_context
from runs.event import Event, JsonObject
from runs.evolve import evolve
from runs.outstanding import Work, WorkKey, outstanding
from runs.state import NodeState, RequestState, RunState, new_run
from runs.transitions import AWAITING_HUMAN, RUNNING
from schemas.tenant import DEFAULT_TENANT

Sections = dict[str, list[JsonObject]]
"""Name of a section → its rows; a section without rows is left out."""

WorkByKey = Mapping[WorkKey, Work]

_PLAN_EVENTS = frozenset({"plan_generated", "plan_updated"})

_UNDER_WAY = frozenset({RUNNING, AWAITING_HUMAN})
"""The context of a node with one of these statuses has not changed since its last start."""


def project(
    before: RunState, after: RunState, events: Sequence[Event], work_before: WorkByKey, work_after: WorkByKey
) -> Sections:
    """The rows that the commit of `events` changes. The work is `outstanding` of the states `before` and `after`."""
    rows: Sections = {
        "starts": [] if before.exists else [_started_run(after)],
        "advances": [_advanced_run(before, after)] if before.exists else [],
        "requests": _new_requests(after, events),
        "request_changes": _changed_requests(before, after, events),
        "work": [_work(after, work) for key, work in work_after.items() if work_before.get(key) != work],
        "gone": [_gone(after, key) for key in work_before if key not in work_after],
    }
    if any(event.type in _PLAN_EVENTS for event in events):
        if before.nodes:
            rows["replanned"] = [{"run_id": after.run_id}]
        rows["planned"] = [
            _planned_node(after, node, ordinal, _first_context(before, after, events, node))
            for ordinal, node in enumerate(after.nodes.values())
        ]
    elif after.nodes is not before.nodes:
        rows["nodes"] = _changed_nodes(before, after, events)
    found = {name: section for name, section in rows.items() if section}
    return without_payload(found) if after.protected else found


def final_rows(run_id: str, events: Sequence[Event]) -> Sections:
    """The whole rows of a run, from one look at each of its events: mostly what `eventstore.replay` makes.

    The context of a node may be another one where commits had several events, or a plan took over the node.
    """
    state = new_run(run_id)
    contexts: dict[str, JsonObject] = {}
    for event in events:
        state = evolve(state, event)
        if event.type == "node_start" and event.node_id is not None:
            contexts[event.node_id] = node_context(state, state.nodes[event.node_id])
    rows: Sections = {
        "starts": [_started_run(state)],
        "planned": [
            _planned_node(state, node, ordinal, contexts.get(node.id))
            for ordinal, node in enumerate(state.nodes.values())
        ],
        "requests": _new_requests(state, events),
        "work": [_work(state, work) for work in outstanding(state).values()],
    }
    return without_payload(rows) if state.protected else rows


def erased_rows(
    events: Iterable[Event], erased_at: datetime | None, imported_at: datetime | None = None
) -> Sections:
    """The rows of a run that was erased, from what its events show without the key: one, with how it ended and when.

    `flex_erase` writes the same.
    """
    row: JsonObject = {}
    for event in events:
        if not row:
            row = {
                "run_id": event.run_id,
                "objective": "",
                "envelope": {},
                "origin": (event.detail or {}).get("origin"),
                "correlation_id": event.correlation_id,
                "created_at": event.recorded_at,
                "erased_at": erased_at,
                "imported_at": imported_at,
                "plan_version": None,
                "tenant": (event.detail or {}).get("tenant", DEFAULT_TENANT),
            }
        if event.plan_version is not None:
            row["plan_version"] = event.plan_version
        if event.type == "complete":
            row |= {"status": event.payload["status"], "completed_at": event.recorded_at}
        row |= {"head_seq": event.seq, "updated_at": event.recorded_at}
    return {"starts": [row], "planned": [], "requests": [], "work": []}


def _advanced_run(before: RunState, after: RunState) -> JsonObject:
    row: JsonObject = {
        "run_id": after.run_id,
        "expected": before.seq,
        "head_seq": after.seq,
        "status": after.status,
        "plan_version": after.plan_version,
        "updated_at": after.updated_at,
    }
    if after.deadline_at != before.deadline_at:
        row["deadline_at"] = after.deadline_at
    if after.usage != before.usage:
        row["usage"] = after.usage.to_wire()
    if after.finished:
        row |= {"output": after.output, "error": after.error, "completed_at": after.completed_at}
    return row


def _started_run(after: RunState) -> JsonObject:
    metadata: JsonObject = after.envelope.get("metadata") or {}
    return {
        "run_id": after.run_id,
        "status": after.status,
        "head_seq": after.seq,
        "objective": after.envelope.get("objective"),
        "thread_id": after.thread_id,
        "envelope": after.envelope,
        "schema_hash": after.schema_hash,
        "output": after.output,
        "error": after.error,
        "plan_version": after.plan_version,
        "client_id": metadata.get("clientId"),
        "run_label": metadata.get("runLabel"),
        "submitted_by": after.submitted_by,
        "origin": after.origin,
        "correlation_id": after.correlation_id,
        "created_at": after.created_at,
        "updated_at": after.updated_at,
        "completed_at": after.completed_at,
        "deadline_at": after.deadline_at,
        "usage": after.usage.to_wire(),
        "tenant": after.tenant,
    }


def _planned_node(after: RunState, node: NodeState, ordinal: int, context: JsonObject | None) -> JsonObject:
    return {
        **_node(after, node),
        "run_created_at": after.created_at,
        "ordinal": ordinal,
        "capability_id": node.capability_id,
        "capability_version": node.capability_version,
        "kind": node.kind,
        "label": node.label,
        "queue": node.queue,
        "executor_type": node.executor_type,
        "depends_on": node.depends_on,
        "context": context,
    }


def _node(after: RunState, node: NodeState) -> JsonObject:
    return {
        "run_id": after.run_id,
        "node_id": node.id,
        "status": node.status,
        "attempt": node.attempt,
        "failures": node.failures,
        "losses": node.losses,
        "due_at": node.due_at,
        "output": node.output,
        "error": node.error,
        "validation_errors": node.validation_errors or None,
        "started_at": node.started_at,
        "finished_at": node.finished_at,
    }


def _changed_nodes(before: RunState, after: RunState, events: Sequence[Event]) -> list[JsonObject]:
    rows: list[JsonObject] = []
    for node in after.nodes.values():
        was = before.nodes[node.id]
        if node is was:
            continue
        row = _node(after, node)
        if node.attempt != was.attempt and (context := _context(before, after, events, node)) is not None:
            row["context"] = context
        rows.append(row)
    return rows


def _first_context(
    before: RunState, after: RunState, events: Sequence[Event], node: NodeState
) -> JsonObject | None:
    """The context of a node of a new plan: None before its first attempt."""
    if not node.attempt:
        return None
    context = _context(before, after, events, node)
    carried = any(
        node.id in (event.detail or {}).get("carried", ()) for event in events if event.type in _PLAN_EVENTS
    )
    return node_context(after, node) if context is None and carried else context


def _context(
    before: RunState, after: RunState, events: Sequence[Event], node: NodeState
) -> JsonObject | None:
    """The context of the attempt that these events start, as it was at its start; None where they start none."""
    if node.status in _UNDER_WAY:
        return node_context(after, node)
    context, state = None, before
    for event in events:
        state = evolve(state, event)
        if event.type == "node_start" and event.node_id == node.id:
            context = node_context(state, state.nodes[node.id])
    return context


def _new_requests(after: RunState, events: Sequence[Event]) -> list[JsonObject]:
    return [
        _request(after, after.requests[event.payload["requestId"]], event.payload)
        for event in events
        if event.type == "hitl_request"
    ]


def _changed_requests(before: RunState, after: RunState, events: Sequence[Event]) -> list[JsonObject]:
    """Of the requests that were there: those that these events are about, and those that a change of the run is."""
    if after.requests is before.requests and not after.finished:
        return []
    touched = [request_id for event in events for request_id in _requests_of(event)]
    if after.finished or any(event.type == "run_resumed" for event in events):
        touched += after.open_ids
    known = [request_id for request_id in dict.fromkeys(touched) if request_id in before.requests]
    return [_request_change(after, after.requests[request_id]) for request_id in known]


def _requests_of(event: Event) -> list[str]:
    if event.type == "hitl_resolved":
        return [event.payload["requestId"]]
    vote: JsonObject | None = (event.detail or {}).get("vote") if event.type == "log" else None
    return [vote["requestId"]] if vote is not None else []


def _request(after: RunState, request: RequestState, payload: JsonObject) -> JsonObject:
    return {
        **_request_change(after, request),
        "run_id": after.run_id,
        "thread_id": after.thread_id,
        "node_id": request.node_id,
        "kind": request.kind,
        "subject": request.subject,
        "payload": payload,
        "rules": request.rules,
        "created_at": request.created_at,
    }


def _request_change(after: RunState, request: RequestState) -> JsonObject:
    waiting = "cancelled" if after.finished else "open"
    return {
        "id": request.id,
        "status": waiting if request.open else "resolved",
        "votes": request.votes,
        "proposal": request.proposal,
        "decision": request.decision,
        "operator": request.operator,
        "note": request.note,
        "expires_at": request.expires_at,
        "resolved_at": request.resolved_at,
    }


def _work(after: RunState, work: Work) -> JsonObject:
    due_at = work.due_at or after.updated_at
    return {
        "run_id": after.run_id,
        "kind": work.kind,
        "ref": work.ref,
        "queue": work.queue,
        "attempt": work.attempt,
        "started": work.started,
        "due_at": due_at,
        "at_once": due_at is None or after.updated_at is None or due_at <= after.updated_at,
    }


def _gone(after: RunState, key: WorkKey) -> JsonObject:
    kind, ref = key
    return {"run_id": after.run_id, "kind": kind, "ref": ref}
