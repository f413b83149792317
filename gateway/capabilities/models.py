"""What the endpoints of the registry answer with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eventstore.capabilities import (
    CapabilityRow,
    CapabilityStatus,
    CapabilityWorkerRow,
    InProgress,
    OutcomeRow,
    Source,
)
from gateway.response import Response, document, present
from runs.event import JsonObject
from schemas.base import NodeId, RunId, Timestamp
from schemas.capability import CapabilityDescriptor
from schemas.payloads import ErrorInfo


class CapabilityEntry(CapabilityDescriptor):
    """A capability in the registry: its descriptor, and what is known beside it."""

    worker: str
    source: Source
    status: CapabilityStatus
    registered_at: Timestamp
    last_seen_at: Timestamp
    versions: list[str]

    @classmethod
    def of(cls, rows: Sequence[CapabilityRow]) -> JsonObject:
        """A capability of which these are the versions, the highest first."""
        return {**shown_row(rows).to_wire(), "versions": [row.version for row in rows]}


def shown_row(rows: Sequence[CapabilityRow]) -> CapabilityRow:
    """The version that stands for a capability: the highest that is not disabled, else the highest."""
    return next((row for row in rows if not row.disabled), rows[0])


class CapabilityList(Response):
    """Every capability, by id."""

    capabilities: list[CapabilityEntry]


class CapabilityVersionEntry(Response):
    """A version of a capability, and how it fares."""

    version: str
    status: CapabilityStatus
    source: Source
    worker: str
    failures: int
    """Calls of its endpoint that failed in a row."""
    open_until: Timestamp | None = None
    """Its endpoint is not called before then."""
    registered_at: Timestamp
    last_seen_at: Timestamp
    last_taken_at: Timestamp | None = None
    descriptor: CapabilityDescriptor

    @classmethod
    def of(cls, row: CapabilityRow) -> JsonObject:
        """A version as its row has it."""
        return document(cls, row, descriptor=row.descriptor)


class ServingWorker(Response):
    """A process that serves a version, and how many attempts it takes at the same time."""

    worker: str
    version: str
    slots: int | None = None
    last_seen_at: Timestamp

    @classmethod
    def of(cls, row: CapabilityWorkerRow) -> JsonObject:
        """A worker as its row has it."""
        return document(cls, row)


class CapabilityOutcome(Response):
    """A node of the capability that has ended."""

    run_id: RunId
    node_id: NodeId
    version: str | None = None
    status: str
    attempt: int
    error: ErrorInfo | None = None
    started_at: Timestamp | None = None
    finished_at: Timestamp

    @classmethod
    def of(cls, row: OutcomeRow) -> JsonObject:
        """An outcome as its row has it."""
        return document(cls, row)


class CapabilityDetail(Response):
    """A capability: its versions, who serves it, what it does now and how it did lately."""

    id: str
    status: CapabilityStatus
    capability: CapabilityEntry
    versions: list[CapabilityVersionEntry]
    workers: list[ServingWorker]
    running: int
    """Nodes that have begun and not ended."""
    last_taken_at: Timestamp | None = None
    """When a node of it last began."""
    recent: list[CapabilityOutcome]
    """The nodes that ended last, newest first."""

    @classmethod
    def of(
        cls,
        rows: Sequence[CapabilityRow],
        workers: Sequence[CapabilityWorkerRow],
        outcomes: Sequence[OutcomeRow],
        now: InProgress,
    ) -> JsonObject:
        """A capability of which these are the versions."""
        taken = [row.last_taken_at for row in rows] + [each.started_at for each in outcomes]
        moments = [moment for moment in (now.last_started_at, *taken) if moment is not None]
        return document(
            cls,
            None,
            id=rows[0].capability_id,
            status=shown_row(rows).status,
            capability=CapabilityEntry.of(rows),
            versions=[CapabilityVersionEntry.of(row) for row in rows],
            workers=[ServingWorker.of(row) for row in workers],
            running=now.running,
            recent=[CapabilityOutcome.of(row) for row in outcomes],
            **present(last_taken_at=max(moments, default=None)),
        )


class RegisteredCapability(Response):
    """A version that is registered; `created` says that this request has registered it."""

    id: str
    version: str
    created: bool
    status: CapabilityStatus
    descriptor: CapabilityDescriptor


class RegisteredCapabilities(Response):
    """The answer to a body with several capabilities, in the order of the body."""

    capabilities: list[RegisteredCapability]


class CapabilityChanged(Response):
    """The versions of a capability that a request has disabled, enabled or removed."""

    id: str
    versions: list[str]


def changed(capability_id: str, versions: Sequence[str]) -> dict[str, Any]:
    """The document of `CapabilityChanged`."""
    return {"id": capability_id, "versions": list(versions)}
