"""Registering: read, check all that was sent, and put all of it into the registry or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from contracts.checker import ContractChecker
from eventstore.capabilities import Source, add_versions
from eventstore.facet_cache import FacetCache
from eventstore.store import EventStore
from registry.catalogue import catalogue_problems
from registry.descriptors import Entry, listed, read_descriptor, repeated
from registry.differences import differences
from registry.prompts import prompt_problems
from schemas.refusal import DocumentRefused, FieldProblem
from schemas.tenant import DEFAULT_TENANT


class NameNotTheirs(Exception):
    """A tenant may not register this: the name does not begin with the tenant's, or is another's."""

    def __init__(self, name: str, tenant: str) -> None:
        super().__init__(
            f"{name[:200]!r} is not for the tenant {tenant!r} to register: what a tenant registers is named"
            f" {tenant}.SOMETHING, and no name is registered by two."
        )


def require_own_name(name: str, tenant: str) -> None:
    """Raise NameNotTheirs for a name that could be another tenant's. The default tenant takes any that is free."""
    if tenant != DEFAULT_TENANT and not name.startswith(f"{tenant}."):
        raise NameNotTheirs(name, tenant)


_TRIES = 5
"""How often a registration is attempted while others register the same versions at the same moment."""


class VersionTaken(Exception):
    """A version is registered already in other words; `problems` are the differences, at their places."""

    def __init__(self, names: Sequence[str], problems: Sequence[FieldProblem]) -> None:
        super().__init__(
            f"{', '.join(names)} is registered already as something else. A version does not change: give this one a"
            " version of its own."
        )
        self.problems = list(problems)


@dataclass(frozen=True, slots=True)
class Registrar:
    """Registers capabilities for one process."""

    store: EventStore
    facets: FacetCache
    contracts: ContractChecker

    async def read(self, document: Any, at: str = "") -> list[Entry]:
        """The descriptors in a document, which stands at the place `at` of a larger one.

        Raises DocumentRefused with everything wrong, CheckerUnavailable.
        """
        entries: list[Entry] = []
        problems: list[FieldProblem] = []
        omitted = 0
        facets = await self.facets.current()
        for place, sent in listed(document, at):
            await asyncio.sleep(
                0
            )  # each of them may be as large as a body: others have their turn in between
            try:
                entry = read_descriptor(place, sent)
            except DocumentRefused as refused:
                problems += refused.problems
                omitted += refused.omitted
                continue
            entries.append(entry)
            found = await catalogue_problems(entry.descriptor, facets, self.contracts)
            found += await prompt_problems(entry.descriptor, self.contracts.sandbox)
            problems += map(entry.problem, found)
        problems += repeated(entries)
        if problems:
            raise DocumentRefused(problems, omitted)
        return entries

    async def register(
        self, entries: Sequence[Entry], who: str, source: Source, tenant: str = DEFAULT_TENANT
    ) -> set[tuple[str, str]]:
        """Register all or none; id and version of those that are new.

        Raises NameNotTheirs, VersionTaken, StoreUnavailable.
        """
        by_key = {entry.key: entry for entry in entries}
        for entry in entries:
            require_own_name(entry.descriptor.id, tenant)
        for _ in range(_TRIES):
            made = await add_versions(self.store, [entry.wire for entry in entries], who, source, tenant)
            if foreign := next((each for each in made if each.foreign), None):
                raise NameNotTheirs(foreign.capability_id, tenant)
            clashing = [each for each in made if each.clashes]
            if clashing:
                problems = [
                    entry.problem(each)
                    for clash in clashing
                    for entry in [by_key[clash.capability_id, clash.version]]
                    for each in differences(clash.descriptor, entry.wire)
                ]
                raise VersionTaken([f"{each.capability_id}@{each.version}" for each in clashing], problems)
            if all(each.added or each.same for each in made):
                return {(each.capability_id, each.version) for each in made if each.added}
        raise VersionTaken(["@".join(each) for each in by_key], [])
