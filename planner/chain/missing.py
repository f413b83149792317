"""Why there is no chain: for each facet that is missing, what needs it and which capability would give it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from planner.chain.makers import Maker, Makers
from planner.contract import Contract
from planner.findings import no_giver
from planner.planner import JsonObject, diagnostic
from schemas import pointer

FACET_MISSING = "facet_missing"
FACET_UNAVAILABLE = "facet_unavailable"
_MAX_NAMED = 5


def missing(unmet: Sequence[str], makers: Makers, contract: Contract) -> list[JsonObject]:
    """A diagnostic for each facet of the contract that nothing gives, and for each that is missing on the way."""
    found: list[JsonObject] = []
    on_the_way: dict[str, list[str]] = {}
    for facet in unmet:
        givers = makers.givers(facet)
        place = (
            f"/outputContract/facets/{contract.facets.index(facet)}"
            if contract.facets
            else contract.schema_path
        )
        if not givers:
            given = {name for maker in makers.all for name in maker.gives}
            found.append(diagnostic(FACET_UNAVAILABLE, no_giver(facet, given), place))
        for maker, lacking in _blocked(givers, makers):
            on_the_way.setdefault(lacking, []).append(_need(maker, lacking))
        if givers and not any(_lacks(each, makers) for each in givers):
            found.append(diagnostic(FACET_MISSING, _inputs_lack(givers[0], makers), "/inputs"))
    found += [_on_the_way(facet, needs, makers) for facet, needs in on_the_way.items()]
    return found


def _blocked(givers: Sequence[Maker], makers: Makers) -> Iterator[tuple[Maker, str]]:
    """Each capability on a way to these, with each facet that it lacks; a facet is followed once."""
    waiting = list(givers)
    seen = {each.capability_id for each in givers}
    while waiting:
        maker = waiting.pop(0)
        for facet in _lacks(maker, makers):
            yield maker, facet
            further = [each for each in makers.givers(facet) if each.capability_id not in seen]
            seen.update(each.capability_id for each in further)
            waiting += further


def _lacks(maker: Maker, makers: Makers) -> list[str]:
    return [each for each in maker.needs if each not in makers.given and makers.cheapest(each) is None]


def _need(maker: Maker, facet: str) -> str:
    return f"{maker.capability_id} needs it to give {' and '.join(maker.gives)}"


def _on_the_way(facet: str, needs: Sequence[str], makers: Makers) -> JsonObject:
    givers = makers.givers(facet)
    names = ", ".join(each.capability_id for each in givers[:_MAX_NAMED])
    help_ = (
        f"It would be given by {names}, which lacks something itself"
        if givers
        else f"No registered capability gives it; put it into inputs.facets.{facet}"
    )
    message = f"The facet {facet!r} is missing: {'; '.join(needs[:_MAX_NAMED])}. {help_}."
    return diagnostic(FACET_MISSING, message, pointer.build(("inputs", "facets", facet)))


def _inputs_lack(maker: Maker, makers: Makers) -> str:
    lacking = ", ".join(sorted(maker.needs_inputs - makers.inputs))
    return (
        f"{maker.capability_id}, which would give {' and '.join(maker.gives)}, needs these inputs: {lacking}."
    )
