"""Registering what files of descriptors say: each file by itself, and nothing of one that has a mistake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eventstore.capabilities import capability_rows, register
from eventstore.errors import ValueRefused
from registry.descriptors import Entry
from registry.differences import differences
from registry.facet_registrar import FacetRegistrar
from registry.files import DescriptorFile, FileFaulty, descriptor_paths, read_descriptors
from registry.registrar import Registrar, VersionTaken
from schemas.facet_body import FacetBody
from schemas.parsing import validate_document
from schemas.refusal import DocumentRefused, FieldProblem


@dataclass(frozen=True, slots=True)
class FolderReport:
    """What came of reading files: the capabilities and facets that they have, and every mistake with file and line."""

    registered: list[str]
    mistakes: list[str]


@dataclass(frozen=True, slots=True)
class DescriptorFolder:
    """The files and folders that a process reads. `who` names it in the registry."""

    paths: Sequence[Path]
    registrar: Registrar
    facets: FacetRegistrar
    who: str

    def read(self) -> tuple[list[DescriptorFile], list[str]]:
        """The files, and the mistakes of those that cannot be read."""
        files: list[DescriptorFile] = []
        mistakes: list[str] = []
        for path in self.paths:
            try:
                found = descriptor_paths([path])
            except FileFaulty as fault:
                mistakes.append(str(fault))
                continue
            for each in found:
                try:
                    files.append(read_descriptors(each))
                except FileFaulty as fault:
                    mistakes.append(str(fault))
        return files, mistakes

    async def register(self, files: Sequence[DescriptorFile], mistakes: Sequence[str]) -> FolderReport:
        """Register the facets of all files, then the capabilities. Raises StoreUnavailable, CheckerUnavailable."""
        report = FolderReport([], list(mistakes))
        for file in files:
            for place, sent in file.facets:
                await self._register_facet(file, place, sent, report)
        for file in files:
            await self._register_capabilities(file, report)
        return report

    async def _register_facet(
        self, file: DescriptorFile, place: str, sent: Any, report: FolderReport
    ) -> None:
        try:
            facet = validate_document(FacetBody, sent).facet
            await self.facets.register(facet, "file")
            report.registered.append(f"facet {facet.name}@{facet.version}")
        except DocumentRefused as refused:
            report.mistakes.extend(file.said(_at(place, each)) for each in refused.problems)
        except ValueRefused as refused:
            report.mistakes.append(f"{file.where(place)}: the database cannot keep this: {refused}")
        except VersionTaken as taken:
            report.mistakes.append(f"{file.where(place)}: {taken}")
            report.mistakes.extend(file.said(_at(place, each)) for each in taken.problems)

    async def _register_capabilities(self, file: DescriptorFile, report: FolderReport) -> None:
        entries: list[Entry] = []
        problems: list[FieldProblem] = []
        for place, document in file.capabilities:
            try:
                entries += await self.registrar.read(document, place)
            except DocumentRefused as refused:
                problems += refused.problems
        problems += [] if problems else await self._taken(entries)
        if problems:
            report.mistakes.extend(map(file.said, problems))
            return
        try:
            await register(self.registrar.store, [entry.wire for entry in entries], self.who, "file")
        except ValueRefused as refused:
            report.mistakes.append(f"{file.path}: the database cannot keep this: {refused}")
            return
        report.registered.extend("@".join(entry.key) for entry in entries)

    async def _taken(self, entries: Sequence[Entry]) -> list[FieldProblem]:
        """Where others than files have registered the same versions in other words."""
        problems: list[FieldProblem] = []
        for entry in entries:
            capability_id, version = entry.key
            rows = await capability_rows(self.registrar.store, capability_id)
            problems += [
                entry.problem(each)
                for row in rows
                if row.version == version and row.source != "file"
                for each in differences(row.descriptor, entry.wire)
            ]
        return problems


def _at(place: str, problem: FieldProblem) -> FieldProblem:
    return FieldProblem(problem.code, place + problem.pointer, problem.message)
