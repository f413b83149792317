"""Why a run is not moving, or who is moving it: a function of the facts, which reads no clock and no table.

Each piece of outstanding work gives one answer, and so does each open request and each person's task. In `flex_work` a
piece of work is in one of these states, which are looked at in this order:

    started, lease holds    somebody works on it               lease (callback, where a service calls back)
    started, lease lapsed   its worker was lost                 lease, which the keeper takes back now
    not started, a name     parked under limit/ or endpoint/    limit, endpoint
    not started, a worker   claimed, about to start             lease
    due later               a retry, an expiry, a deadline      timer
    due, free               the registry lacks the version      version
                            nobody serves the capability        worker
                            no process has the role             worker
                            its turn has not come               queue
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import get_args

from eventstore.leases import WorkRow
from eventstore.queries.requests import RequestRow
from eventstore.queries.runs import NodeRow
from gateway.people.task_service import task_id
from gateway.runs.waits.facts import RunFacts
from gateway.runs.waits.model import Waiting, WaitKind
from runs.event import JsonObject, rfc3339
from runs.outstanding import TIMER_QUEUE, is_remote
from runs.stored_policies import read_names
from runs.transitions import AWAITING_HUMAN, PAUSED

MAX_WAITS = 100
"""How many answers a run has at most; the first ones keep the others waiting."""

_ORDER: dict[WaitKind, int] = {kind: place for place, kind in enumerate(get_args(WaitKind))}
_OUTAGES: dict[str, WaitKind] = {"database": "database", "broker": "broker"}
_WHAT = {"plan": "a plan", "output": "its output to be composed and checked"}
_ROLES = {"plan": "planner"}


def why_waiting(facts: RunFacts) -> list[Waiting]:
    """What the run waits for, what keeps all of it still first; [] for a run that is over."""
    run = facts.row.run
    if run.completed_at is not None:
        return []
    if run.imported_at is not None:
        return [_imported(run.run_id, run.imported_at)]
    found = [*_outages(facts), *_whole_run(facts), *_people(facts), *_works(facts)]
    if not found:
        found = [_nothing(facts)]
    return sorted(found, key=lambda each: _ORDER[each.kind])[:MAX_WAITS]


def next_at(waits: list[Waiting]) -> datetime | None:
    """The next moment at which something happens by itself; None where only people or processes can move the run."""
    return min((each.next_at for each in waits if each.next_at is not None), default=None)


def _imported(run_id: str, imported_at: datetime) -> Waiting:
    return Waiting(
        kind="imported",
        message="the run was imported as it was when it was exported: nothing follows in it here",
        action=f"To go on from it: flexrun runs fork {run_id}",
        since=imported_at,
    )


def _outages(facts: RunFacts) -> Iterator[Waiting]:
    slower = {
        "broker": "work is found in the database meanwhile, some seconds later",
        "database": "nothing is stored until it is back",
    }
    for what, since in facts.outages.items():
        kind = _OUTAGES.get(what, "database")
        yield Waiting(
            kind=kind,
            message=f"the {what} has not been reached since {rfc3339(since)}: {slower[kind]}",
            action=f"See whether the {what} runs and can be reached from here; /readyz says what is wrong.",
            since=since,
        )


def _whole_run(facts: RunFacts) -> Iterator[Waiting]:
    run = facts.row.run
    if run.status == PAUSED:
        yield Waiting(
            kind="paused",
            message="the run is paused: nothing starts, and no time runs",
            action=f"To go on: flexrun runs resume {run.run_id}",
            since=run.updated_at,
        )


def _people(facts: RunFacts) -> Iterator[Waiting]:
    due = {(row.kind, row.ref): row.due_at for row in facts.work}
    for request in facts.row.requests:
        if request.status == "open":
            yield _person(request, due.get(("request_expiry", request.request_id)))
    for node in facts.row.nodes:
        if node.status == AWAITING_HUMAN:
            yield _task(facts, node, due.get(("task_expiry", node.node_id)))


def _person(request: RequestRow, due_at: datetime | None) -> Waiting:
    rules: JsonObject = request.rules
    who = ", ".join(map(str, rules.get("approvers") or ())) or "anybody"
    quorum = rules.get("quorum") or 1
    votes = f", {len(request.votes)} of {quorum} votes are in" if quorum > 1 else ""
    return Waiting(
        kind="person",
        message=f"a person ({who}) has to decide{votes}: {request.payload.get('question', '')}",
        action=f"To decide: flexrun hitl show {request.request_id}",
        node_id=request.node_id,
        request_id=request.request_id,
        since=request.created_at,
        until=request.expires_at,
        next_at=due_at,
    )


def _task(facts: RunFacts, node: NodeRow, due_at: datetime | None) -> Waiting:
    run = facts.row.run
    bundle: JsonObject = (node.context or {}).get("bundle") or {}
    who = ", ".join(read_names(bundle.get("assignees"))) or "anybody"
    name = task_id(run.run_id, run.plan_version, node.attempt, node.node_id)
    return Waiting(
        kind="task",
        message=f"a person ({who}) has to do node {node.node_id}: {node.label}",
        action=f"To do it: flexrun tasks show {name}",
        node_id=node.node_id,
        task_id=name,
        capability_id=node.capability_id,
        since=node.started_at,
        until=due_at,
        next_at=due_at,
    )


def _works(facts: RunFacts) -> Iterator[Waiting]:
    of_people = {"request_expiry", "task_expiry"}
    for row in facts.work:
        if row.queue == TIMER_QUEUE:
            if row.kind not in of_people:
                yield _timer(row)
        elif row.started:
            yield _under_way(facts, row)
        elif row.worker is not None:
            yield _claimed(facts, row)
        elif row.due_at > facts.now:
            yield _later(facts, row)
        else:
            yield _free(facts, row)


def _timer(row: WorkRow) -> Waiting:
    what = {
        "deadline": "its deadline, at which it fails",
        "policy_timeout": f"the time-out of policy {row.ref}",
    }
    return Waiting(
        kind="timer",
        message=f"at {rfc3339(row.due_at)} comes {what.get(row.kind, row.kind)}",
        until=row.due_at,
        next_at=row.due_at,
    )


def _what(row: WorkRow) -> str:
    return _WHAT.get(row.kind) or f"node {row.ref}"


def _of(facts: RunFacts, row: WorkRow) -> tuple[str | None, str | None]:
    """The node of a piece of work, and its capability."""
    node = facts.node_of(row)
    return (node.node_id, node.capability_id) if node is not None else (None, None)


def _under_way(facts: RunFacts, row: WorkRow) -> Waiting:
    node_id, capability_id = _of(facts, row)
    parked = facts.parked.get(row.ref) if row.kind == "node" else None
    until = row.lease_until
    lapsed = until is None or until <= facts.now
    if parked is not None:
        message = f"node {row.ref} {parked.words}"
    elif lapsed:
        message = f"{_what(row)} was lost with {row.worker or 'its worker'}, whose lease has run out; it is taken back"
    else:
        message = f"{row.worker or 'a worker'} works on {_what(row)}, attempt {row.attempt}"
    return Waiting(
        kind="callback" if parked is not None else "lease",
        message=message,
        node_id=node_id,
        capability_id=capability_id,
        queue=row.queue,
        worker=row.worker if parked is None else None,
        since=_started_at(facts, row),
        until=until,
        next_at=facts.now if lapsed else until,
    )


def _started_at(facts: RunFacts, row: WorkRow) -> datetime | None:
    node = facts.node_of(row)
    return node.started_at if node is not None else None


def _claimed(facts: RunFacts, row: WorkRow) -> Waiting:
    node_id, capability_id = _of(facts, row)
    parked = facts.parked.get(row.ref) if row.kind == "node" else None
    actions: dict[str, str] = {
        "limit": "It starts when an attempt of the capability ends; a higher limit is a new registration of it.",
        "endpoint": f"See its endpoint's failures: flexrun capabilities show {capability_id}",
    }
    kind: WaitKind = "lease"
    if parked is not None:
        kind = "endpoint" if parked.kind == "endpoint" else "limit"
    return Waiting(
        kind=kind,
        message=f"node {row.ref} {parked.words}"
        if parked is not None
        else f"{row.worker} has claimed {_what(row)}",
        action=actions.get(kind),
        node_id=node_id,
        capability_id=capability_id,
        queue=row.queue,
        worker=row.worker if parked is None else None,
        since=row.due_at,
        until=row.lease_until,
        next_at=row.lease_until,
    )


def _later(facts: RunFacts, row: WorkRow) -> Waiting:
    node_id, capability_id = _of(facts, row)
    node = facts.node_of(row)
    error = (node.error or {}).get("message") if node is not None else None
    why = f", since attempt {row.attempt - 1} failed: {error}" if error else ""
    return Waiting(
        kind="timer",
        message=f"attempt {row.attempt} at {_what(row)} comes at {rfc3339(row.due_at)}{why}",
        node_id=node_id,
        capability_id=capability_id,
        queue=row.queue,
        until=row.due_at,
        next_at=row.due_at,
    )


def _free(facts: RunFacts, row: WorkRow) -> Waiting:
    node_id, capability_id = _of(facts, row)
    kind, message, action = _why_free(facts, row, capability_id)
    return Waiting(
        kind=kind,
        message=message,
        action=action,
        node_id=node_id,
        capability_id=capability_id,
        queue=row.queue,
        since=row.due_at,
    )


def _why_free(facts: RunFacts, row: WorkRow, capability_id: str | None) -> tuple[WaitKind, str, str | None]:
    """Kind, words and advice for work that is due and that nobody has taken."""
    serve = f"Start a worker that serves it, or enable it: flexrun capabilities show {capability_id}"
    if row.kind == "node" and row.ref in facts.versions:
        return "version", f"node {row.ref} {facts.versions[row.ref]}", serve
    registered = facts.capabilities.get(row.ref) if row.kind == "node" else None
    if row.kind == "node" and registered is None and capability_id is not None:
        return (
            "worker",
            f"node {row.ref} waits for capability {capability_id}, which is not registered",
            serve,
        )
    if registered is not None and registered.status == "silent":
        heard = registered.heard_at
        since = f"not heard of since {rfc3339(heard)}" if heard is not None else "never heard of"
        return "worker", f"node {row.ref}: nobody serves capability {capability_id}, {since}", serve
    role = _ROLES.get(row.kind, "executor")
    if role not in facts.roles and not is_remote(row.queue):
        message = f"{_what(row)} waits in queue {row.queue}, and no process with the role {role} is there"
        return "worker", message, f"Start one: flexrun {role}"
    waited = max((facts.now - row.due_at).total_seconds(), 0.0)
    return "queue", f"{_what(row)} waits for its turn in queue {row.queue}, since {waited:.3g} s", None


def _nothing(facts: RunFacts) -> Waiting:
    return Waiting(
        kind="unknown",
        message="nothing is outstanding, though the run is not over",
        action="Ask again; where it stays so: flexrun db verify says whether the tables differ from the log.",
        since=facts.row.run.updated_at,
    )
