"""The registered capabilities, fetched from the registry when the list is too old."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import structlog

from eventstore.capabilities import list_capabilities
from eventstore.errors import StoreUnavailable
from eventstore.store import EventStore
from planner.planner import JsonObject

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("planner")


class CapabilityCache:
    """The registered descriptors, at most `fresh_seconds` old, and those that this process knows without the registry.

    While the database does not answer, the last known list stays in use.
    """

    def __init__(
        self,
        store: EventStore,
        known: Iterable[JsonObject] = (),
        *,
        fresh_seconds: float = 5.0,
        seen_within_seconds: float | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._known = {str(each.get("id")): each for each in known}
        self._fresh_seconds = fresh_seconds
        self._seen_within_seconds = seen_within_seconds
        self._monotonic = monotonic
        self._listed = list(self._known.values())
        self._fresh_until = 0.0

    async def current(self) -> list[JsonObject]:
        """The list, fetched again where it is too old."""
        if self._monotonic() >= self._fresh_until:
            await self.refresh()
        return self._listed

    async def refresh(self) -> None:
        """Ask the registry now."""
        try:
            rows = await list_capabilities(self._store, seen_within_seconds=self._seen_within_seconds)
        except StoreUnavailable as outage:
            self._store.outage.failed("capability list", outage.reason, on_demand=True)
        else:
            registered = {str(row["id"]): row for row in rows}
            self._listed = list({**self._known, **registered}.values())
        self._fresh_until = self._monotonic() + self._fresh_seconds
