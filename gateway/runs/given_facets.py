"""Facets that an envelope's inputs bring, checked by the facet catalogue before anything is planned.

A facet of a name that the catalogue does not have is the caller's own and is not checked. Nor are context bundles of
the shipped types, which had looser payloads before there were facets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

from contracts.checker import ContractChecker
from contracts.problems import AjvError, CheckerUnavailable, CheckFailed, SchemaRefused
from runs.event import Json, JsonObject
from schemas import pointer
from schemas.facets import FACETS, Facet
from schemas.refusal import MAX_PROBLEMS, DocumentRefused, FieldProblem

MAX_CHECKED = 200
"""Facets of one envelope that are checked; what comes after them is met by the capabilities that take it."""

INVALID = "facet_invalid"


@dataclass(frozen=True, slots=True)
class _Given:
    facet: Facet
    value: Json
    place: str


async def check_given_facets(
    inputs: JsonObject | None, known: Mapping[str, Facet], contracts: ContractChecker
) -> None:
    """Raise DocumentRefused with each place where a facet is not what its schema says. Raises CheckerUnavailable."""
    problems: list[FieldProblem] = []
    for each in islice(_given(inputs or {}, known), MAX_CHECKED):
        try:
            errors = await contracts.check(each.facet.schema, each.value)
        except CheckerUnavailable:
            raise
        except (SchemaRefused, CheckFailed):
            break  # without a verdict the capability that takes it has the last word
        problems += [_problem(each, error) for error in errors]
        if len(problems) >= MAX_PROBLEMS:
            break
    if problems:
        raise DocumentRefused(problems)


def _problem(given: _Given, error: AjvError) -> FieldProblem:
    name = f"{given.facet.name} {given.facet.version}"
    return FieldProblem(
        INVALID, f"{given.place}{error['instancePath']}", f"The facet {name} {error['message']}."
    )


def _given(inputs: JsonObject, known: Mapping[str, Facet]) -> Iterator[_Given]:
    facets: Json = inputs.get("facets")
    if isinstance(facets, dict):
        for name, value in cast(JsonObject, facets).items():
            if name in known:
                yield from _each(known[name], value, pointer.build(("inputs", "facets", name)))
    bundles: Json = inputs.get("contextBundles")
    if isinstance(bundles, list):
        for index, entry in enumerate(cast("list[Json]", bundles)):
            bundle = cast(JsonObject, entry) if isinstance(entry, dict) else {}
            kind: Any = bundle.get("type")
            if isinstance(kind, str) and kind in known and kind not in FACETS and "payload" in bundle:
                place = pointer.build(("inputs", "contextBundles", index, "payload"))
                yield _Given(known[kind], bundle["payload"], place)


def _each(facet: Facet, value: Json, place: str) -> Iterator[_Given]:
    """The value, or its items: a facet that is taken many may be given as a list of them."""
    takes_lists = facet.schema.get("type") in (None, "array") or isinstance(facet.schema.get("type"), list)
    if not isinstance(value, list) or takes_lists:
        yield _Given(facet, value, place)
        return
    for index, item in enumerate(cast("list[Json]", value)):
        yield _Given(facet, item, f"{place}/{index}")
