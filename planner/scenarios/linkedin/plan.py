"""From the number of variants on which envelope and contract agree to the plan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import orjson

from planner.contract import Contract
from planner.mapping.contract_fit import ContractFits
from planner.mapping.flat import Budget, TooComplex
from planner.mapping.problems import COUNT, Mapped, MappingProblem, Unmappable
from planner.node_factory import NodeFactory
from planner.planner import JsonObject, PlanRefused, diagnostic
from planner.scenarios.linkedin.facts import Facts
from planner.scenarios.linkedin.material import LinkedInMaterial
from planner.scenarios.linkedin.nodes import RESHAPES, LinkedInNodes
from planner.scenarios.linkedin.scopes import RunMaterial
from planner.scenarios.linkedin.variants import MAX_VARIANTS, Instructions, Wanted, make_variants
from runs.expression import nodes_in
from schemas.refusal import MAX_PROBLEMS

VARIANT_COUNT_CONFLICT = "variant_count_conflict"

MAX_NODE_SCHEMA_BYTES = 16 * 1024
"""A larger contract is left to the final check, since a plan is stored with its run."""


@dataclass(frozen=True, slots=True)
class PlanningInput:
    """What holds for every number of variants that is tried."""

    contract: Contract
    facts: Facts
    digest: JsonObject
    instructions: Instructions
    factory: NodeFactory
    run_id: str
    fits: ContractFits
    reviewers: Sequence[str] | None = None
    """Who may do a human review (any operator, where it is empty); None for a plan without one."""
    budget: Budget = field(default_factory=Budget)


def agree(given: PlanningInput, wanted: Wanted) -> JsonObject:
    """The plan for the first number of variants that the contract takes. Raises PlanRefused where it takes none."""
    failures: dict[int, list[MappingProblem]] = {}
    try:
        for count in wanted.preferred:
            plan = _try(given, count, failures)
            if plan is not None:
                return plan
    except TooComplex:
        message = "The contract unfolds into more schemas than the planner looks at; make it flatter."
        raise PlanRefused([diagnostic("contract_too_complex", message, given.contract.schema_path)]) from None
    possible = [] if wanted.count is None else _other_counts(given, failures)
    if wanted.count is not None and possible:
        raise _contradiction(wanted, possible, failures[wanted.count])
    fewest = min(failures.values(), key=len)
    raise PlanRefused(_diagnostics(fewest))


def _try(given: PlanningInput, count: int, failures: dict[int, list[MappingProblem]]) -> JsonObject | None:
    try:
        return _plan(given, count)
    except Unmappable as unmappable:
        failures[count] = unmappable.problems
        return None


def _other_counts(given: PlanningInput, failures: dict[int, list[MappingProblem]]) -> list[int]:
    """The numbers of variants that the contract would take, as far as looking for them is worth it."""
    possible: list[int] = []
    others = [count for count in range(1, MAX_VARIANTS + 1) if count not in failures]
    with suppress(TooComplex):
        possible.extend(count for count in others if _try(given, count, failures) is not None)
    return possible


def _contradiction(wanted: Wanted, possible: list[int], problems: list[MappingProblem]) -> PlanRefused:
    takes = " or ".join(str(count) for count in possible)
    message = f"{wanted.path} asks for {wanted.count} variant(s), and the contract takes {takes}. {problems[0].message}"
    return PlanRefused([diagnostic(VARIANT_COUNT_CONFLICT, message, wanted.path)])


def _diagnostics(problems: Iterable[MappingProblem]) -> list[JsonObject]:
    """Each problem once; a property of an array of posts is a problem for every variant in the same way."""
    unique = {(problem.code, problem.path): problem for problem in reversed(list(problems))}
    listed = islice(reversed(unique.values()), MAX_PROBLEMS)
    return [diagnostic(_code(each), each.message, each.path) for each in listed]


def _code(problem: MappingProblem) -> str:
    return VARIANT_COUNT_CONFLICT if problem.code == COUNT else problem.code


def _plan(given: PlanningInput, count: int) -> JsonObject:
    variants = make_variants(count, given.instructions)
    material = LinkedInMaterial(
        RunMaterial(given.facts, given.run_id, variants, markdown=given.contract.markdown)
    )
    fit = given.fits.of(given.contract, material, given.budget)
    mapped = fit.mapped
    makers = LinkedInNodes(given.factory, given.digest, variants, given.instructions.general, fit.asked)
    nodes = [makers.brief(), *(makers.draft(variant) for variant in variants), makers.review()]
    if given.reviewers is not None:
        nodes.append(makers.human_review(given.reviewers))
    composition: Any = mapped.expression
    if not mapped.plain:
        nodes.append(_shape(given, makers, mapped))
        composition = {"$node": "shape"}
    return {
        "version": 1,
        "nodes": nodes,
        "edges": [{"from": need, "to": node["id"]} for node in nodes for need in node["dependsOn"]],
        "metadata": {
            "scenario": "linkedin",
            "variantCount": count,
            "delivery": "direct" if mapped.plain else "transformation",
            "composition": composition,
        },
    }


def _shape(given: PlanningInput, makers: LinkedInNodes, mapped: Mapped) -> JsonObject:
    capability_id = next(each for each in RESHAPES if each in given.factory.descriptors)
    reviews = ("review",) if given.reviewers is None else ("review", "human-review")
    needs = dict.fromkeys((*nodes_in(mapped.expression), *reviews))
    schema = given.contract.schema
    output = schema if len(orjson.dumps(schema)) <= MAX_NODE_SCHEMA_BYTES else None
    return makers.shape(capability_id, mapped.expression, list(needs), output)
