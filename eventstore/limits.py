"""Limits over all processes, and work that waits for one: how many attempts of a capability are in flight, and began.

Who is about to start an attempt of a limited capability asks `admit` first. What is not admitted waits in `flex_work`
under the name `limit/<capability id>`, which costs no process anything, until `unpark` frees it or its time is up.
Work waits for an endpoint that fails in the same way, under `endpoint/<capability id>`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from eventstore.leases import CALLBACK, WorkRow
from eventstore.store import PATIENCE_SECONDS, EventStore
from runs.event import JsonObject
from schemas.capability import Limits

LIMIT = "limit/"
ENDPOINT = "endpoint/"
Waits = Literal["limit/", "endpoint/"]

CLAIM_SECONDS = PATIENCE_SECONDS + 15.0
"""How long a start counts that was admitted and is not in the log yet: longer than a store tries to append it."""

PARK_SECONDS = 15.0
"""After how long work that waits for a limit is offered again where nobody has freed it."""

MAX_PARKED_SHOWN = 1_000

StartKey = tuple[str, str, int]
"""(run id, node id, attempt)"""


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether the attempt may start; if not, its work waits for `wait_seconds` at most."""

    admitted: bool
    in_use: int
    started_lately: int
    wait_seconds: float


async def admit(
    store: EventStore, capability_id: str, key: StartKey, limits: Limits, holder: str
) -> Admission:
    """Ask for the start of an attempt; `holder` is who will start it. Raises StoreUnavailable."""
    parameters = {
        **_names(capability_id, key, holder),
        "most_at_once": limits.max_concurrent,
        "most_per_minute": limits.per_minute,
        "claim_seconds": CLAIM_SECONDS,
        "park_seconds": PARK_SECONDS,
    }
    return (await store.select(Admission, "capabilities/admit", parameters))[0]


async def park(store: EventStore, key: StartKey, waits: Waits, capability_id: str, seconds: float) -> None:
    """Let the work of an attempt that has not started wait for `seconds` at most."""
    run_id, ref, attempt = key
    parameters = {"run_id": run_id, "ref": ref, "attempt": attempt}
    await store.fetch("work/park", {**parameters, "waits_as": waits + capability_id, "seconds": seconds})


async def unpark(store: EventStore, waits: Waits, capability_id: str, limit: int) -> list[WorkRow]:
    """Free work that waits, the oldest first; its hints are the caller's to send."""
    parameters = {"capability_id": capability_id, "waits_as": waits + capability_id, "limit": limit}
    return await store.select(WorkRow, "work/unpark", parameters)


@dataclass(frozen=True, slots=True)
class ParkedRow:
    """A node that waits under a name; `limits` are those of its capability, `in_use` its attempts in flight."""

    ref: str
    worker: str
    lease_until: datetime
    limits: JsonObject | None
    in_use: int

    @property
    def kind(self) -> str:
        """`limit`, `endpoint` or `callback`."""
        return self.worker.partition("/")[0]

    @property
    def words(self) -> str:
        """What it waits for, for people."""
        capability_id = self.worker.partition("/")[2]
        if self.worker.startswith(CALLBACK):
            return f"waits for the callback of {capability_id}"
        if self.worker.startswith(ENDPOINT):
            return f"waits for capability {capability_id}: its endpoint fails"
        most = (self.limits or {}).get("maxConcurrent")
        per_minute = (self.limits or {}).get("perMinute")
        if per_minute is not None and (most is None or self.in_use < most):
            return f"waits for capability {capability_id}: {per_minute} starts a minute"
        return f"waits for capability {capability_id}: {self.in_use} of {most} in use"


async def parked_of_run(store: EventStore, run_id: str) -> list[ParkedRow]:
    """The nodes of a run that wait under a name, by id."""
    parameters = {"run_id": run_id, "limit": MAX_PARKED_SHOWN}
    return await store.select(ParkedRow, "work/parked_of_run", parameters)


def _names(capability_id: str, key: StartKey, holder: str) -> dict[str, object]:
    run_id, node_id, attempt = key
    names = {"capability_id": capability_id, "run_id": run_id, "node_id": node_id}
    return {**names, "attempt": attempt, "holder": holder}
