"""What a descriptor says, held against the facets that there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from contracts.checker import ContractChecker
from contracts.comparing import find_contradictions
from contracts.problems import SchemaRefused
from runs.event import JsonObject
from schemas.capability import CapabilityDescriptor
from schemas.facets import Facet
from schemas.refusal import FieldProblem
from schemas.spelling import misspelling_of

MAX_SUGGESTIONS = 10
"""For how many unknown facets the one that was meant is looked for, which takes time with each facet that there is."""


async def catalogue_problems(
    descriptor: CapabilityDescriptor, facets: Mapping[str, Facet], contracts: ContractChecker
) -> list[FieldProblem]:
    """Every contradiction, at its place in the descriptor. Raises CheckerUnavailable."""
    problems = list(_unknown_facets(descriptor, facets))
    problems += await _schema_problems(contracts, descriptor.input_schema, "/inputSchema")
    refused = await _schema_problems(contracts, descriptor.output_schema, "/outputSchema")
    problems += refused
    expected = None if refused else _expected(descriptor, facets)
    if expected is not None:
        problems += [
            FieldProblem(each.code, "/outputSchema" + each.pointer, f"{each.message} {_by(descriptor)}")
            for each in await find_contradictions(contracts.sandbox, descriptor.output_schema, expected)
        ]
    return problems


def _unknown_facets(descriptor: CapabilityDescriptor, facets: Mapping[str, Facet]) -> Iterator[FieldProblem]:
    """Facets that are given and not known, and those that are taken and nearly known.

    A facet that is only taken may be a caller's own, without a shape.
    """
    taken = [
        (each, f"/facetsIn/{index}") if isinstance(each, str) else (each.name, f"/facetsIn/{index}/name")
        for index, each in enumerate(descriptor.facets_in)
    ]
    mistaken = [each for each in taken if each[0] not in facets and misspelling_of(each[0], facets)]
    given = [(name, f"/facetsOut/{index}") for index, name in enumerate(descriptor.facets_out)]
    unknown = [*mistaken, *(each for each in given if each[0] not in facets)]
    for number, (name, place) in enumerate(unknown):
        nearest = misspelling_of(name, facets) if number < MAX_SUGGESTIONS else None
        meant = f"; did you mean {nearest!r}?" if nearest is not None else "."
        help_ = "A new one is registered with POST /api/v1/flex/facets."
        yield FieldProblem("facet_unknown", place, f"There is no facet {name!r}{meant} {help_}")


async def _schema_problems(contracts: ContractChecker, schema: object, place: str) -> list[FieldProblem]:
    if schema is None:
        return []
    try:
        await contracts.compile(schema)
    except SchemaRefused as refused:
        return [FieldProblem(each.code, place + each.pointer, each.message) for each in refused.problems]
    return []


def _expected(descriptor: CapabilityDescriptor, facets: Mapping[str, Facet]) -> JsonObject | None:
    """What the facets ask of the output: a facet is the output itself, several are its keys; None where they do not."""
    names = descriptor.facets_out
    if descriptor.output_schema is None or not names or any(name not in facets for name in names):
        return None
    if len(names) == 1:
        return facets[names[0]].delivered()
    return {"type": "object", "required": names, "properties": dict.fromkeys(names, True)}


def _by(descriptor: CapabilityDescriptor) -> str:
    names = ", ".join(repr(name) for name in descriptor.facets_out)
    return f"So it is in {'the facet' if len(descriptor.facets_out) == 1 else 'an output of the facets'} {names}."
