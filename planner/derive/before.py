"""What there is of the plan before this one: completed nodes, and the facets that they have made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from planner.derive.catalogue import Catalogue
from planner.planner import JsonObject
from runs.replans import MADE_KEY, TAKEN_KEY


@dataclass(frozen=True, slots=True)
class Before:
    """Reads the ground of a plan (see `runs.replans.ground_of`); there is nothing in that of a first plan."""

    ground: JsonObject

    @property
    def nodes(self) -> Mapping[str, JsonObject]:
        """The completed nodes in wire form, each after those it depends on."""
        return {each["id"]: each for each in self.ground.get("nodes", ())}

    @property
    def facets(self) -> Mapping[str, Sequence[JsonObject]]:
        """Facet → the sources of it."""
        return self.ground.get(MADE_KEY) or {}

    def known_by(self, catalogue: Catalogue) -> Catalogue:
        """The catalogue with the facets that only capabilities give which are registered no more."""
        nodes = self.nodes
        unknown = {
            facet: sources
            for facet, sources in self.facets.items()
            if facet not in catalogue.schemas and sources and not sources[0].get("$pointer")
        }
        schemas = {
            facet: nodes[sources[0]["$node"]]["contract"].get("output", True)
            for facet, sources in unknown.items()
        }
        many = {facet for facet, sources in unknown.items() if len(sources) > 1}
        return Catalogue({**schemas, **catalogue.schemas}, catalogue.many | many)

    def took(self, node_id: str) -> Sequence[str] | None:
        """The facets that a node of this name took; None where there was none."""
        taken: Mapping[str, Sequence[str]] = self.ground.get(TAKEN_KEY) or {}
        return taken.get(node_id)

    def placed(self, node_ids: Iterable[str]) -> list[JsonObject]:
        """Those of these nodes that are completed, and all that they depend on, in order."""
        nodes = self.nodes
        waiting: list[Any] = [each for each in node_ids if each in nodes]
        found = set(waiting)
        while waiting:
            needs = [each for each in nodes[waiting.pop()]["dependsOn"] if each not in found]
            found.update(needs)
            waiting += needs
        return [node for node_id, node in nodes.items() if node_id in found]
