"""All that is known before a plan is looked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from planner.contract import Contract
from planner.derive.before import Before
from planner.derive.catalogue import Catalogue, read_catalogue
from planner.derive.free_text import spoken_words
from planner.derive.ground import given_facets
from planner.derive.offers import Offer, givers_of, read_offers
from planner.derive.policies import read_policies, read_reviewers
from planner.derive.shaped import item_facets
from planner.derive.variants import (
    MAX_VARIANTS,
    ONE,
    Instructions,
    Wanted,
    read_instructions,
    wanted_variants,
)
from planner.derive.words import words_of
from planner.derive.world import Ground, World
from planner.findings import Findings, check_facets
from planner.node_factory import NodeFactory, read_node_factory
from planner.planner import JsonObject, PlanContext, PlanRefused
from planner.search.problem import Limits, reachable_facets
from planner.text import as_object
from schemas.contract_schema import FACET_SCHEMAS
from schemas.planner_policies import PlannerPolicies


@dataclass(frozen=True, slots=True)
class Derivation:
    """An envelope beside what is registered."""

    envelope: JsonObject
    contract: Contract
    context: PlanContext
    policies: PlannerPolicies
    factory: NodeFactory
    offers: Sequence[Offer]
    catalogue: Catalogue
    given: Mapping[str, Sequence[JsonObject]]
    before: Before
    reviewers: Sequence[str] | None
    instructions: Instructions
    wanted: Wanted = ONE
    """How many variants the envelope asks for."""

    @property
    def copies(self) -> int | None:
        return self.wanted.count

    @property
    def inputs(self) -> JsonObject:
        return as_object(self.envelope.get("inputs"))

    def world(self, copies: int) -> World:
        """The makers where this many variants are made."""
        ground = Ground(self.given, self.inputs)
        return World(self.offers, ground, self.catalogue, self.policies, copies, self.before.facets)

    @property
    def limits(self) -> Limits:
        """The bounds of policy and house; the tighter one counts."""
        topology = self.policies.topology
        nodes = [each for each in (topology.max_nodes, self.context.max_nodes) if each is not None]
        return Limits(min(nodes, default=None), topology.max_depth)


def absent(derivation: Derivation) -> list[str]:
    """Facets of which the envelope speaks and that nothing gives: the worker that does may only be starting."""
    spoken = spoken_words(derivation.envelope, derivation.contract)
    schemas = derivation.catalogue.schemas
    return [
        each
        for each in item_facets(derivation.catalogue, schemas)
        if words_of(each, schemas[each]).names & spoken and not givers_of(each, derivation.offers)
    ]


def reachable(derivation: Derivation, world: World) -> frozenset[str]:
    facets = reachable_facets(world.makers, derivation.given)
    return frozenset(each for each in facets if not each.startswith("\0"))


def makeable(derivation: Derivation, world: World) -> list[str]:
    """The facets of which there may be several, that say how callers call them, and that can be made."""
    made = {facet for each in world.makers for facet in each.gives}
    return item_facets(derivation.catalogue, reachable(derivation, world) & made)


def read_derivation(
    envelope: JsonObject, descriptors: Mapping[str, JsonObject], context: PlanContext
) -> Derivation:
    """Raises PlanRefused with all that is wrong in what the envelope asks of a plan."""
    contract = Contract(as_object(envelope.get("outputContract")))
    findings = Findings()
    factory = findings.gather(lambda: read_node_factory(envelope, descriptors))
    policies = findings.gather(lambda: read_policies(envelope))
    reviewers = findings.gather(lambda: read_reviewers(envelope, descriptors))
    if factory is None or policies is None:
        findings.gather(lambda: check_facets(contract, descriptors))
    registered = {**context.facets, **as_object(contract.wire.get(FACET_SCHEMAS))}
    before = Before(context.ground or {})
    catalogue = before.known_by(read_catalogue(registered, descriptors))
    spoken = None if contract.mode == "facets" else spoken_words(envelope, contract)
    derivation = Derivation(
        envelope=envelope,
        contract=contract,
        context=context,
        policies=policies or PlannerPolicies(),
        factory=factory or NodeFactory(descriptors),
        offers=read_offers(
            {**{str(each.get("id")): each for each in context.disabled}, **descriptors},
            policies or PlannerPolicies(),
            context.forbidden,
            context.tried,
            spoken,
        ),
        catalogue=catalogue,
        given=given_facets(envelope, catalogue.schemas),
        before=before,
        reviewers=reviewers,
        instructions=read_instructions(envelope, [contract.instructions] if contract.instructions else []),
    )
    wanted = findings.gather(lambda: _wanted(derivation))
    if findings.diagnostics or wanted is None:
        raise PlanRefused(findings.diagnostics)
    return replace(derivation, wanted=wanted)


def _wanted(derivation: Derivation) -> Wanted:
    """How many variants there are to be. Raises PlanRefused."""
    schemas = derivation.catalogue.schemas
    items = makeable(derivation, derivation.world(1))
    spoken_of = items or absent(derivation)
    nouns = {name for each in spoken_of for name in words_of(each, schemas[each]).names}
    instructions = derivation.instructions
    wanted = wanted_variants(
        derivation.envelope, derivation.policies, instructions.highest, nouns if spoken_of else None
    )
    if spoken_of:
        instructions.check(wanted.count or MAX_VARIANTS)
    return wanted if items else wanted_variants(derivation.envelope, derivation.policies, 0, None)
