"""The facets as this process knows them: those that are shipped, and those that were registered."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from eventstore.facets import facet_rows, highest_facets
from eventstore.registry_copy import RegistryCopy
from schemas.facets import FACETS, Facet


class FacetCache(RegistryCopy):
    """The highest version of each facet, by name."""

    part = "facets"

    _known: Mapping[str, Facet] = FACETS

    async def current(self) -> Mapping[str, Facet]:
        """The facets, fetched again where they are too old. As long as none changes it is the same object."""
        await self.fresh()
        return self._known

    async def _fetch(self) -> None:
        known = highest_facets(FACETS.values(), await facet_rows(self._store))
        if known != self._known:
            self._known = MappingProxyType(known)
