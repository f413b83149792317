"""A contract that is filled by the names which facets have for callers, and shaped where it is not filled directly.

The items are variants of one facet of which there may be several. The contract is tried with each number of variants
that the envelope lets in, the preferred one first. What can be referred to is composed directly; all else (a count, a
text that is joined, what the envelope says) is written as a mapping for a transformation capability.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from planner.contract import Contract
from planner.derive.catalogue import Catalogue
from planner.derive.goal import Goal, Part, Slot
from planner.derive.marks import marked
from planner.derive.material import FacetMaterial, telling_member, vocabulary_of
from planner.derive.said import Said
from planner.derive.scopes import RunScope
from planner.derive.variants import MAX_VARIANTS, Instructions, Wanted, make_variants
from planner.derive.words import Words, is_annotated, words_of
from planner.mapping.contract_fit import ContractFit, ContractFits
from planner.mapping.flat import Budget, TooComplex
from planner.mapping.names import canonical
from planner.mapping.output_limits import OutputLimits, output_schema
from planner.mapping.problems import COUNT, MappingProblem, Unmappable
from planner.planner import JsonObject, PlanRefused, diagnostic
from planner.text import as_object
from runs.expression import nodes_in
from schemas.refusal import MAX_PROBLEMS

VARIANT_COUNT_CONFLICT = "variant_count_conflict"

_fits = ContractFits()


@dataclass(frozen=True, slots=True)
class Shaped:
    """`fit` fills the contract, with marks in the place of nodes; `goal` is what the search has to reach for it.

    `owed` is the schema of what each of these nodes owes, by its mark.
    """

    goal: Goal
    fit: ContractFit
    owed: Mapping[str, JsonObject]


@dataclass(frozen=True, slots=True)
class Shaping:
    """What holds for every number of variants that is tried. `values` are the facets that the envelope brings."""

    contract: Contract
    envelope: JsonObject
    run_id: str
    catalogue: Catalogue
    facets: Collection[str]
    values: Mapping[str, Any]
    instructions: Instructions
    item: str
    budget: Budget = field(default_factory=Budget)

    def agree(self, wanted: Wanted) -> Shaped:
        """For the first number of variants that the contract takes. Raises PlanRefused where it takes none."""
        failures: dict[int, list[MappingProblem]] = {}
        for count in wanted.preferred:
            shaped = self._try(count, failures)
            if shaped is not None:
                return shaped
        possible = [] if wanted.count is None else self._other_counts(failures)
        if wanted.count is not None and possible:
            raise _contradiction(wanted, possible, failures[wanted.count])
        raise PlanRefused(_diagnostics(min(failures.values(), key=len)))

    def _try(self, count: int, failures: dict[int, list[MappingProblem]]) -> Shaped | None:
        try:
            fit = _fits.of(self.contract, self._material(count), self.budget)
            owed = {each: self._owed(each, asked) for each, asked in fit.asked.items()}
        except Unmappable as unmappable:
            failures[count] = unmappable.problems
            return None
        return Shaped(self._goal(fit, count), fit, owed)

    def _owed(self, node: str, asked: OutputLimits) -> JsonObject:
        facet = marked(node).facet
        return output_schema(words_of(facet, self.catalogue.schemas[facet]).schema, asked)

    def _other_counts(self, failures: dict[int, list[MappingProblem]]) -> list[int]:
        """The numbers of variants that the contract would take, as far as looking for them is worth it."""
        possible: list[int] = []
        others = [count for count in range(1, MAX_VARIANTS + 1) if count not in failures]
        with suppress(TooComplex):
            possible.extend(count for count in others if self._try(count, failures) is not None)
        return possible

    def _material(self, count: int) -> FacetMaterial:
        schemas = self.catalogue.schemas
        annotated = [name for name in sorted(schemas) if name != self.item and is_annotated(schemas[name])]
        words = {name: words_of(name, schemas[name]) for name in annotated}
        brought = [
            (each, as_object(self.values[name])) for name, each in words.items() if self._is_brought(name)
        ]
        others = [each for name, each in words.items() if name in self.facets and not self._is_brought(name)]
        run = RunScope(
            run_id=self.run_id,
            variants=make_variants(count, self.instructions),
            said=Said(self.envelope, brought, list(words.values())),
            others=others,
            whole=self._whole(),
        )
        item = words_of(self.item, schemas[self.item])
        telling = telling_member(item)
        return FacetMaterial(
            vocabulary=vocabulary_of(item, [*words.values()], telling),
            words=item,
            telling=telling,
            run=run,
            brought={name: (each, value) for each, value in brought for name in each.names},
            fit_key=self._key(item, others, count),
            markdown=self.contract.markdown,
        )

    def _is_brought(self, facet: str) -> bool:
        return bool(as_object(self.values.get(facet)))

    def _whole(self) -> dict[str, tuple[str, Mapping[str, Any]]]:
        """The facets that can be had by their names: several of one are no answer to a name."""
        single = set(self.facets) - self.catalogue.many - self.values.keys()
        return {canonical(each): (each, as_object(self.catalogue.schema_of(each))) for each in sorted(single)}

    def _key(self, item: Words, others: Sequence[Words], count: int) -> tuple[Any, ...]:
        """Words are kept for as long as a fit is, so that no other has the same id."""
        return (count, self.contract.markdown, _Same(item), *map(_Same, others))

    def _goal(self, fit: ContractFit, count: int) -> Goal:
        used = dict.fromkeys(marked(each).facet for each in nodes_in(fit.mapped.expression))
        template = [Slot((Part(each, anew=each in self.values),)) for each in used]
        return Goal(template, tuple(used), count)


@dataclass(frozen=True, slots=True)
class _Same:
    """Words that are the same object."""

    words: Words

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.words is self.words

    def __hash__(self) -> int:
        return id(self.words)


def item_facets(catalogue: Catalogue, facets: Iterable[str]) -> list[str]:
    """The facets among these of which there may be several, and that say how callers call them."""
    return [
        each
        for each in sorted(facets)
        if each in catalogue.many and is_annotated(catalogue.schemas.get(each))
    ]


def _contradiction(wanted: Wanted, possible: list[int], problems: list[MappingProblem]) -> PlanRefused:
    takes = " or ".join(str(count) for count in possible)
    message = f"{wanted.path} asks for {wanted.count} variant(s), and the contract takes {takes}. {problems[0].message}"
    return PlanRefused([diagnostic(VARIANT_COUNT_CONFLICT, message, wanted.path)])


def _diagnostics(problems: Iterable[MappingProblem]) -> list[JsonObject]:
    """Each problem once; a member of an array of variants is a problem for every variant in the same way."""
    unique = {(problem.code, problem.path): problem for problem in reversed(list(problems))}
    listed = islice(reversed(unique.values()), MAX_PROBLEMS)
    return [diagnostic(_code(each), each.message, each.path) for each in listed]


def _code(problem: MappingProblem) -> str:
    return VARIANT_COUNT_CONFLICT if problem.code == COUNT else problem.code
