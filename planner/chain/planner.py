"""From a contract that capabilities can meet to a plan, or to what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from planner.chain.given import given_facets
from planner.chain.makers import Makers, read_maker
from planner.chain.missing import missing
from planner.chain.same_schema import same_schema
from planner.chain.steps import Chain, Step
from planner.contract import Contract
from planner.node_factory import NodeFactory, read_node_factory
from planner.planner import JsonObject, PlanContext, PlanRefused
from planner.text import as_list, as_object
from runs.composition import referenced_nodes
from runs.facet_sources import INPUT_KEY, value_at
from schemas.contract_schema import FACET_SCHEMAS
from schemas.facets import FACETS, facets_schema


def wants_a_chain(contract: Contract, descriptors: Mapping[str, JsonObject]) -> bool:
    """Whether the contract names facets, or has the very shape of one that some capability gives."""
    return bool(contract.facets) or _single_facet(contract, descriptors) is not None


def plan_chain(
    envelope: JsonObject, descriptors: Mapping[str, JsonObject], context: PlanContext
) -> JsonObject:
    """The PlanGraph in wire form. Raises PlanRefused with each facet that cannot be had."""
    contract = Contract(as_object(envelope.get("outputContract")))
    factory = read_node_factory(envelope, descriptors)
    inputs = as_object(envelope.get("inputs"))
    given = given_facets(envelope)
    single = _single_facet(contract, descriptors)
    wanted = contract.facets if single is None else [single]
    handed_on = _handed_on(wanted, given, inputs)
    anew = [each for each in wanted if each not in handed_on]
    makers = Makers((read_maker(each) for each in descriptors.values()), given, inputs, anew)
    unmet = [each for each in anew if makers.cheapest(each) is None]
    if unmet:
        raise PlanRefused(missing(unmet, makers, contract))
    chain = Chain(makers, given)
    template: JsonObject = {
        each: handed_on[each] if each in handed_on else chain.make(each) for each in wanted
    }
    schemas = _Schemas({**context.facets, **as_object(contract.wire.get(FACET_SCHEMAS))})
    nodes = [_node(step, factory, schemas, context) for step in chain.steps]
    return {
        "version": 1,
        "nodes": nodes,
        "edges": [{"from": need, "to": node["id"]} for node in nodes for need in node["dependsOn"]],
        "metadata": {
            "planner": "chain",
            "facets": wanted,
            "composition": template if single is None else template[single],
        },
    }


def _handed_on(
    wanted: Sequence[str], given: Mapping[str, Sequence[JsonObject]], inputs: JsonObject
) -> JsonObject:
    """What the inputs have already is not made again, except where nothing else is asked for.

    A value in which a key looks like a reference of a composition cannot be handed on.
    """
    values = {
        each: value
        for each in wanted
        if each in given
        for value in value_at(inputs, given[each][0][INPUT_KEY])
    }
    found = {name: value for name, value in values.items() if not referenced_nodes(value)}
    return {} if len(found) == len(wanted) else found


def _single_facet(contract: Contract, descriptors: Mapping[str, JsonObject]) -> str | None:
    """For a contract with a schema: the facet that has this schema, or whose one giver says that its output has."""
    if contract.mode != "json_schema":
        return None
    for _, descriptor in sorted(descriptors.items()):
        gives = as_list(descriptor.get("facetsOut"))
        if len(gives) != 1:
            continue
        name = str(gives[0])
        known = FACETS.get(name)
        schemas = [descriptor.get("outputSchema"), known.schema if known else None]
        if any(each is not None and same_schema(each, contract.schema) for each in schemas):
            return name
    return None


class _Schemas:
    """The schemas of facets: those that were registered before those that are shipped."""

    def __init__(self, registered: Mapping[str, JsonObject]) -> None:
        self._registered = registered

    def of(self, facets: Sequence[str]) -> Any:
        """What a node owes that gives these."""
        schema = facets_schema(facets, self._registered)
        if len(facets) > 1:
            return schema
        known = self._registered.get(facets[0])
        if known is not None:
            return known["schema"]
        return FACETS[facets[0]].schema if facets[0] in FACETS else True


def _node(step: Step, factory: NodeFactory, schemas: _Schemas, context: PlanContext) -> JsonObject:
    descriptor = factory.descriptors[step.maker.capability_id]
    bundle: JsonObject = {"facets": step.facets}
    if not step.maker.takes_inputs:
        bundle["inputKeys"] = []
    if context.feedback:
        bundle["feedback"] = context.feedback
    return factory.node(
        node_id=step.node_id,
        capability_id=step.maker.capability_id,
        label=str(descriptor.get("label") or step.maker.capability_id),
        depends_on=step.depends_on,
        output=schemas.of(step.maker.gives),
        expectations=[f"Gives {', '.join(step.maker.gives)}."],
        bundle=bundle,
    )
