"""Capabilities that an executor calls somewhere else: made from what the registry says of them, and made once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog
from pydantic import ValidationError

from eventstore.capabilities import CapabilityRow
from eventstore.capability_cache import CapabilityCache
from executor.capability import Capability
from runs.event import JsonObject
from schemas.capability import CapabilityDescriptor
from schemas.same_contract import can_stand_in

Connect = Callable[[CapabilityDescriptor], Capability]
"""Makes what calls a capability of one type of home."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class RemoteCapabilities:
    """The registered capabilities whose home is one of `homes`, by id and version."""

    def __init__(self, cache: CapabilityCache, homes: Mapping[str, Connect]) -> None:
        self._cache = cache
        self._homes = homes
        self._connected: dict[tuple[str, str], tuple[JsonObject, Capability | None]] = {}

    def freshen(self) -> None:
        """Fetch the registry in the background where the list at hand is too old, and whenever it changes."""
        self._cache.freshen()

    async def fresh(self) -> None:
        """Wait until the list at hand is no longer too old."""
        await self._cache.fresh()

    async def refresh(self) -> None:
        """Fetch the registry now."""
        await self._cache.refresh()

    def row(self, capability_id: str, version: str | None) -> CapabilityRow | None:
        """What the registry knows of a version, or of the highest one; it need not be one that is called here."""
        return self._cache.known_version(capability_id, version)

    def can_stand_in(self, capability_id: str, version: str, other: CapabilityDescriptor) -> bool:
        """Whether another version can do what was planned for this one, which may be registered no more."""
        planned = self._cache.registered(capability_id, version)
        return planned is None or can_stand_in(planned.descriptor, other.registered())

    def find(self, capability_id: str, version: str | None) -> Capability | None:
        """What calls this version, or the highest one where that is gone; None where this process cannot call it."""
        row = self._cache.known_version(capability_id, version)
        if row is not None and row.home not in self._homes and row.status == "silent":
            row = self._standing_in(row)
        if row is None or row.disabled or row.home not in self._homes:
            return None
        key = (row.capability_id, row.version)
        known = self._connected.get(key)
        if known is None or known[0] != row.descriptor:
            known = self._connected[key] = (row.descriptor, self._connect(row))
        return known[1]

    def _standing_in(self, planned: CapabilityRow) -> CapabilityRow | None:
        """The highest version, where it can do what no process serves any more."""
        other = self._cache.known_version(planned.capability_id, None)
        if other is None or not can_stand_in(planned.descriptor, other.descriptor):
            return None
        return other

    def _connect(self, row: CapabilityRow) -> Capability | None:
        try:
            descriptor = CapabilityDescriptor.model_validate(row.descriptor, by_alias=True, by_name=False)
        except ValidationError as error:
            _log.error("descriptor_unreadable", capability_id=row.capability_id, errors=error.error_count())
            return None
        return self._homes[row.home](descriptor)
