"""Where the facets of a proposed node come from: the nodes that it depends on, else the envelope."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from planner.derive.assemble import Made
from planner.derive.offers import Offer, givers_of
from planner.derive.world import World
from planner.model.proposal import ProposedNode
from planner.planner import JsonObject, diagnostic
from runs.facet_sources import from_node
from schemas import pointer

FACET_MISSING = "facet_missing"
FACET_AMBIGUOUS = "facet_ambiguous"
_MAX_NAMED = 10


@dataclass(slots=True)
class Wired:
    """A proposed node with its offer, and what was found for it."""

    node: ProposedNode
    offer: Offer
    facets: JsonObject = field(default_factory=dict[str, "list[JsonObject] | JsonObject"])


@dataclass(frozen=True, slots=True)
class Wiring:
    """The proposed nodes by id, all of capabilities that may be used."""

    nodes: dict[str, Wired]
    world: World
    given: dict[str, Sequence[JsonObject]]

    def source(self, node_id: str, facet: str) -> JsonObject:
        """Where this node has the facet that it gives."""
        several = len(self.nodes[node_id].offer.gives) > 1
        return from_node(node_id, pointer.build((facet,)) if several else "")

    def gives(self, node_id: str, facet: str) -> bool:
        """Whether there is such a node, and it gives the facet."""
        return node_id in self.nodes and facet in self.world.gives(self.nodes[node_id].offer)

    def givers(self, facet: str) -> list[str]:
        """The nodes that give the facet, in the order of the proposal."""
        return [each for each in self.nodes if self.gives(each, facet)]

    def wire(self, at: int, wired: Wired) -> Iterator[JsonObject]:
        """Find the facets of the node at this place of the proposal; what is wrong with it, as diagnostics."""
        place = f"/nodes/{at}/dependsOn"
        for facet in (*wired.offer.needs, *wired.offer.may_take):
            made = [each for each in dict.fromkeys(wired.node.depends_on) if self.gives(each, facet)]
            sources = [self.source(each, facet) for each in made] or list(self.given.get(facet, ()))
            if facet in wired.offer.many:
                if sources:
                    wired.facets[facet] = sources
            elif len(made) > 1:
                message = f"{wired.offer.capability_id} takes one {facet}; {', '.join(made)} all give it."
                yield diagnostic(FACET_AMBIGUOUS, message, place)
            elif sources:
                wired.facets[facet] = sources[0]
            if not sources and facet in wired.offer.needs:
                message = f"{wired.offer.capability_id} takes {facet}, which no node in its dependsOn gives. "
                yield diagnostic(FACET_MISSING, message + self.hint(facet), place)

    def hint(self, facet: str) -> str:
        """Which nodes of the plan give the facet, or else which capabilities would."""
        if nodes := self.givers(facet):
            return f"Nodes that give it: {_named(nodes)}."
        usable = [each for each in givers_of(facet, self.world.offers) if self.world.reason(each) is None]
        return f"Capabilities that give it: {_named([each.capability_id for each in usable]) or 'none'}."

    def last_givers(self, facet: str) -> list[str]:
        """The nodes that give the facet and whose facet no other of them has worked on."""
        givers = self.givers(facet)
        return [
            each
            for each in givers
            if not any(each in self.nodes[other].node.depends_on for other in givers if other != each)
        ]

    def made(self, facet: str, nodes: Sequence[str]) -> Made:
        """These nodes as what makes the facet."""
        return Made(tuple(self.source(each, facet) for each in nodes), tuple(nodes))


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return ", ".join(names[:_MAX_NAMED]) + more
