"""Facets that callers and files have registered, beside those that are shipped (`schemas/facets.py`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from eventstore.store import EventStore
from eventstore.tenancy import EVERY_TENANT, working_for
from runs.event import JsonObject
from schemas.capability import version_order
from schemas.facets import Facet
from schemas.tenant import DEFAULT_TENANT


@dataclass(frozen=True, slots=True)
class FacetRow:
    """A version of a facet. `source` says who registered it: `api`, `file`, or the `code` of an executor."""

    name: str
    version: str
    description: str
    schema: JsonObject
    many: bool
    source: str
    registered_at: datetime
    tenant: str = DEFAULT_TENANT

    @property
    def facet(self) -> Facet:
        return Facet(self.name, self.description, self.schema, self.many, self.version)


async def facet_rows(store: EventStore) -> list[FacetRow]:
    """Every version of every registered facet that the tenant may use that is worked for: its own and those of all.

    By name, the highest version of each first.
    """
    rows = await store.select(FacetRow, "facets/list", {})
    rows.sort(key=lambda row: version_order(row.version), reverse=True)
    rows.sort(key=lambda row: row.name)
    return rows


async def add_facet(
    store: EventStore, facet: Facet, source: str, after: Sequence[str] = (), tenant: str = DEFAULT_TENANT
) -> bool:
    """Register a version of a facet; False where it, or one that is not among `after`, is registered already."""
    parameters = {
        "name": facet.name,
        "version": facet.version,
        "description": facet.description,
        "schema": orjson.dumps(facet.schema).decode(),
        "many": facet.many,
        "source": source,
        "after": list(after),
        "tenant": tenant,
    }
    with working_for(EVERY_TENANT):  # a name is taken once, whoever asks
        return bool(await store.fetch("facets/add", parameters))


async def offer_facet(store: EventStore, facet: Facet) -> None:
    """Register what loaded code says of a facet. What callers and files have registered stays as it is."""
    parameters = {
        "name": facet.name,
        "version": facet.version,
        "description": facet.description,
        "schema": orjson.dumps(facet.schema).decode(),
    }
    await store.fetch("facets/offer", parameters)


def highest_facets(shipped: Iterable[Facet], rows: Iterable[FacetRow]) -> dict[str, Facet]:
    """The highest version of each facet, by name in the order of names."""
    highest: dict[str, Facet] = {}
    for facet in (*shipped, *(row.facet for row in rows)):
        known = highest.get(facet.name)
        if known is None or version_order(facet.version) > version_order(known.version):
            highest[facet.name] = facet
    return dict(sorted(highest.items()))
