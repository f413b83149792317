"""Registering facets: a new version accepts what the versions before it accepted, so that no contract is broken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from contracts.checker import ContractChecker
from contracts.comparing import find_not_widened
from contracts.grammar.subschemas import every_subschema
from contracts.lint import accepts_everything
from contracts.problems import SchemaRefused
from eventstore.facet_cache import FacetCache
from eventstore.facets import add_facet, facet_rows
from eventstore.store import EventStore
from eventstore.tenancy import EVERY_TENANT, working_for
from registry.differences import differences
from registry.registrar import NameNotTheirs, VersionTaken, require_own_name
from runs.event import JsonObject
from schemas import pointer
from schemas.capability import version_order
from schemas.facets import DIALECT, FACETS, Facet
from schemas.refusal import DocumentRefused, FieldProblem
from schemas.tenant import DEFAULT_TENANT

_NAMES = ("$id", "$anchor", "$dynamicAnchor", "$dynamicRef")
"""What would mean something else inside the schema of a contract, or clash with another facet's."""

_TRIES = 5
"""How often a registration is attempted while others register the same facet at the same moment."""


@dataclass(frozen=True, slots=True)
class FacetRegistrar:
    """Registers facets for one process."""

    store: EventStore
    facets: FacetCache
    contracts: ContractChecker

    async def register(
        self, facet: Facet, source: Literal["api", "file"], tenant: str = DEFAULT_TENANT
    ) -> bool:
        """Whether it is new; False where it is registered in the same words.

        Raises DocumentRefused with everything wrong, NameNotTheirs, VersionTaken, CheckerUnavailable, StoreUnavailable.
        """
        require_own_name(facet.name, tenant)
        problems = await self._schema_problems(facet.schema)
        if problems:
            raise DocumentRefused(problems)
        for _ in range(_TRIES):
            with working_for(EVERY_TENANT):  # a name is taken once, whoever asks
                rows = [each for each in await facet_rows(self.store) if each.name == facet.name]
            if any(each.tenant != tenant for each in rows):
                raise NameNotTheirs(facet.name, tenant)
            known = [each.facet for each in rows]
            known += [FACETS[facet.name]] if facet.name in FACETS else []
            if any(_is_same_version(each, facet) for each in known):
                _require_same(known, facet)
                return False
            await self._require_successor(known, facet)
            if await add_facet(
                self.store, facet, source, after=[each.version for each in known], tenant=tenant
            ):
                await self.facets.refresh()
                return True
        raise VersionTaken([f"{facet.name}@{facet.version}"], [])

    async def _schema_problems(self, schema: JsonObject) -> list[FieldProblem]:
        try:
            await self.contracts.compile(schema)
        except SchemaRefused as refused:
            found = list(refused.problems)
        else:
            nothing = accepts_everything(schema)
            found = [nothing] if nothing is not None else list(_foreign_words(schema))
        return [FieldProblem(each.code, "/schema" + each.pointer, each.message) for each in found]

    async def _require_successor(self, known: Sequence[Facet], facet: Facet) -> None:
        """Raise DocumentRefused where the new version is no later one, or refuses what was accepted before."""
        if not known:
            return
        last = max(known, key=lambda each: version_order(each.version))
        problems: list[FieldProblem] = []
        if version_order(facet.version) < version_order(last.version):
            message = f"{last.version} is registered; a new version is a higher one."
            problems.append(FieldProblem("version_too_low", "/version", message))
        if last.many and not facet.many:
            message = f"Version {last.version} takes a list of them too."
            problems.append(FieldProblem("facet_not_widened", "/many", message))
        for gap in await find_not_widened(self.contracts.sandbox, last.schema, facet.schema):
            message = (
                f"It cannot be shown that this accepts all that version {last.version} accepts. {gap.message}"
            )
            problems.append(FieldProblem(gap.code, "/schema" + gap.pointer, message))
        if problems:
            raise DocumentRefused(problems)


def _is_same_version(one: Facet, two: Facet) -> bool:
    return version_order(one.version) == version_order(two.version)


def _require_same(known: Sequence[Facet], facet: Facet) -> None:
    registered = next(each for each in known if _is_same_version(each, facet))
    found = differences(_wire(registered), _wire(facet))
    if found:
        raise VersionTaken([f"{facet.name}@{facet.version}"], found)


def _wire(facet: Facet) -> dict[str, Any]:
    return {"name": facet.name, "description": facet.description, "schema": facet.schema, "many": facet.many}


def _foreign_words(schema: JsonObject) -> Iterator[FieldProblem]:
    if schema.get("$schema", DIALECT) != DIALECT:
        yield FieldProblem(
            "schema_mixed_dialects", "/$schema", f"Facets are of the dialect {DIALECT}; or leave it out."
        )
    for path, each in every_subschema(schema):
        for word in _NAMES:
            if word in each:
                message = (
                    f"A facet stands inside the schemas of contracts, where {word} would mean something else."
                )
                yield FieldProblem("schema_named", pointer.build_bounded((*path, word)), message)
