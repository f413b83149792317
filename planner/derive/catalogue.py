"""The schemas of facets, as far as they are known: of the run, of the registry, of what ships, of who gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planner.planner import JsonObject
from planner.text import as_list
from schemas.facets import FACETS


@dataclass(frozen=True, slots=True)
class Catalogue:
    """`schemas` by facet; `many` are the facets of which a run may make several."""

    schemas: Mapping[str, Any]
    many: frozenset[str]

    def schema_of(self, facet: str) -> Any:
        """True, which accepts everything, where none is known."""
        return self.schemas.get(facet, True)


def read_catalogue(registered: Mapping[str, JsonObject], descriptors: Mapping[str, JsonObject]) -> Catalogue:
    """What is known of every facet. The `outputSchema` of a capability that gives one facet is that facet's schema,
    where no schema is registered for it and all that give it say the same."""
    schemas: dict[str, Any] = {name: facet.schema for name, facet in FACETS.items()}
    many = {name for name, facet in FACETS.items() if facet.many}
    said: dict[str, list[Any]] = {}
    for _, descriptor in sorted(descriptors.items()):
        gives = as_list(descriptor.get("facetsOut"))
        for facet in gives:
            schema = descriptor.get("outputSchema") if len(gives) == 1 else None
            said.setdefault(str(facet), []).append(schema)
    for facet, found in said.items():
        if facet not in schemas and found[0] is not None and all(each == found[0] for each in found):
            schemas[facet] = found[0]
    for name, facet in registered.items():
        schemas[name] = facet["schema"]
        (many.add if facet.get("many") else many.discard)(name)
    return Catalogue(schemas, frozenset(many))
