"""The facets as this process knows them: those that are shipped, and those that were registered."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType

from eventstore.errors import StoreUnavailable
from eventstore.facets import facet_rows, highest_facets
from eventstore.listener import LogListener
from eventstore.store import EventStore
from schemas.facets import FACETS, Facet


class FacetCache:
    """The highest version of each facet by name, at most `fresh_seconds` old.

    With a listener a change is seen at once. While the database does not answer, the last known ones stay in use.
    """

    def __init__(
        self,
        store: EventStore,
        *,
        listener: LogListener | None = None,
        fresh_seconds: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._fresh_seconds = fresh_seconds
        self._monotonic = monotonic
        self._known: Mapping[str, Facet] = FACETS
        self._fresh_until = 0.0
        if listener is not None:
            listener.on_registry(self._changed)

    async def current(self) -> Mapping[str, Facet]:
        """The facets, fetched again where they are too old. As long as none changes it is the same object."""
        if self._monotonic() >= self._fresh_until:
            await self.refresh()
        return self._known

    async def refresh(self) -> None:
        """Ask the database now."""
        self._fresh_until = self._monotonic() + self._fresh_seconds
        try:
            rows = await facet_rows(self._store)
        except StoreUnavailable as outage:
            self._store.outage.failed("facet list", outage.reason, on_demand=True)
            return
        known = highest_facets(FACETS.values(), rows)
        if known != self._known:
            self._known = MappingProxyType(known)

    def _changed(self, names: set[str] | None) -> None:
        if names is None or "facets" in names:
            self._fresh_until = 0.0
