"""Why there is no plan: for each facet that is missing, what needs it and which capability would give it, and when."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from planner.derive.offers import Offer, givers_of
from planner.derive.world import World
from planner.findings import no_giver
from planner.planner import JsonObject, diagnostic
from schemas import pointer

FACET_MISSING = "facet_missing"
FACET_UNAVAILABLE = "facet_unavailable"
_MAX_NAMED = 5


@dataclass(slots=True)
class Missing:
    """Finds the reasons. `reachable` are the facets that can be had."""

    world: World
    reachable: Collection[str]

    def reasons(self, facet: str, place: str) -> list[JsonObject]:
        """Why this facet, which is asked for at `place` of the envelope, cannot be had."""
        return [*self._root(facet, place), *self.on_the_way([facet])]

    def on_the_way(self, facets: Iterable[str]) -> list[JsonObject]:
        """A diagnostic for each facet that is lacking on every way to these."""
        needs: dict[str, list[str]] = {}
        for facet in facets:
            for offer, lacking in self._blocked(givers_of(facet, self.world.offers)):
                words = f"{offer.capability_id} needs it to give {' and '.join(offer.gives)}"
                found = needs.setdefault(lacking, [])
                if words not in found:
                    found.append(words)
        return [self._lacking(facet, words) for facet, words in needs.items()]

    def _root(self, facet: str, place: str) -> Iterator[JsonObject]:
        givers = givers_of(facet, self.world.offers)
        if not givers:
            given = {name for each in self.world.offers for name in each.gives}
            yield {**diagnostic(FACET_UNAVAILABLE, no_giver(facet, given), place), "facet": facet}
            return
        stopped = [each for each in givers if each.capability_id in self.world.unusable]
        if stopped:
            message = f"The facet {facet!r} is missing. It would be given by {self._would(stopped)}."
            yield {
                **diagnostic(FACET_MISSING, message, self._place(stopped, place)),
                "facet": facet,
                "wouldGive": _wire(stopped, self.world),
            }

    def _place(self, stopped: Sequence[Offer], place: str) -> str:
        return "/inputs" if any(not each.barred and each.needs_inputs for each in stopped) else place

    def _blocked(self, givers: Sequence[Offer]) -> Iterator[tuple[Offer, str]]:
        """Each capability on a way to these, with each facet that it lacks; a facet is followed once."""
        waiting = list(givers)
        seen = {each.capability_id for each in givers}
        while waiting:
            offer = waiting.pop(0)
            for facet in offer.needs:
                if facet in self.reachable:
                    continue
                yield offer, facet
                further = [
                    each for each in givers_of(facet, self.world.offers) if each.capability_id not in seen
                ]
                seen.update(each.capability_id for each in further)
                waiting += further

    def _lacking(self, facet: str, words: Sequence[str]) -> JsonObject:
        givers = givers_of(facet, self.world.offers)
        help_ = (
            f"It would be given by {self._would(givers)}"
            if givers
            else f"No registered capability gives it; put it into inputs.facets.{facet}"
        )
        message = f"The facet {facet!r} is missing: {'; '.join(words[:_MAX_NAMED])}. {help_}."
        place = pointer.build(("inputs", "facets", facet))
        return {
            **diagnostic(FACET_MISSING, message, place),
            "facet": facet,
            "neededBy": list(words[:_MAX_NAMED]),
            "wouldGive": _wire(givers, self.world),
        }

    def _would(self, givers: Sequence[Offer]) -> str:
        """The capabilities, each with what keeps it from giving it."""
        return "; ".join(
            f"{each.capability_id}, but {self.world.unusable[each.capability_id]}"
            if each.capability_id in self.world.unusable
            else f"{each.capability_id}, which lacks something itself"
            for each in givers[:_MAX_NAMED]
        )


def _wire(givers: Sequence[Offer], world: World) -> list[JsonObject]:
    return [
        {
            "capabilityId": each.capability_id,
            "because": world.unusable.get(each.capability_id)
            or f"it needs {', '.join(each.needs)}, which is not all there",
        }
        for each in givers[:_MAX_NAMED]
    ]
