"""Functions of authors that an executor runs: importing them, and registering the facets that they bring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from eventstore.facets import FacetRow, facet_rows, offer_facet
from eventstore.store import EventStore
from executor.capability import Capability
from executor.loading import LoadFailed, load
from executor.threads import run_in_thread
from flexrun.settings import Settings
from schemas.facets import FACETS, Facet

if TYPE_CHECKING:
    from flexrun_sdk import CapabilityFunction


async def load_functions(settings: Settings) -> list[CapabilityFunction]:
    """Import what `load` names, and what installed packages offer. Raises LoadFailed."""
    return await run_in_thread(load, settings.load)


async def offer_loaded(store: EventStore, functions: Sequence[CapabilityFunction]) -> list[Capability]:
    """Capabilities of the functions, once their facets are registered. Raises LoadFailed, ValueError."""
    from executor.homes.python import PythonCapability  # noqa: PLC0415 - only with loaded code

    made: list[Capability] = [PythonCapability(each) for each in functions]
    for facet in facets_to_offer(functions, await facet_rows(store)):
        await offer_facet(store, facet)
    return made


def facets_to_offer(functions: Sequence[CapabilityFunction], known: Sequence[FacetRow]) -> list[Facet]:
    """What the functions describe and nobody else does; the function that gives a facet before those that take it.

    Raises LoadFailed where one gives a facet in another shape than another one, or than it is registered with.
    """
    given: dict[str, Facet] = {}
    taken: dict[str, Facet] = {}
    for function in functions:
        for wire in function.facets:
            facet = Facet(wire["name"], wire["description"], wire["schema"], version=wire["version"])
            if facet.name not in function.facets_out:
                taken.setdefault(facet.name, facet)
                continue
            _require_same(facet, given.get(facet.name), f"by another capability than {function.id}")
            given[facet.name] = facet
    rows = [row for row in known if row.source != "code"]
    for row in rows:
        if row.name in given and given[row.name].version == row.version:
            _require_same(given[row.name], row.facet, f"by {row.source}")
    named = {row.name for row in known} | FACETS.keys() | given.keys()
    offered = [facet for facet in given.values() if facet.name not in FACETS]
    return offered + [facet for name, facet in taken.items() if name not in named]


def _require_same(facet: Facet, other: Facet | None, by: str) -> None:
    if other is not None and other.schema != facet.schema:
        raise LoadFailed(
            f"the facet {facet.name} {facet.version} has another shape here than the one that was registered {by};"
            " give it the same shape, or the capability that gives it a higher version"
        )
