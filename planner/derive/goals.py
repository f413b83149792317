"""From the contract of an envelope to what the search has to reach."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from planner.derive.asked import Asked
from planner.derive.derivation import Derivation, makeable, reachable
from planner.derive.free_text import check_format, free_text_goal, spoken_words
from planner.derive.goal import Goal, GoalUnmet, Part, Slot, filled
from planner.derive.places import UNSATISFIABLE
from planner.derive.schema_goal import SchemaGoal
from planner.derive.schema_places import Matcher
from planner.derive.shaped import Shaped, Shaping
from planner.derive.words import words_of
from planner.derive.world import World
from planner.mapping.flat import Budget
from planner.planner import JsonObject, PlanRefused
from planner.text import as_object
from runs.composition import referenced_nodes
from runs.facet_sources import INPUT_KEY, value_at


def goals(derivation: Derivation, world: World) -> tuple[Goal, Shaped | None]:
    """What the search has to reach: by the names that facets have for callers, else by what can be proved.

    Raises GoalUnmet, PlanRefused, TooComplex.
    """
    facets = reachable(derivation, world)
    if derivation.contract.mode == "facets":
        return _facets_goal(derivation, world.copies), None
    check_format(derivation.contract)
    refused: PlanRefused | None = None
    items = _items(derivation, world)
    for item in items:
        try:
            shaped = _shaping(derivation, facets, item).agree(derivation.wanted)
        except PlanRefused as caught:
            refused = refused or caught
        else:
            return shaped.goal, shaped
    try:
        goal = proved_goal(derivation, world)
    except GoalUnmet as unmet:
        if refused is not None:
            raise _by_names(refused, unmet) from None
        raise
    meant = derivation.contract.wire.get("hints") or not set(items) & set(goal.facets)
    if refused is not None and not meant:
        raise refused
    return goal, None


def _by_names(refused: PlanRefused, unmet: GoalUnmet) -> PlanRefused | GoalUnmet:
    """What is said where neither way leads on: what names say. Another number of variants is for the caller to settle;
    what nothing gives may still be made by a transformation."""
    if any(each["code"] != UNSATISFIABLE for each in refused.diagnostics):
        return refused
    return GoalUnmet(unmet.unmet, refused)


def _items(derivation: Derivation, world: World) -> list[str]:
    """The same, those in front of which the envelope speaks most."""
    found = makeable(derivation, world)
    if len(found) < 2:
        return found
    spoken = spoken_words(derivation.envelope, derivation.contract)
    named = {each: words_of(each, derivation.catalogue.schemas[each]).names for each in found}
    return sorted(found, key=lambda each: (-len(named[each] & spoken), each))


def _shaping(derivation: Derivation, facets: Collection[str], item: str) -> Shaping:
    values = {each: _value(derivation, Part(each)) for each in derivation.given}
    return Shaping(
        contract=derivation.contract,
        envelope=derivation.envelope,
        run_id=derivation.context.run_id,
        catalogue=derivation.catalogue,
        facets=facets,
        values=values,
        instructions=derivation.instructions,
        item=item,
    )


def proved_goal(derivation: Derivation, world: World, asked: Asked | None = None) -> Goal:
    """What can be proved from the schemas; what cannot is `asked`. Raises GoalUnmet, TooComplex."""
    contract = derivation.contract
    facets = reachable(derivation, world)
    if contract.mode == "freeform":
        return free_text_goal(derivation.envelope, contract, derivation.catalogue, world.offers, facets)
    budget = Budget()
    known = frozenset(facet for each in world.offers for facet in each.gives)
    reader = SchemaGoal(
        schema=contract.schema,
        schema_path=contract.schema_path,
        matcher=Matcher(contract.schema, derivation.catalogue, facets, budget),
        wider=Matcher(contract.schema, derivation.catalogue, known - facets, budget),
        inputs=derivation.inputs,
        hints=as_object(contract.wire.get("hints")),
        copies=derivation.copies,
        budget=budget,
        asked=asked,
    )
    return _handed_on(derivation, reader.read())


def _facets_goal(derivation: Derivation, copies: int) -> Goal:
    """What the inputs have is not made again, except where nothing else is asked for."""
    wanted = derivation.contract.facets
    handed = {each for each in wanted if each in derivation.given and not _holds_references(derivation, each)}
    if len(handed) == len(wanted):
        handed = set[str]()
    template: JsonObject = {
        each: _value(derivation, Part(each))
        if each in handed
        else Slot((Part(each, anew=each in derivation.given),))
        for each in wanted
    }
    return Goal(template, tuple(wanted), copies)


def _handed_on(derivation: Derivation, goal: Goal) -> Goal:
    """The goal with what the inputs have in its places; all of it made anew where nothing else would be made."""
    given = {
        slot: slot.options[0]
        for slot in goal.slots
        if slot.options[0].facet in derivation.given
        and not _holds_references(derivation, slot.options[0].facet)
    }
    anew = len(given) == len(goal.slots)
    fill: dict[Slot, Any] = {}
    for slot in goal.slots:
        if slot in given and not anew:
            fill[slot] = _value(derivation, given[slot])
        else:
            options = tuple(replace(each, anew=each.facet in derivation.given) for each in slot.options)
            fill[slot] = Slot(options)
    return replace(goal, template=filled(goal.template, fill))


def _value(derivation: Derivation, part: Part) -> Any:
    place = derivation.given[part.facet][0][INPUT_KEY] + part.place
    return next(iter(value_at(derivation.inputs, place)), None)


def _holds_references(derivation: Derivation, facet: str) -> bool:
    """A value in which a key looks like a reference of a composition cannot be handed on."""
    return bool(referenced_nodes(_value(derivation, Part(facet))))
