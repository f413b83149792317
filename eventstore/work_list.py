"""Outstanding work as an operator looks at it, and claims that are given up for another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, get_args

from eventstore.leases import WorkRow
from eventstore.processes import SILENT_SECONDS
from eventstore.store import EventStore
from runs.event import JsonObject
from runs.outstanding import TIMER_QUEUE

WorkState = Literal["due", "later", "claimed", "running", "parked", "callback", "timer"]
"""Free and due, free and due later, claimed and not begun, begun, waiting for a limit or an endpoint, waiting for a
callback, a timer of its run."""

WORK_STATES: tuple[WorkState, ...] = get_args(WorkState)
HELD: tuple[WorkState, ...] = ("claimed", "running", "parked")
"""What a worker has, or waits under a name: it can be given back."""


@dataclass(frozen=True, slots=True)
class WorkEntry(WorkRow):
    """A piece of work, what it is for, and whether somebody is there to take it."""

    hinted_at: datetime | None = None
    failures: int = 0
    state: WorkState = "due"
    asked_at: datetime | None = None
    capability_id: str | None = None
    capability_version: str | None = None
    run_status: str = ""
    served: bool | None = None

    @property
    def work_id(self) -> str:
        """Names it in lists and commands: its run, kind and reference."""
        return work_id(self.run_id, self.kind, self.ref)

    @property
    def known_losses(self) -> list[JsonObject]:
        return self.losses or []


def work_id(run_id: str, kind: str, ref: str) -> str:
    """`RUN:node:draft-a`, `RUN:plan:`; the reference of a plan, an output and a deadline is empty."""
    return f"{run_id}:{kind}:{ref}"


@dataclass(frozen=True, slots=True)
class WorkFilter:
    """Which work; what is None filters nothing."""

    run_id: str | None = None
    queue: str | None = None
    kind: str | None = None
    worker: str | None = None
    states: Sequence[str] = WORK_STATES


@dataclass(frozen=True, slots=True)
class WorkPlace:
    """The place of a row in the list: the next page begins after it."""

    due_at: datetime
    run_id: str
    kind: str
    ref: str


async def list_work(
    store: EventStore, wanted: WorkFilter, *, after: WorkPlace | None = None, limit: int = 100
) -> list[WorkEntry]:
    """A page of outstanding work, oldest first."""
    parameters = {
        "run_id": wanted.run_id,
        "queue": wanted.queue,
        "kind": wanted.kind,
        "worker": wanted.worker,
        "states": list(wanted.states),
        "after_due": after.due_at if after else None,
        "after_run": after.run_id if after else None,
        "after_kind": after.kind if after else "",
        "after_ref": after.ref if after else "",
        "timer_queue": TIMER_QUEUE,
        "silent_seconds": SILENT_SECONDS,
        "limit": limit,
    }
    return await store.select(WorkEntry, "work/list", parameters)


async def find_work(store: EventStore, run_id: str, kind: str, ref: str) -> WorkEntry | None:
    """One piece of outstanding work."""
    wanted = WorkFilter(run_id=run_id, kind=kind)
    place: WorkPlace | None = None
    while True:
        page = await list_work(store, wanted, after=place, limit=1000)
        for each in page:
            if each.ref == ref:
                return each
        if len(page) < 1000:
            return None
        last = page[-1]
        place = WorkPlace(last.due_at, last.run_id, last.kind, last.ref)


async def give_up_claim(store: EventStore, entry: WorkEntry) -> bool:
    """Free work that was not started, for any who serve it; False where it changed meanwhile."""
    named = {"run_id": entry.run_id, "kind": entry.kind, "ref": entry.ref, "attempt": entry.attempt}
    return bool(await store.fetch("work/give_up_claim", {**named, "worker": entry.worker}))


def relieved(entry: WorkEntry) -> WorkRow:
    """The row as the rules see it when an operator has ended its lease: its worker is charged with nothing."""
    return replace(entry, lost_as="relieved")
