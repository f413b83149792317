"""The statements of messages, the registry, people's requests, and what is tidied up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson

from simulation.database.statements import Parameters, Rows, answers
from simulation.database.tables import Message, Row, Tables

_REQUEST = ("request_id", "run_id", "thread_id", "node_id", "kind", "subject", "status", "payload", "rules", "votes",
            "proposal", "decision", "operator", "note", "created_at", "expires_at", "resolved_at", "run_status",
            "plan_version", "objective", "run_updated_at", "brief_id", "client_id", "apart")  # fmt: skip
_OF_REQUEST = ("id", *_REQUEST[1:17])
_OF_RUN = ("status", "plan_version", "objective", "updated_at")
_CAPABILITY = ("capability_id", "version", "descriptor", "worker", "source", "disabled", "failures", "open_until",
               "registered_at", "last_seen_at", "last_taken_at", "heard_at", "asked_at")  # fmt: skip


def _put(tables: Tables, queue: str, body: bytes) -> None:
    message = Message(tables.new_id(), queue, bytes(body), tables.now())
    tables.messages[message.id] = message
    tables.notify("flexrun_work", f";{queue}")


@answers("messages/send", "pg_notify")
def send(tables: Tables, asked: Parameters) -> Rows:
    """Put a message into a queue."""
    _put(tables, asked["queue"], asked["body"])
    return [("",)]


@answers("messages/claim", "id", "body", "deliveries")
def claim(tables: Tables, asked: Parameters) -> Rows:
    """The oldest visible messages, hidden for a while."""
    now = tables.now()
    free = [
        each for each in tables.messages.values() if each.queue == asked["queue"] and each.visible_at <= now
    ]
    free.sort(key=lambda each: (each.visible_at, each.id))
    for message in free[: asked["limit"]]:
        message.deliveries += 1
        message.visible_at = now + timedelta(seconds=asked["hidden_seconds"])
    return [(each.id, each.body, each.deliveries) for each in free[: asked["limit"]]]


@answers("messages/finish")
def finish(tables: Tables, asked: Parameters) -> Rows:
    """Delete a message that was handled."""
    tables.messages.pop(asked["id"], None)
    return []


@answers("messages/return")
def give_back(tables: Tables, asked: Parameters) -> Rows:
    """Make a message visible again."""
    if message := tables.messages.get(asked["id"]):
        message.visible_at = tables.now() + timedelta(seconds=asked["after_seconds"])
    return []


def _grave(tables: Tables, queue: str, body: bytes, reason: str) -> None:
    number = tables.new_id()
    tables.dead_letters[number] = (number, queue, bytes(body), reason, tables.now())


@answers("messages/bury")
def bury(tables: Tables, asked: Parameters) -> Rows:
    """Move a message to the dead letters."""
    if message := tables.messages.pop(asked["id"], None):
        _grave(tables, message.queue, asked["body"], asked["reason"])
    return []


@answers("messages/bury_hint")
def bury_hint(tables: Tables, asked: Parameters) -> Rows:
    """A dead letter for work."""
    _grave(tables, asked["queue"], asked["body"], asked["reason"])
    return []


@answers("messages/dead_letters", "id", "queue", "body", "reason", "died_at")
def dead_letters(tables: Tables, asked: Parameters) -> Rows:
    """The oldest dead letters."""
    found = [
        row
        for row in tables.dead_letters.values()
        if asked["queue"] in ("", row[1]) and (asked["ids"] is None or row[0] in asked["ids"])
    ]
    return found[: asked["limit"]]


@answers("messages/drop", "id")
def drop(tables: Tables, asked: Parameters) -> Rows:
    """Delete a dead letter."""
    return [] if tables.dead_letters.pop(asked["id"], None) is None else [(asked["id"],)]


@answers("messages/requeue", "pg_notify")
def requeue(tables: Tables, asked: Parameters) -> Rows:
    """Move a dead letter back into its queue."""
    row = tables.dead_letters.pop(asked["id"], None)
    if row is None:
        return []
    _put(tables, row[1], row[2])
    return [("",)]


@answers("capabilities/register", "pg_notify")
def register(tables: Tables, asked: Parameters) -> Rows:
    """Insert or refresh capabilities."""
    now, changed = tables.now(), False
    given: list[Row] = orjson.loads(asked["rows"])
    for row in given:
        key = (row["capability_id"], row["version"])
        known = tables.capabilities.get(key)
        changed = changed or known is None or known["descriptor"] != row["descriptor"]
        fresh: Row = {
            "disabled": False,
            "failures": 0,
            "open_until": None,
            "registered_at": now,
            "last_taken_at": None,
        }
        told = {"worker": asked["worker"], "source": asked["source"], "last_seen_at": now}
        tables.capabilities[key] = {**(known or fresh), **row, **told}
    if changed:
        tables.notify("flexrun_registry", "-;capabilities")
    return []


@answers("capabilities/seen")
def seen(tables: Tables, asked: Parameters) -> Rows:
    """A worker that serves these is alive."""
    for capability_id, version in zip(asked["capability_ids"], asked["versions"], strict=True):
        key = (asked["worker"], capability_id, version)
        tables.workers[key] = {"slots": asked["slots"], "last_seen_at": tables.now()}
    return []


@answers("capabilities/list", *_CAPABILITY)
def listed(tables: Tables, asked: Parameters) -> Rows:
    """All versions of all capabilities, or of one."""
    now, rows = tables.now(), Rows()
    for (capability_id, version), row in sorted(tables.capabilities.items()):
        if asked["capability_id"] not in (None, capability_id):
            continue
        heard = [
            worker["last_seen_at"]
            for (_, *served), worker in tables.workers.items()
            if served == [capability_id, version]
        ]
        heard_at = max(heard, default=None)
        last_seen_at = max([row["last_seen_at"], *heard])
        within = asked["seen_within_seconds"]
        if within is None or last_seen_at > now - timedelta(seconds=within):
            whole = {**row, "last_seen_at": last_seen_at, "heard_at": heard_at, "asked_at": now}
            rows.append(tuple([whole[name] for name in _CAPABILITY]))
    return rows


@answers("capabilities/taken")
def taken(tables: Tables, asked: Parameters) -> Rows:
    """Attempts of these have begun."""
    for key in zip(asked["capability_ids"], asked["versions"], strict=True):
        if key in tables.capabilities:
            tables.capabilities[key]["last_taken_at"] = tables.now()
    return []


@answers("facets/list", "name", "version", "description", "schema", "many", "source", "registered_at")
def facets(tables: Tables, _: Parameters) -> Rows:
    """Every registered facet."""
    return list(tables.facets)


@answers("facets/add", "name")
def add_facet(tables: Tables, asked: Parameters) -> Rows:
    """Register a version of a facet."""
    if any((row[0], row[1]) == (asked["name"], asked["version"]) for row in tables.facets):
        return []
    schema = orjson.loads(asked["schema"])
    named = (asked["name"], asked["version"], asked["description"])
    tables.facets.append((*named, schema, asked["many"], asked["source"], tables.now()))
    tables.facets.sort(key=lambda row: (row[0], row[1]))
    return [(asked["name"],)]


@answers("people/get_request", *_REQUEST)
def get_request(tables: Tables, asked: Parameters) -> Rows:
    """One request, with what is shown of its run."""
    row = tables.requests.get(asked["request_id"])
    return [] if row is None else [_request(tables, row)]


@answers("people/pending_requests_of_run", *_REQUEST)
def pending_requests_of_run(tables: Tables, asked: Parameters) -> Rows:
    """The open requests of a run, oldest first."""
    found = [
        row for row in tables.requests.values() if (row["run_id"], row["status"]) == (asked["run_id"], "open")
    ]
    found.sort(key=lambda row: (row["created_at"], row["id"]))
    return [_request(tables, row) for row in found]


def _request(tables: Tables, row: Row) -> tuple[Any, ...]:
    run = tables.runs[row["run_id"]]
    envelope: Row = run["envelope"]
    parts: list[Row] = [envelope.get("metadata") or {}, envelope.get("inputs") or {}]
    brief = next((part["briefId"] for part in parts if part.get("briefId") is not None), None)
    of_request = [row.get(name) for name in _OF_REQUEST]
    return (*of_request, *[run[name] for name in _OF_RUN], brief, run["client_id"], row["apart"])


@answers("database/keep_secret", "value")
def keep_secret(tables: Tables, asked: Parameters) -> Rows:
    """The secret of this name, or the one that is offered."""
    return [(tables.secrets.setdefault(asked["name"], asked["offered"]),)]


def _nothing(_: Tables, __: Parameters) -> Rows:
    return [(0,)]


for _name in ("partial_outputs", "starts", "workers", "processes", "operations"):
    answers(f"tidying/drop_{_name}", "count")(_nothing)
