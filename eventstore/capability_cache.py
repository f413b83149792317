"""The registered capabilities as this process knows them: fetched when the registry has changed, or grows too old."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from eventstore.capabilities import CapabilityRow, capability_rows, highest_rows
from eventstore.listener import LogListener
from eventstore.registry_copy import RegistryCopy
from eventstore.store import EventStore
from eventstore.tenancy import EVERY_TENANT, scope, sees_shared
from runs.event import JsonObject
from runs.outstanding import node_queue
from schemas.capability import worker_queue
from schemas.tenant import DEFAULT_TENANT


@dataclass(frozen=True, slots=True)
class _View:
    """What one tenant may use of the rows that it was made of (`of`), in wire form."""

    of: Mapping[tuple[str, str], CapabilityRow]
    listed: list[JsonObject]
    disabled: list[JsonObject]

    @classmethod
    def made(
        cls,
        of: Mapping[tuple[str, str], CapabilityRow],
        rows: Iterable[CapabilityRow],
        known: Mapping[str, JsonObject],
        before: _View | None,
    ) -> _View:
        """The view of these rows, with the lists of the one before where they say the same."""
        seen = list(rows)
        registered = {capability_id: row.to_wire() for capability_id, row in highest_rows(seen).items()}
        listed = list({**known, **registered}.values())
        first = {row.capability_id: row for row in reversed(seen)}
        disabled = [
            row.to_wire()
            for each, row in sorted(first.items())
            if each not in registered and each not in known
        ]
        if before is not None:
            listed = before.listed if before.listed == listed else listed
            disabled = before.disabled if before.disabled == disabled else disabled
        return cls(of, listed, disabled)


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
        self._views: dict[str, _View] = {}
        """By tenant; those without capabilities of their own share the view of the default one."""

        self._owners: frozenset[str] = frozenset()
        self._rows: dict[tuple[str, str], CapabilityRow] = {}
        self._highest: dict[str, CapabilityRow] = {}
        self._versions: dict[str, list[CapabilityRow]] = {}
        self._by_queue: dict[str, CapabilityRow] = {}

    async def current(self, tenant: str | None = None) -> list[JsonObject]:
        """The highest version of each that is not disabled, in wire form; fetched again where the list is too old.

        Those that a tenant may use, which is the one that is worked for where none is named: its own and those of the
        default one. As long as nothing changes it is the same list.
        """
        await self.fresh()
        return self._view(tenant).listed

    def disabled(self, tenant: str | None = None) -> list[JsonObject]:
        """Those of which every version is disabled, likewise."""
        return self._view(tenant).disabled

    def _view(self, tenant: str | None) -> _View:
        asked = scope() if tenant is None else tenant
        named = asked if asked == EVERY_TENANT or asked in self._owners else DEFAULT_TENANT
        view = self._views.get(named)
        if view is None or view.of is not self._rows:
            rows = [row for row in self._rows.values() if sees_shared(row.tenant, named)]
            view = self._views[named] = _View.made(self._rows, rows, self._known, view)
        return view

    async def find(self, capability_id: str, version: str | None) -> CapabilityRow | None:
        """This version, or the highest one where that is gone or none is named; None for an unknown capability."""
        await self.fresh()
        row = self.known_version(capability_id, version)
        return row if row is not None and sees_shared(row.tenant) else None

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
        self._owners = frozenset(row.tenant for row in rows)
        self._by_queue = {
            node_queue(worker_queue(row.capability_id)): row
            for row in self._highest.values()
            if row.home == "worker"
        }
