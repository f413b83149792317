"""Leases: which worker has which work, and until when. They are the only part of the read models that is not in the
log.

No statement here waits for more than one row: those that touch several skip rows that a commit has locked. All times
are the database's, so that the clocks of workers do not matter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import orjson

from eventstore.connection import connect
from eventstore.statements import statement
from eventstore.store import PAGE_EVENTS, EventStore, is_run_id
from eventstore.turns import Turns
from runs.event import Event, JsonObject
from runs.outstanding import REMOTE_QUEUES, TIMER_QUEUE
from schemas.tenant import DEFAULT_TENANT

MAX_BACKLOG = 1_000_000

CALLBACK = "callback/"
"""Begins the name that has the lease of an attempt while nobody works on it here: a service calls back."""

ClaimedWork = tuple[str, str, str, int]
"""(run id, kind, reference, attempt)"""


@dataclass(frozen=True, slots=True)
class WorkRow:
    """A row of `flex_work`. `due_at` is never None: it is the moment at which the work became outstanding, or later.

    Of a lapsed lease: `lost_as` says how its worker was lost where that is known, `losses` which workers before it.
    Of what a claim has taken: `weight` is that of its tenant, and `turn` when its turn was (`eventstore.turns`).
    """

    run_id: str
    kind: str
    ref: str
    queue: str
    attempt: int
    started: bool
    due_at: datetime
    worker: str | None
    lease_until: datetime | None
    lost_as: str | None = None
    losses: list[JsonObject] | None = None
    tenant: str = DEFAULT_TENANT
    weight: int = 1
    turn: float = 0.0


async def claim(
    store: EventStore,
    queues: Sequence[str],
    worker: str,
    lease_seconds: float,
    limit: int,
    *,
    turns: Turns | None = None,
    has_suspect: bool = False,
) -> list[WorkRow]:
    """Claim up to `limit` pieces of free, due work: of tenants in turn, and of each tenant the oldest first.

    `turns` knows what was served before, and is told of what is claimed; without it, each tenant begins anew.

    At most one of them is a suspect (it has `losses`), and none where `has_suspect` says that `worker` has one.
    """
    turns = turns if turns is not None else Turns()
    rows = await store.select(
        WorkRow,
        "work/claim",
        {
            "queues": list(queues),
            "worker": worker,
            "lease_seconds": lease_seconds,
            "limit": limit,
            "has_suspect": has_suspect,
            "tenants": list(turns.served),
            "served": list(turns.served.values()),
            "floor": turns.floor,
            "tenants_limit": limit * len(queues),
        },
    )
    rows.sort(key=lambda row: (row.turn, row.due_at))
    for row in rows:
        turns.note(row.tenant, row.weight, row.turn)
    return rows


async def several_tenants_wait(store: EventStore, queues: Sequence[str]) -> bool:
    """Whether free, due work of more than one tenant is in these queues. Raises StoreUnavailable."""
    rows = await store.fetch("work/tenants_waiting", {"queues": list(queues)})
    return rows[0][0] > 1


async def claim_remote(
    store: EventStore, served: Sequence[tuple[str, str | None]], worker: str, lease_seconds: float, limit: int
) -> list[WorkRow]:
    """`claim` for workers that serve these (queue, version), None for any version; nodes only, and suspects as well."""
    parameters = {
        "queues": [queue for queue, _ in served],
        "versions": [version for _, version in served],
        "worker": worker,
        "lease_seconds": lease_seconds,
        "limit": limit,
    }
    rows = await store.select(WorkRow, "work/claim_remote", parameters)
    return sorted(rows, key=lambda row: row.due_at)


class Named(Protocol):
    """Identifies a piece of work: a row of the table, or a hint."""

    @property
    def run_id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def ref(self) -> str: ...


async def release(store: EventStore, rows: Iterable[Named], worker: str) -> None:
    """Release claims that were not started; those that are started or belong to another worker stay as they are."""
    rows = list(rows)
    await store.fetch(
        "work/release",
        {
            "run_ids": [row.run_id for row in rows],
            "kinds": [row.kind for row in rows],
            "refs": [row.ref for row in rows],
            "worker": worker,
        },
    )


async def extend(store: EventStore, worker: str, lease_seconds: float) -> set[ClaimedWork]:
    """The heartbeat: extend all leases of `worker` in one statement; the work that they are for.

    Work that is missing in the answer belongs to another worker by now and has to be stopped.
    """
    rows = await store.fetch("work/extend_leases", {"worker": worker, "lease_seconds": lease_seconds})
    return {(run_id, kind, ref, attempt) for run_id, kind, ref, attempt in rows}


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat of one attempt by the worker that has it."""

    run_id: str
    node_id: str
    attempt: int
    worker: str
    lease_seconds: float


async def extend_each(store: EventStore, beats: Sequence[Beat]) -> dict[Beat, bool]:
    """Extend the leases of many attempts in one statement; those that are missing are not their workers' any more.

    False where a commit had the row locked: the lease is as it was, and `extend_one` waits for the row.
    """
    columns = {
        "run_ids": [beat.run_id for beat in beats],
        "refs": [beat.node_id for beat in beats],
        "attempts": [beat.attempt for beat in beats],
        "workers": [beat.worker for beat in beats],
        "seconds": [beat.lease_seconds for beat in beats],
    }
    rows = await store.fetch("work/extend_attempts", columns)
    return {beats[place]: extended for place, extended in rows}


async def extend_one(store: EventStore, beat: Beat) -> bool:
    """Extend the lease of one attempt; False where its worker does not have it any more."""
    named = {"run_id": beat.run_id, "ref": beat.node_id, "attempt": beat.attempt, "worker": beat.worker}
    return bool(await store.fetch("work/extend_lease", {**named, "lease_seconds": beat.lease_seconds}))


async def expired(store: EventStore, limit: int = 200) -> list[WorkRow]:
    """Started work whose lease has expired, the longest expired first. Frees expired claims of nodes as well."""
    await store.fetch("work/free_expired_claims", {})
    return await store.select(WorkRow, "work/expired_leases", {"limit": limit})


async def take(
    store: EventStore, work: ClaimedWork, worker: str, lease_seconds: float, *, suspects: bool = True
) -> bool:
    """Claim this work, which need not be the oldest; False where it is not free any more.

    Without `suspects`, work over which a worker was lost before is not claimed either. The log of a run that this
    process does not know comes with the answer, so that such a claim costs no round trip of its own.
    """
    run_id, kind, ref, attempt = work
    if not is_run_id(run_id):
        return False
    named = {"run_id": run_id, "kind": kind, "ref": ref, "attempt": attempt}
    lease = {"worker": worker, "lease_seconds": lease_seconds, "suspects": suspects}
    limit = PAGE_EVENTS if store.cached(run_id) is None else 0
    taken = await store.query("work/take", {**named, **lease, "limit": limit})
    if 0 < len(taken.rows) < limit:
        await store.remember(run_id, await store.seals.open(taken.read(Event)))
    return bool(taken.rows)


async def expired_claims(store: EventStore, limit: int = 200) -> list[WorkRow]:
    """Plans and outputs that were claimed and never started, and whose claim has expired; the longest expired first."""
    return await store.select(WorkRow, "work/expired_claims", {"limit": limit})


async def lose_claim(store: EventStore, row: WorkRow, losses: Sequence[JsonObject]) -> None:
    """Free an expired claim, and store the losses of the work so far."""
    named = {"run_id": row.run_id, "kind": row.kind, "ref": row.ref, "attempt": row.attempt}
    text = orjson.dumps(list(losses)).decode()
    await store.fetch("work/lose_claim", {**named, "worker": row.worker, "losses": text})


async def lapse(store: EventStore, origin: str) -> None:
    """Expire all leases and claims of a process that is known to be dead."""
    await store.fetch("work/lapse_leases", {"origin": origin, "worker": origin, "run_id": None, "ref": ""})


def lapse_now(database_url: str, worker: str, origin: str, run_id: str | None, ref: str) -> None:
    """`lapse` for this process, called from a thread while the event loop is blocked: by the work of `run_id`, if
    known.

    Raises psycopg.Error.
    """

    async def lapse_alone() -> None:
        async with await connect(database_url, "watchdog") as connection:
            await connection.execute(
                statement("work/lapse_leases"),
                {"origin": origin, "worker": worker, "run_id": run_id, "ref": ref},
            )

    asyncio.run(lapse_alone())


def callback_waiter(capability_id: str) -> str:
    """The name that has the lease of an attempt that waits for its callback."""
    return CALLBACK + capability_id


async def hand_over(
    store: EventStore, key: tuple[str, str, int], worker: str, to: str, seconds: float
) -> datetime | None:
    """Give the lease of `worker` on a started attempt to the name `to`; until when, None where it is not `worker`'s."""
    run_id, ref, attempt = key
    names = {"run_id": run_id, "ref": ref, "attempt": attempt, "worker": worker, "to": to}
    rows = await store.fetch("work/hand_over", {**names, "seconds": seconds})
    return rows[0][0] if rows else None


async def work_of_run(store: EventStore, run_id: str, limit: int) -> list[WorkRow]:
    """All that is left to do in a run, what is due first in front."""
    return await store.select(WorkRow, "work/of_run", {"run_id": run_id, "limit": limit})


async def due_timers(store: EventStore, limit: int = 200) -> list[WorkRow]:
    """Request expiries and deadlines whose time has come."""
    return await store.select(WorkRow, "work/due_timers", {"queue": TIMER_QUEUE, "limit": limit})


async def unclaimed(store: EventStore, older_than_seconds: float, limit: int = 500) -> list[WorkRow]:
    """Due work that is unclaimed so many seconds after its last hint. Its last hint is now."""
    return await store.select(
        WorkRow,
        "work/unclaimed",
        {
            "older_than_seconds": older_than_seconds,
            "limit": limit,
            "timer_queue": TIMER_QUEUE,
            "remote_queues": REMOTE_QUEUES,
        },
    )


async def next_due_at(store: EventStore) -> datetime | None:
    """When the next retry, expiry or deadline falls due; None when nothing is scheduled."""
    return (await store.fetch("work/next_due_at", {}))[0][0]


async def record_failure(store: EventStore, run_id: str, kind: str, ref: str) -> int:
    """Count an unforeseen failure of this work: how many there are now; 0 where there is no such work."""
    if not is_run_id(run_id):
        return 0
    rows = await store.fetch("work/record_failure", {"run_id": run_id, "kind": kind, "ref": ref})
    return rows[0][0] if rows else 0


async def backlog(store: EventStore, limit: int = MAX_BACKLOG) -> int:
    """The number of due, unclaimed pieces of work, counted up to `limit` so that the query stays cheap."""
    return (await store.fetch("work/backlog", {"timer_queue": TIMER_QUEUE, "limit": limit}))[0][0]
