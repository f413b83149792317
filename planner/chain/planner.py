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


def wants_a_chain(contract: Contract, descriptors: Mapping[str, JsonObject], context: PlanContext) -> bool:
    """Whether the contract names facets, or has the very shape of one that some capability gives."""
    return bool(contract.facets) or _single_facet(contract, descriptors, context.facets) is not None


def plan_chain(
    envelope: JsonObject, descriptors: Mapping[str, JsonObject], context: PlanContext
) -> JsonObject:
    """The PlanGraph in wire form. Raises PlanRefused with each facet that cannot be had."""
    contract = Contract(as_object(envelope.get("outputContract")))
    factory = read_node_factory(envelope, descriptors)
    inputs = as_object(envelope.get("inputs"))
    given = given_facets(envelope)
    single = _single_facet(contract, descriptors, context.facets)
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
    registered = {**context.facets, **as_object(contract.wire.get(FACET_SCHEMAS))}
    nodes = [_node(step, factory, registered, context) for step in chain.steps]
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


def _single_facet(
    contract: Contract, descriptors: Mapping[str, JsonObject], registered: Mapping[str, JsonObject]
) -> str | None:
    """For a contract with a schema: the facet that has this schema, or whose one giver says that its output has."""
    if contract.mode != "json_schema":
        return None
    for _, descriptor in sorted(descriptors.items()):
        gives = as_list(descriptor.get("facetsOut"))
        if len(gives) != 1:
            continue
        name = str(gives[0])
        schemas = [descriptor.get("outputSchema"), _schema_of(name, registered)]
        if any(isinstance(each, dict) and same_schema(each, contract.schema) for each in schemas):
            return name
    return None


def _schema_of(facet: str, registered: Mapping[str, JsonObject]) -> Any:
    """A registered facet's schema, else a shipped one's; true where neither is known."""
    if facet in registered:
        return registered[facet]["schema"]
    return FACETS[facet].schema if facet in FACETS else True


def _owed(facets: Sequence[str], registered: Mapping[str, JsonObject]) -> Any:
    """What a node owes that gives these: the facet itself, or an object keyed by facet."""
    return _schema_of(facets[0], registered) if len(facets) == 1 else facets_schema(facets, registered)


def _node(
    step: Step, factory: NodeFactory, registered: Mapping[str, JsonObject], context: PlanContext
) -> JsonObject:
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
        output=_owed(step.maker.gives, registered),
        expectations=[f"Gives {', '.join(step.maker.gives)}."],
        bundle=bundle,
    )
