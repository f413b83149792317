"""The statements of leases, claims and due times over `flex_work`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import orjson

from simulation.database.log import EVENT, uuid_of
from simulation.database.statements import Parameters, Rows, answers
from simulation.database.tables import Locked, Tables, WorkKey, WorkRecord

_NAMES = ("run_id", "kind", "ref", "queue", "attempt", "started", "due_at", "worker", "lease_until", "hinted_at",
          "failures", "losses", "lost_as")  # fmt: skip


def _cells(work: WorkRecord) -> tuple[Any, ...]:
    return tuple([getattr(work, name) for name in _NAMES])


def _oldest(found: Iterable[WorkRecord], limit: int) -> list[WorkRecord]:
    return sorted(found, key=lambda work: work.due_at)[:limit]


def _lease(tables: Tables, work: WorkRecord, worker: str, seconds: float) -> None:
    work.worker, work.lease_until = worker, tables.now() + timedelta(seconds=seconds)


def _free(work: WorkRecord) -> None:
    work.worker = work.lease_until = None


def _waited_for(tables: Tables, key: WorkKey) -> WorkRecord | None:
    """The row, which a statement waits for while a transaction holds it."""
    if key in tables.locked:
        raise Locked
    return tables.work.get(key)


def _key(asked: Parameters, kind: str | None = None) -> WorkKey:
    return uuid_of(asked["run_id"]), asked["kind"] if kind is None else kind, asked["ref"]


@answers("work/claim", *_NAMES)
def claim(tables: Tables, asked: Parameters) -> Rows:
    """The oldest free and due work; of suspects one at a time."""
    now, queues = tables.now(), set(asked["queues"])
    free = [
        work
        for key, work in tables.work.items()
        if work.free and work.queue in queues and work.due_at <= now and key not in tables.locked
    ]
    allowed: list[WorkRecord] = []
    has_suspect = asked["has_suspect"]
    for work in _oldest(free, asked["limit"]):
        if work.losses and has_suspect:
            continue
        has_suspect = has_suspect or bool(work.losses)
        _lease(tables, work, asked["worker"], asked["lease_seconds"])
        allowed.append(work)
    return list(map(_cells, allowed))


@answers("work/release")
def release(tables: Tables, asked: Parameters) -> Rows:
    """Claims that were not started and belong to this worker."""
    for key in zip(asked["run_ids"], asked["kinds"], asked["refs"], strict=True):
        work = tables.work.get(key)
        if work and key not in tables.locked and work.worker == asked["worker"] and not work.started:
            _free(work)
    return []


@answers("work/extend_leases", "run_id", "kind", "ref", "attempt")
def extend_leases(tables: Tables, asked: Parameters) -> Rows:
    """The heartbeat of a worker."""
    mine = [work for work in tables.work.values() if work.worker == asked["worker"]]
    for work in mine:
        if work.key not in tables.locked:
            _lease(tables, work, asked["worker"], asked["lease_seconds"])
    return [(*work.key, work.attempt) for work in mine]


@answers("work/free_expired_claims")
def free_expired_claims(tables: Tables, _: Parameters) -> Rows:
    """Nodes that were claimed and not started in time."""
    for work in _expired(tables, started=False):
        if work.kind not in ("plan", "output") and work.key not in tables.locked:
            _free(work)
    return []


def _expired(tables: Tables, *, started: bool) -> list[WorkRecord]:
    now = tables.now()
    found = [
        work
        for work in tables.work.values()
        if work.lease_until is not None
        and work.worker is not None
        and work.started == started
        and work.lease_until <= now
    ]
    return sorted(found, key=lambda work: work.lease_until or now)


@answers("work/expired_leases", *_NAMES)
def expired_leases(tables: Tables, asked: Parameters) -> Rows:
    """Started work whose lease is over."""
    return list(map(_cells, _expired(tables, started=True)[: asked["limit"]]))


@answers("work/expired_claims", *_NAMES)
def expired_claims(tables: Tables, asked: Parameters) -> Rows:
    """Plans and outputs that were claimed and not started."""
    found = [work for work in _expired(tables, started=False) if work.kind != "node"]
    return list(map(_cells, found[: asked["limit"]]))


@answers("work/lose_claim")
def lose_claim(tables: Tables, asked: Parameters) -> Rows:
    """Charge the work with the loss of its worker."""
    work = _waited_for(tables, _key(asked))
    if work and work.attempt == asked["attempt"] and work.worker == asked["worker"] and not work.started:
        _free(work)
        work.losses, work.lost_as = orjson.loads(asked["losses"]), None
    return []


@answers("work/take", *EVENT)
def take(tables: Tables, asked: Parameters) -> Rows:
    """Claim one piece of work by its key, and read its run."""
    work = _waited_for(tables, _key(asked))
    if (
        work is None
        or work.attempt != asked["attempt"]
        or work.worker not in (None, asked["worker"])
        or work.started
        or (work.losses and not asked["suspects"])
    ):
        return []
    _lease(tables, work, asked["worker"], asked["lease_seconds"])
    stored = tables.events.get(work.run_id, [])[: asked["limit"]]
    return [event.cells for event in stored] or [(None,) * len(EVENT)]


@answers("work/hand_over", "lease_until")
def hand_over(tables: Tables, asked: Parameters) -> Rows:
    """Give the lease of a started attempt to a name."""
    work = _waited_for(tables, _key(asked, "node"))
    if not work or not work.started or (work.worker, work.attempt) != (asked["worker"], asked["attempt"]):
        return []
    _lease(tables, work, asked["to"], asked["seconds"])
    work.lost_as = None
    return [(work.lease_until,)]


@answers("work/extend_lease", "run_id")
def extend_lease(tables: Tables, asked: Parameters) -> Rows:
    """The heartbeat of one attempt."""
    work = _waited_for(tables, _key(asked, "node"))
    if not work or not work.started or (work.worker, work.attempt) != (asked["worker"], asked["attempt"]):
        return []
    _lease(tables, work, asked["worker"], asked["lease_seconds"])
    return [(work.run_id,)]


@answers("work/lapse_leases")
def lapse_leases(tables: Tables, asked: Parameters) -> Rows:
    """Expire what a process that has ended had."""
    for work in tables.work.values():
        named = (work.run_id, work.ref) == (asked["run_id"], asked["ref"])
        mine = f":{asked['origin']}" in (work.worker or "")
        if mine or (work.worker is None and not work.started and work.kind in ("plan", "output") and named):
            work.worker = work.worker or asked["worker"]
            work.lease_until = tables.now()
            blocked = "stalled" if named else "bystander"
            work.lost_as = work.lost_as or ("died" if asked["run_id"] is None else blocked)
    return []


@answers("work/due_timers", *_NAMES)
def due_timers(tables: Tables, asked: Parameters) -> Rows:
    """Timers whose time has come."""
    now = tables.now()
    found = [
        work
        for work in tables.work.values()
        if work.free and work.queue == asked["queue"] and work.due_at <= now
    ]
    return list(map(_cells, _oldest(found, asked["limit"])))


@answers("work/unclaimed", *_NAMES)
def unclaimed(tables: Tables, asked: Parameters) -> Rows:
    """Due work whose hint may be lost; its last hint is now."""
    late = tables.now() - timedelta(seconds=asked["older_than_seconds"])
    found = [
        work
        for work in tables.work.values()
        if work.free
        and work.queue != asked["timer_queue"]
        and not work.queue.startswith(asked["remote_queues"])
        and work.due_at <= late
        and work.hinted_at <= late
        and work.key not in tables.locked
    ]
    oldest = _oldest(found, asked["limit"])
    for work in oldest:
        work.hinted_at = tables.now()
    return list(map(_cells, oldest))


@answers("work/next_due_at", "min")
def next_due_at(tables: Tables, _: Parameters) -> Rows:
    """When the next work falls due."""
    now = tables.now()
    return [
        (
            min(
                (work.due_at for work in tables.work.values() if work.free and work.due_at > now),
                default=None,
            ),
        )
    ]


@answers("work/record_failure", "failures")
def record_failure(tables: Tables, asked: Parameters) -> Rows:
    """Count an unforeseen failure."""
    work = _waited_for(tables, _key(asked))
    if work is None:
        return []
    work.failures += 1
    work.lost_as = "broke" if work.started else None
    return [(work.failures,)]


@answers("work/backlog", "count")
def backlog(tables: Tables, asked: Parameters) -> Rows:
    """How much due work is free."""
    now = tables.now()
    found = [
        work
        for work in tables.work.values()
        if work.free and work.queue != asked["timer_queue"] and work.due_at <= now
    ]
    return [(min(len(found), asked["limit"]),)]


@answers("work/count_due", "count")
def count_due(tables: Tables, asked: Parameters) -> Rows:
    """How much due work of a queue is free."""
    now = tables.now()
    return [
        (
            sum(
                work.free and work.queue == asked["queue"] and work.due_at <= now
                for work in tables.work.values()
            ),
        )
    ]


@answers("work/of_run", *_NAMES)
def of_run(tables: Tables, asked: Parameters) -> Rows:
    """All that is left of a run."""
    found = [work for work in tables.work.values() if work.run_id == asked["run_id"]]
    found.sort(key=lambda work: (work.due_at, work.kind, work.ref))
    return list(map(_cells, found[: asked["limit"]]))


@answers("work/oldest_waiting", "seconds")
def oldest_waiting(tables: Tables, asked: Parameters) -> Rows:
    """How long the oldest free work of these queues has waited."""
    now = tables.now()
    due = [
        work.due_at
        for work in tables.work.values()
        if work.free and work.queue in asked["queues"] and work.due_at <= now
    ]
    return [((now - min(due)).total_seconds() if due else None,)]


@answers("work/waiting_in_vain", "run_id", "node_id", "capability_id", "version")
def waiting_in_vain(tables: Tables, asked: Parameters) -> Rows:
    """Nodes whose capability is not registered, or disabled."""
    late = tables.now() - timedelta(seconds=asked["older_than_seconds"])
    found: list[tuple[Any, ...]] = []
    for work in tables.work.values():
        if work.kind == "node" and work.free and work.due_at <= late:
            node = tables.nodes[work.run_id, work.ref]
            named = (node["capability_id"], node["capability_version"])
            row = tables.capabilities.get(named)
            known = any(capability_id == named[0] for capability_id, _ in tables.capabilities)
            if row["disabled"] if row is not None else not known:
                found.append((work.run_id, work.ref, *named))
    return found[: asked["limit"]]
