"""From a document that somebody wrote to descriptors of capabilities, with every mistake at its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from registry.agent_words import translate
from runs.event import JsonObject
from schemas.base import json_type
from schemas.capability import CapabilityDescriptor
from schemas.parsing import validate_document
from schemas.pointer import escape
from schemas.refusal import DocumentRefused, FieldProblem

MANY = "capabilities"
"""The key of an object that holds several descriptors."""

MAX_DESCRIPTORS = 200
"""How many capabilities may be registered at once."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A descriptor, where it stands in its document, and what a place in it is called there."""

    descriptor: CapabilityDescriptor
    place: str
    as_sent: Callable[[str], str]

    @property
    def key(self) -> tuple[str, str]:
        return (self.descriptor.id, self.descriptor.version)

    @property
    def wire(self) -> JsonObject:
        """The descriptor as the registry keeps it."""
        return self.descriptor.registered()

    def problem(self, problem: FieldProblem) -> FieldProblem:
        """A problem in the descriptor, at its place in the document."""
        return FieldProblem(problem.code, self.place + self.as_sent(problem.pointer), problem.message)


def listed(document: Any, at: str = "") -> list[tuple[str, Any]]:
    """The descriptors of a document, each with its place: one, an array, or `{"capabilities": […]}`.

    The document itself stands at the place `at`.
    Raises DocumentRefused for a document of another shape.
    """
    if isinstance(document, list):
        return _items(at, cast("list[Any]", document))
    if isinstance(document, dict) and MANY in document:
        keys = cast("dict[str, Any]", document)
        others = [
            FieldProblem("unknown_key", f"{at}/{escape(key)}", f"Beside '{MANY}' there is nothing else.")
            for key in keys
            if key != MANY
        ]
        if others:
            raise DocumentRefused(others)
        if not isinstance(keys[MANY], list):
            message = f"This must be an array, not {json_type(keys[MANY])}."
            raise DocumentRefused([FieldProblem("wrong_type", f"{at}/{MANY}", message)])
        return _items(f"{at}/{MANY}", keys[MANY])
    return [(at, document)]


def _items(place: str, items: list[Any]) -> list[tuple[str, Any]]:
    if not 0 < len(items) <= MAX_DESCRIPTORS:
        message = f"At once 1 to {MAX_DESCRIPTORS} capabilities are registered, not {len(items)}."
        raise DocumentRefused([FieldProblem("out_of_range", place, message)])
    return [(f"{place}/{index}", each) for index, each in enumerate(items)]


def read_descriptor(place: str, sent: Any) -> Entry:
    """One descriptor, in our words or those of existing agents. Raises DocumentRefused with all that is wrong."""
    if not isinstance(sent, dict):
        message = f"A descriptor is an object, not {json_type(sent)}."
        raise DocumentRefused([FieldProblem("wrong_type", place, message)])
    translated = translate(cast("dict[str, Any]", sent))
    problems = [FieldProblem(each.code, place + each.pointer, each.message) for each in translated.problems]
    try:
        descriptor = validate_document(CapabilityDescriptor, translated.document)
    except DocumentRefused as refused:
        problems += [
            FieldProblem(each.code, place + translated.as_sent(each.pointer), each.message)
            for each in refused.problems
        ]
        raise DocumentRefused(problems, refused.omitted) from None
    if problems:
        raise DocumentRefused(problems)
    return Entry(descriptor, place, translated.as_sent)


def repeated(entries: list[Entry]) -> Iterator[FieldProblem]:
    """Those that stand in a document twice."""
    seen: dict[tuple[str, str], str] = {}
    for entry in entries:
        if entry.key in seen:
            message = f"{'@'.join(entry.key)} stands here twice, at {seen[entry.key] or 'the root'} too."
            yield entry.problem(FieldProblem("repeated", "/id", message))
        seen.setdefault(entry.key, entry.place)
