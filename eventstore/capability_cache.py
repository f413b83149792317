"""The registered capabilities as this process knows them: fetched when the registry has changed, or grows too old."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from eventstore.capabilities import CapabilityRow, capability_rows, highest_rows
from eventstore.listener import LogListener
from eventstore.registry_copy import RegistryCopy
from eventstore.store import EventStore
from runs.event import JsonObject
from runs.outstanding import node_queue
from schemas.capability import worker_queue


class CapabilityCache(RegistryCopy):
    """The registered capabilities, and those that this process knows without the registry (`known`, in wire form)."""

    part = "capabilities"

    def __init__(
        self,
        store: EventStore,
        known: Iterable[JsonObject] = (),
        *,
        listener: LogListener | None = None,
        fresh_seconds: float = 5.0,
        seen_within_seconds: float | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(store, listener=listener, fresh_seconds=fresh_seconds, monotonic=monotonic)
        self._known = {str(each.get("id")): each for each in known}
        self._seen_within_seconds = seen_within_seconds
        self._listed = list(self._known.values())
        self.disabled: list[JsonObject] = []
        """Those of which every version is disabled, in wire form. As long as nothing changes it is the same list."""

        self._rows: dict[tuple[str, str], CapabilityRow] = {}
        self._highest: dict[str, CapabilityRow] = {}
        self._versions: dict[str, list[CapabilityRow]] = {}
        self._by_queue: dict[str, CapabilityRow] = {}

    async def current(self) -> list[JsonObject]:
        """The highest version of each that is not disabled, in wire form; fetched again where the list is too old."""
        await self.fresh()
        return self._listed

    async def find(self, capability_id: str, version: str | None) -> CapabilityRow | None:
        """This version, or the highest one where that is gone or none is named; None for an unknown capability."""
        await self.fresh()
        return self.known_version(capability_id, version)

    def known_version(self, capability_id: str, version: str | None) -> CapabilityRow | None:
        """The same from the list at hand, however old it is."""
        row = self._rows.get((capability_id, version)) if version is not None else None
        return row or self._highest.get(capability_id)

    def registered(self, capability_id: str, version: str | None) -> CapabilityRow | None:
        """This version, or any where none is named, also where it is disabled; None where it is not registered."""
        if version is not None:
            return self._rows.get((capability_id, version))
        return self._highest.get(capability_id) or next(iter(self.versions(capability_id)), None)

    def versions(self, capability_id: str) -> list[CapabilityRow]:
        """Every registered version of a capability, the highest first, also those that are disabled."""
        return self._versions.get(capability_id, [])

    def of_queue(self, queue: str) -> CapabilityRow | None:
        """The highest version of the capability whose workers serve this queue; None where there is none in use."""
        return self._by_queue.get(queue)

    async def _fetch(self) -> None:
        rows = await capability_rows(self._store, seen_within_seconds=self._seen_within_seconds)
        self._rows = {(row.capability_id, row.version): row for row in rows}
        self._versions = {}
        for row in rows:
            self._versions.setdefault(row.capability_id, []).append(row)
        self._highest = highest_rows(rows)
        registered = {capability_id: row.to_wire() for capability_id, row in self._highest.items()}
        self._by_queue = {
            node_queue(worker_queue(row.capability_id)): row
            for row in self._highest.values()
            if row.home == "worker"
        }
        listed = list({**self._known, **registered}.values())
        if listed != self._listed:
            self._listed = listed
        disabled = [
            versions[0].to_wire()
            for capability_id, versions in self._versions.items()
            if capability_id not in registered and capability_id not in self._known
        ]
        if disabled != self.disabled:
            self.disabled = disabled
