"""The registry of capabilities: every version that was registered, who serves it, and how it fares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import orjson

from eventstore.store import EventStore
from eventstore.tenancy import EVERY_TENANT, working_for
from runs.event import JsonObject, rfc3339
from schemas.capability import DEFAULT_VERSION, version_order
from schemas.tenant import DEFAULT_TENANT

Source = Literal["worker", "api", "file"]
"""Who registered a capability: a process that runs it, a caller, a file of descriptors."""

CapabilityStatus = Literal["ok", "silent", "failing", "disabled"]

SILENT_SECONDS = 90.0
"""A capability whose descriptor names no `heartbeatSeconds` is silent after this time; it is heard of each 30 s."""

MISSED_HEARTBEATS = 3
_HEARD_HOMES = frozenset({"python", "worker"})
"""Homes that somebody must serve; the others are called by any executor."""


@dataclass(frozen=True, slots=True)
class CapabilityRow:
    """A version of a capability. Its endpoint is not called before `open_until`, since `failures` calls failed."""

    capability_id: str
    version: str
    descriptor: JsonObject
    worker: str
    source: Source
    disabled: bool
    failures: int
    open_until: datetime | None
    registered_at: datetime
    last_seen_at: datetime
    last_taken_at: datetime | None
    heard_at: datetime | None
    asked_at: datetime
    tenant: str = DEFAULT_TENANT

    @property
    def home(self) -> str:
        """The type of its home; a descriptor of an earlier version has none."""
        home: JsonObject = self.descriptor.get("home") or {}
        return str(home.get("type", "python"))

    @property
    def status(self) -> CapabilityStatus:
        """`disabled` is an operator's word, `failing` the circuit breaker's, `silent` that nobody serves it now."""
        if self.disabled:
            return "disabled"
        if self.open_until is not None and self.open_until > self.asked_at:
            return "failing"
        return "silent" if self.home in _HEARD_HOMES and self._is_silent() else "ok"

    def _is_silent(self) -> bool:
        heartbeat = self.descriptor.get("heartbeatSeconds")
        seconds = heartbeat * MISSED_HEARTBEATS if heartbeat else SILENT_SECONDS
        return self.heard_at is None or self.heard_at < self.asked_at - timedelta(seconds=seconds)

    def to_wire(self) -> JsonObject:
        """The descriptor, with what is known beside it."""
        return {
            **self.descriptor,
            "version": self.version,
            "worker": self.worker,
            "source": self.source,
            "status": self.status,
            "registeredAt": rfc3339(self.registered_at),
            "lastSeenAt": rfc3339(self.last_seen_at),
        }


@dataclass(frozen=True, slots=True)
class CapabilityWorkerRow:
    """A process that serves a version of a capability, and how many attempts it takes at the same time."""

    worker: str
    version: str
    slots: int | None
    last_seen_at: datetime


async def register(
    store: EventStore, descriptors: Sequence[JsonObject], worker: str, source: Source = "worker"
) -> None:
    """Register capabilities. Of one id and version the last registration wins; other versions stay beside it."""
    rows = [
        {
            "capability_id": descriptor["id"],
            "version": descriptor.get("version") or DEFAULT_VERSION,
            "descriptor": descriptor,
        }
        for descriptor in descriptors
    ]
    parameters = {"rows": orjson.dumps(rows).decode(), "worker": worker, "source": source}
    await store.fetch("capabilities/register", parameters)


@dataclass(frozen=True, slots=True)
class Registration:
    """What came of one version: it was added, it was there already (`same`), or it is there as another `descriptor`."""

    capability_id: str
    version: str
    descriptor: JsonObject | None
    same: bool | None
    added: bool
    foreign: bool

    @property
    def clashes(self) -> bool:
        return self.same is False


async def add_versions(
    store: EventStore,
    descriptors: Sequence[JsonObject],
    worker: str,
    source: Source,
    tenant: str = DEFAULT_TENANT,
) -> list[Registration]:
    """Register versions that are not there yet. Where one is there in other words, nothing is registered.

    Nor is anything where another tenant has versions of such a capability: those are `foreign`.
    """
    rows = [
        {"capability_id": each["id"], "version": each["version"], "descriptor": each} for each in descriptors
    ]
    parameters = {"rows": orjson.dumps(rows).decode(), "worker": worker, "source": source, "tenant": tenant}
    with working_for(EVERY_TENANT):  # an id is taken once, whoever asks
        return await store.select(Registration, "capabilities/add", parameters)


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """A node of a capability that has ended: completed, failed, or skipped with its run."""

    run_id: str
    node_id: str
    version: str | None
    status: str
    attempt: int
    error: JsonObject | None
    started_at: datetime | None
    finished_at: datetime


async def recent_outcomes(store: EventStore, capability_id: str, limit: int = 20) -> list[OutcomeRow]:
    """The nodes of a capability that ended last, newest first, in runs of the tenant that is worked for."""
    return await store.select(
        OutcomeRow, "capabilities/outcomes", {"capability_id": capability_id, "limit": limit}
    )


@dataclass(frozen=True, slots=True)
class InProgress:
    """How many nodes of a capability have begun and not ended, and when the last of them began."""

    running: int
    last_started_at: datetime | None


async def in_progress(store: EventStore, capability_id: str, queues: Iterable[str]) -> InProgress:
    """The nodes of a capability that are under way; `queues` are those that they may be in."""
    parameters = {"capability_id": capability_id, "queues": sorted(set(queues))}
    return (await store.select(InProgress, "capabilities/in_progress", parameters))[0]


async def heard_of(
    store: EventStore, worker: str, versions: Iterable[tuple[str, str]], slots: int | None
) -> None:
    """A worker that serves these (id, version) is alive."""
    served = sorted(versions)
    parameters = {
        "worker": worker,
        "capability_ids": [capability_id for capability_id, _ in served],
        "versions": [version for _, version in served],
        "slots": slots,
    }
    await store.fetch("capabilities/seen", parameters)


async def workers_alive(store: EventStore, workers: Iterable[str]) -> None:
    """These workers are alive, and serve what they said before."""
    await store.fetch("capabilities/workers_alive", {"workers": sorted(workers)})


async def capability_rows(
    store: EventStore, capability_id: str | None = None, *, seen_within_seconds: float | None = None
) -> list[CapabilityRow]:
    """Every version of every capability, or of one, by id, the highest version of each first."""
    parameters = {"capability_id": capability_id, "seen_within_seconds": seen_within_seconds}
    rows = await store.select(CapabilityRow, "capabilities/list", parameters)
    rows.sort(key=lambda row: version_order(row.version), reverse=True)
    rows.sort(key=lambda row: row.capability_id)
    return rows


async def list_capabilities(
    store: EventStore, *, seen_within_seconds: float | None = None
) -> list[JsonObject]:
    """The highest version of each capability that is not disabled, by id, in wire form."""
    rows = await capability_rows(store, seen_within_seconds=seen_within_seconds)
    return [row.to_wire() for row in highest_rows(rows).values()]


def highest_rows(rows: Iterable[CapabilityRow]) -> dict[str, CapabilityRow]:
    """Of rows as `capability_rows` gives them: the first of each id that is not disabled."""
    highest: dict[str, CapabilityRow] = {}
    for row in rows:
        if not row.disabled:
            highest.setdefault(row.capability_id, row)
    return highest


async def serving_workers(
    store: EventStore, capability_id: str, limit: int = 100
) -> list[CapabilityWorkerRow]:
    """Who serves a capability, heard of most lately first."""
    parameters = {"capability_id": capability_id, "limit": limit}
    return await store.select(CapabilityWorkerRow, "capabilities/workers", parameters)


async def taken(store: EventStore, versions: Iterable[tuple[str, str]]) -> None:
    """Attempts of these (id, version) have begun now."""
    begun = sorted(versions)
    parameters = {"capability_ids": [each for each, _ in begun], "versions": [each for _, each in begun]}
    await store.fetch("capabilities/taken", parameters)


async def set_disabled(
    store: EventStore, capability_id: str, version: str | None, *, disabled: bool
) -> list[str]:
    """Disable or enable one version or all of them; those that there are."""
    parameters = {"capability_id": capability_id, "version": version, "disabled": disabled}
    return [row[0] for row in await store.fetch("capabilities/set_disabled", parameters)]


async def remove(store: EventStore, capability_id: str, version: str | None) -> list[str]:
    """Take one version or all of them out of the registry; those that there were."""
    parameters = {"capability_id": capability_id, "version": version}
    return [row[0] for row in await store.fetch("capabilities/remove", parameters)]
