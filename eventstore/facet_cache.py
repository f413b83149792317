"""The facets as this process knows them: those that are shipped, and those that were registered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from eventstore.facets import FacetRow, facet_rows, highest_facets
from eventstore.registry_copy import RegistryCopy
from eventstore.tenancy import EVERY_TENANT, scope, sees_shared
from schemas.facets import FACETS, Facet
from schemas.tenant import DEFAULT_TENANT


class FacetCache(RegistryCopy):
    """The highest version of each facet, by name."""

    part = "facets"

    _rows: Sequence[FacetRow] = ()
    _known: Mapping[str, Mapping[str, Facet]] = MappingProxyType({})
    """By tenant; those without facets of their own share what the default one has."""

    async def current(self, tenant: str | None = None) -> Mapping[str, Facet]:
        """The facets that a tenant may use, which is the one that is worked for where none is named: its own, and those
        of the default one. As long as none changes it is the same object.
        """
        await self.fresh()
        asked = scope() if tenant is None else tenant
        return self._known.get(asked) or self._known.get(DEFAULT_TENANT, FACETS)

    async def _fetch(self) -> None:
        rows = await facet_rows(self._store)
        if self._known and rows == self._rows:
            return
        self._rows = rows
        views = {
            each: self._view(each) for each in {EVERY_TENANT, DEFAULT_TENANT, *(row.tenant for row in rows)}
        }
        known = dict(self._known)
        self._known = {
            tenant: known[tenant] if known.get(tenant) == view else view for tenant, view in views.items()
        }

    def _view(self, tenant: str) -> Mapping[str, Facet]:
        seen = [row for row in self._rows if sees_shared(row.tenant, tenant)]
        known = highest_facets(FACETS.values(), seen)
        return FACETS if known == FACETS else MappingProxyType(known)
