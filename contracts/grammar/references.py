"""Finds every reference of a schema and what it points to, and refuses those that leave the document."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import unquote

from contracts.grammar.subschemas import REFERENCES, Schema, children, every_subschema
from contracts.problems import SchemaProblem
from schemas import pointer
from schemas.json_text import Path
from schemas.refusal import MAX_PROBLEMS


@dataclass(slots=True)
class ReferenceMap:
    """Every object schema that can be evaluated, and where its references lead.

    `targets` is keyed by `id()` of the schema that holds the reference: the parsed document outlives the map.
    """

    schemas: list[tuple[Path, Schema]] = field(default_factory=list[tuple[Path, Schema]])
    targets: dict[int, list[Schema]] = field(default_factory=dict[int, list[Schema]])
    problems: list[SchemaProblem] = field(default_factory=list[SchemaProblem])


def map_references(root: Schema) -> ReferenceMap:
    """Walk `root` and every place that a reference makes a schema of (`#/components/...` is one)."""
    return _Walk(root).run()


class RemoteReference(Exception):
    """A reference leads out of its document."""


class LocalReferences:
    """Resolves the references of one schema to places in it."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._anchors: dict[str, tuple[Path, Schema]] | None = None

    def resolve(self, reference: str) -> tuple[Path, Any]:
        """The path of what `reference` names, and the value there, which need not be a schema.

        Raises LookupError where there is nothing, RemoteReference for another document.
        """
        base, _, fragment = reference.partition("#")
        if base and base != _own_uri(self._root):
            raise RemoteReference
        place = unquote(fragment)
        if place and not place.startswith("/"):
            return self._anchored()[place]
        return tuple(pointer.split(place)), pointer.resolve(self._root, place)

    def _anchored(self) -> dict[str, tuple[Path, Schema]]:
        """The schemas that have names; collected when the first of them is looked up."""
        if self._anchors is None:
            self._anchors = {
                name: (path, schema)
                for path, schema in every_subschema(self._root)
                for name in _anchors(schema)
            }
        return self._anchors


class _Walk:
    def __init__(self, root: Schema) -> None:
        self.references = LocalReferences(root)
        self.found = ReferenceMap()
        self.seen: set[int] = set()
        self.waiting: deque[tuple[Path, Schema]] = deque([((), root)])

    def run(self) -> ReferenceMap:
        while self.waiting:
            path, schema = self.waiting.pop()
            if id(schema) in self.seen:
                continue  # and so is all below it, or it waits: references may lead to one place a thousand times
            self.seen.add(id(schema))
            below = [((*path, *relative), child) for _, relative, child in children(schema)]
            self.waiting.extend(reversed(below))
            self.visit(path, schema)
        return self.found

    def visit(self, path: Path, schema: Schema) -> None:
        self.found.schemas.append((path, schema))
        for keyword in REFERENCES:
            reference = schema.get(keyword)
            if isinstance(reference, str):  # anything else is for the meta-schema to refuse
                self.follow(path, schema, keyword, reference)

    def follow(self, path: Path, schema: Schema, keyword: str, reference: str) -> None:
        try:
            target_path, target = self.references.resolve(reference)
        except RemoteReference:
            self.refuse(_remote, (*path, keyword), reference)
            return
        except LookupError:
            self.refuse(_unresolved, (*path, keyword), reference)
            return
        if isinstance(target, dict):
            found = cast("Schema", target)
            self.found.targets.setdefault(id(schema), []).append(found)
            if id(found) not in self.seen:
                self.waiting.appendleft((target_path, found))

    def refuse(self, problem: Callable[[str, str], SchemaProblem], path: Path, reference: str) -> None:
        if len(self.found.problems) < MAX_PROBLEMS:
            self.found.problems.append(problem(pointer.build_bounded(path), reference))


def _own_uri(root: Schema) -> str:
    """What a schema calls itself, without fragment: a reference to that stays in the document."""
    identifier = root.get("$id", root.get("id", ""))
    return identifier.partition("#")[0] if isinstance(identifier, str) else ""


def _anchors(schema: Schema) -> list[str]:
    """The plain names that a schema can be referred to by; `$id: "#name"` is how drafts 4 to 7 wrote an anchor."""
    names = [schema.get("$anchor"), schema.get("$dynamicAnchor")]
    old_style = [schema.get("$id"), schema.get("id")]
    names += [text[1:] for text in old_style if isinstance(text, str) and text.startswith("#")]
    return [name for name in names if isinstance(name, str)]


def _remote(where: str, reference: str) -> SchemaProblem:
    message = (
        f"This refers to another document ({reference[:200]!r}). A contract must be complete in itself: "
        "copy the definition into $defs and refer to it as '#/$defs/name'."
    )
    return SchemaProblem("schema_remote_ref", where, message)


def _unresolved(where: str, reference: str) -> SchemaProblem:
    return SchemaProblem(
        "schema_unresolved_ref", where, f"There is nothing at {reference[:200]!r} in this schema."
    )
