"""All that is known before a plan is looked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from planner.contract import Contract
from planner.derive.before import Before
from planner.derive.catalogue import Catalogue, read_catalogue
from planner.derive.ground import given_facets
from planner.derive.offers import Offer, read_offers
from planner.derive.policies import read_policies, stated_copies
from planner.derive.world import Ground, World
from planner.node_factory import NodeFactory, read_node_factory
from planner.planner import JsonObject, PlanContext
from planner.search.problem import Limits
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
    copies: int | None

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


def read_derivation(
    envelope: JsonObject, descriptors: Mapping[str, JsonObject], context: PlanContext
) -> Derivation:
    """Raises PlanRefused for policies that cannot be read."""
    contract = Contract(as_object(envelope.get("outputContract")))
    factory = read_node_factory(envelope, descriptors)
    policies = read_policies(envelope)
    before = Before(context.ground or {})
    registered = {**context.facets, **as_object(contract.wire.get(FACET_SCHEMAS))}
    catalogue = before.known_by(read_catalogue(registered, descriptors))
    return Derivation(
        envelope=envelope,
        contract=contract,
        context=context,
        policies=policies,
        factory=factory,
        offers=read_offers(descriptors, policies, context.forbidden, context.tried),
        catalogue=catalogue,
        given=given_facets(envelope, catalogue.schemas),
        before=before,
        copies=stated_copies(envelope, policies),
    )
