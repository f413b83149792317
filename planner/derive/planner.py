"""From an envelope and what is registered to the cheapest plan that meets its contract, or to what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from planner.contract import Contract
from planner.derive.asked import Asked, free_transformations, with_asked, with_material
from planner.derive.budget import Spared, expected, to_spare
from planner.derive.derivation import Derivation, absent, read_derivation
from planner.derive.goal import Goal, GoalUnmet
from planner.derive.goals import goals, proved_goal
from planner.derive.missing import Missing
from planner.derive.nearest import without
from planner.derive.output import Writing
from planner.derive.shaped import Shaped
from planner.derive.world import World, wanted_of
from planner.mapping.flat import TooComplex
from planner.planner import JsonObject, PlanContext, PlanRefused, diagnostic
from planner.search.problem import reachable_facets, state_problem
from planner.search.search import Found, NotFound, search
from planner.text import as_object
from schemas.planner_policies import Optimisation

POLICY_UNSATISFIABLE = "policy_unsatisfiable"
PLAN_TOO_LARGE = "plan_too_large"
NEAREST_CONTRACT = "nearest_contract"


def derive_plan(
    envelope: JsonObject, descriptors: Mapping[str, JsonObject], context: PlanContext
) -> JsonObject:
    """The PlanGraph in wire form. Raises PlanRefused with everything that is missing."""
    derivation = read_derivation(envelope, descriptors, context)
    world = derivation.world(derivation.wanted.preferred[0])
    try:
        goal, shaped = goals(derivation, world)
    except GoalUnmet as unmet:
        plan = _transformed(derivation, world)
        if plan is None:
            raise _unmet(derivation, world, unmet) from None
        return plan
    except TooComplex:
        raise _too_complex(derivation) from None
    return _plan(derivation, world, goal, shaped)


@dataclass(frozen=True, slots=True)
class Statement:
    """What a contract asks for, and what there is for it."""

    derivation: Derivation
    world: World
    goal: Goal
    shaped: Shaped | None


def state(envelope: JsonObject, descriptors: Mapping[str, JsonObject], context: PlanContext) -> Statement:
    """What is to be planned, without free transformations. Raises PlanRefused where something is missing."""
    derivation = read_derivation(envelope, descriptors, context)
    world = derivation.world(derivation.wanted.preferred[0])
    try:
        goal, shaped = goals(derivation, world)
    except GoalUnmet as unmet:
        raise _unmet(derivation, world, unmet) from None
    except TooComplex:
        raise _too_complex(derivation) from None
    world = world if goal.copies == world.copies else derivation.world(goal.copies)
    return Statement(derivation, world, goal, shaped)


def _too_complex(derivation: Derivation) -> PlanRefused:
    message = "The contract unfolds into more schemas than the planner looks at; make it flatter."
    return PlanRefused([diagnostic("contract_too_complex", message, derivation.contract.schema_path)])


def _plan(derivation: Derivation, world: World, goal: Goal, shaped: Shaped | None = None) -> JsonObject:
    world = world if goal.copies == world.copies else derivation.world(goal.copies)
    found = _search(derivation, world, goal)
    return Writing(derivation, world, goal, found, shaped).plan()


def _unmet(derivation: Derivation, world: World, unmet: GoalUnmet) -> PlanRefused:
    if unmet.refused is not None:
        return unmet.refused
    lacking = absent(derivation)
    return PlanRefused(map(_no_giver, lacking)) if lacking else _refused(derivation, world, unmet)


def _transformed(derivation: Derivation, world: World) -> JsonObject | None:
    """The plan in which a transformation makes what no facet gives; None where there is none."""
    contract = derivation.contract
    free = free_transformations(derivation.offers, derivation.factory.descriptors)
    if contract.mode != "json_schema" or not free:
        return None
    asked = Asked(contract.schema)
    try:
        goal = proved_goal(derivation, world, asked)
        asking = replace(
            derivation,
            offers=with_material(derivation.offers, free, goal, derivation.catalogue.many),
            catalogue=with_asked(derivation.catalogue, asked),
        )
        return _plan(asking, asking.world(goal.copies), goal)
    except (GoalUnmet, PlanRefused, TooComplex):
        return None


def _search(derivation: Derivation, world: World, goal: Goal) -> Found:
    wanted, free = wanted_of(goal)
    if not wanted:
        message = "All that the contract asks for is in the inputs already; there is nothing to make."
        raise PlanRefused([diagnostic("contract_unsatisfiable", message, derivation.contract.schema_path)])
    aims = [*wanted, *world.required()]
    found = _checked(derivation, world, aims, free)
    if isinstance(found, NotFound):
        raise PlanRefused(_why_not(derivation, world, goal, found))
    for objective in to_spare(derivation.envelope, world, found):
        spared = _sparing(derivation, world, objective, aims, free)
        if isinstance(spared, Found) and not to_spare(derivation.envelope, world, spared):
            found = spared
            break
    most = derivation.policies.optimisation.max_tokens
    if most is None or (least := expected(world, found).tokens) <= most:
        return found
    found = _sparing(derivation, world, "token_efficiency", aims, free)
    if isinstance(found, Found) and (least := expected(world, found).tokens) <= most:
        return found
    message = (
        f"The plan with the fewest tokens takes {least:,} by what its capabilities say; {most:,} are allowed."
    )
    place = "/policies/planner/optimisation/maxTokens"
    raise PlanRefused([diagnostic(POLICY_UNSATISFIABLE, message, place)])


def _sparing(
    derivation: Derivation, world: World, objective: Spared, aims: Sequence[str], free: Sequence[Any]
) -> Found | NotFound:
    """The plan that is the cheapest by this objective, whatever the envelope optimises for."""
    optimisation = Optimisation(objective=objective)
    policies = derivation.policies.model_copy(update={"optimisation": optimisation})
    sparing = replace(derivation, policies=policies)
    return _checked(sparing, sparing.world(world.copies), aims, free)


def _checked(
    derivation: Derivation, world: World, wanted: Sequence[str], free: Sequence[Any]
) -> Found | NotFound:
    """The cheapest plan in which all that is made is looked at by the capabilities that are there for it."""
    reachable = reachable_facets(world.makers, derivation.given)
    checks: list[str] = []
    while True:  # each round adds a check, of which there are only as many as there are capabilities
        found = _cheapest(derivation, world, [*wanted, *checks], free)
        if isinstance(found, NotFound):
            return found
        more = [each for each in world.checks_of(found.makers, reachable) if each not in checks]
        if not more:
            return found
        checks += more


def _cheapest(
    derivation: Derivation, world: World, wanted: Sequence[str], free: Sequence[Any]
) -> Found | NotFound:
    problem = state_problem([*world.makers, *free], derivation.given, wanted)
    return search(problem, derivation.limits)


def _no_giver(facet: str) -> JsonObject:
    message = (
        f"No worker has registered a capability that gives the facet {facet!r}, of which the envelope speaks."
    )
    return diagnostic("capability_missing", message)


def _why_not(derivation: Derivation, world: World, goal: Goal, found: NotFound) -> list[JsonObject]:
    reachable = reachable_facets(world.makers, derivation.given)
    missing = Missing(world, reachable)
    reasons: list[JsonObject] = []
    for mark, place in world.required().items():
        if mark not in reachable:
            message = "No capability that the policy asks for can have a part in this plan."
            reasons.append(diagnostic(POLICY_UNSATISFIABLE, message, place))
    unmet: list[str] = []
    for slot in goal.slots:
        if all(each.wanted not in reachable for each in slot.options):
            facet = slot.options[0].facet
            unmet.append(facet)
            reasons += missing.reasons(facet, _place_of(derivation, goal, facet))
    if not reasons:
        reasons.append(_too_large(derivation, found))
    return [*_unique(reasons), *_nearest_facets(derivation, unmet)]


def _place_of(derivation: Derivation, goal: Goal, facet: str) -> str:
    contract = derivation.contract
    if facet in contract.facets:
        return f"/outputContract/facets/{contract.facets.index(facet)}"
    places = [place for place, matched in goal.matched.items() if matched.partition("#")[0] == facet]
    return contract.schema_path + (places[0] if places else "")


def _too_large(derivation: Derivation, found: NotFound) -> JsonObject:
    limits = derivation.limits
    bounds = {"nodes": limits.nodes, "nodes one after the other": limits.depth}
    asked = " and ".join(f"{most} {what}" for what, most in bounds.items() if most is not None)
    nodes = sum(each.nodes for each in found.beyond)
    beyond = f" A plan without this bound has {nodes} nodes." if found.beyond else ""
    proved = (
        "No plan has" if found.proved else "Within the effort that a search may take, no plan was found with"
    )
    message = f"{proved} at most {asked or 'as many nodes as there may be'}.{beyond}"
    return diagnostic(PLAN_TOO_LARGE, message, "/policies/planner/topology")


def _refused(derivation: Derivation, world: World, unmet: GoalUnmet) -> PlanRefused:
    missing = Missing(world, reachable_facets(world.makers, derivation.given))
    reasons: list[JsonObject] = []
    for each in unmet.unmet:
        would = f" It would be {' or '.join(each.lacking)}, which cannot be had." if each.lacking else ""
        reasons.append(diagnostic(each.code, each.message + would, each.path))
        reasons += [reason for facet in each.lacking for reason in missing.reasons(facet, each.path)]
    return PlanRefused([*_unique(reasons), *_nearest_schema(derivation, unmet)])


def _unique(reasons: Sequence[JsonObject]) -> list[JsonObject]:
    return list({(each["code"], each["path"], each["message"]): each for each in reasons}.values())


def _nearest_facets(derivation: Derivation, unmet: Sequence[str]) -> list[JsonObject]:
    left = [each for each in derivation.contract.facets if each not in unmet]
    if not unmet or not left:
        return []
    nearest = {"mode": "facets", "facets": left}
    message = f"A contract for {', '.join(left)} could be met."
    return [{**diagnostic(NEAREST_CONTRACT, message, "/outputContract"), "nearest": nearest}]


def _nearest_schema(derivation: Derivation, unmet: GoalUnmet) -> list[JsonObject]:
    """The contract without what is missing, where a plan for that is found."""
    contract = derivation.contract
    schema = contract.schema
    if contract.mode != "json_schema" or not isinstance(schema, dict):
        return []
    left = without(schema, contract.schema_path, unmet.unmet)
    if left is None:
        return []
    nearest = {**contract.wire, "schema": left}
    lighter = replace(derivation, contract=Contract(nearest))
    try:
        world = lighter.world(lighter.wanted.preferred[0])
        goal, _ = goals(lighter, world)
        _search(lighter, world if goal.copies == world.copies else lighter.world(goal.copies), goal)
    except (GoalUnmet, PlanRefused, TooComplex):
        return []
    kept = ", ".join(map(str, as_object(left.get("properties"))))
    message = f"The contract without these places could be met: {kept}."
    return [{**diagnostic(NEAREST_CONTRACT, message, contract.schema_path), "nearest": nearest}]
