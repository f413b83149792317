"""Where a name of the contract is looked up: the fields of a node, the members of an object, what a text has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as made_by
from typing import Any, Protocol

from planner.mapping.sources import Source, known_source
from runs.expression import count, reference


class Scope(Protocol):
    """Where a name is looked up."""

    def find(self, name: str) -> Source | None:
        """The source that a canonical name stands for here; None where it stands for nothing."""
        ...


@dataclass(frozen=True, slots=True)
class NodeScope:
    """The fields of a node's facet; `fields` leads from a caller's canonical name to the facet's own."""

    node_id: str
    facet: Mapping[str, Any]
    fields: Mapping[str, str]
    outer: Scope | None = None

    def find(self, name: str) -> Source | None:
        found = self.fields.get(name)
        if found is None:
            return self.outer.find(name) if self.outer else None
        return facet_field(self.node_id, self.facet, found)


def facet_field(node_id: str, facet: Mapping[str, Any], name: str) -> Source:
    """One field of what a node makes."""
    schema: Mapping[str, Any] = facet["properties"][name]
    return Source(schema["type"], reference(node_id, name), node_id=node_id, field=name, facet=schema)


@dataclass(frozen=True, slots=True)
class KnownScope:
    """The members of an object that the envelope has; `index` leads from a canonical name to the member's own."""

    members: Mapping[str, Any]
    index: Mapping[str, str]
    aliases: Mapping[str, str] = made_by(default_factory=dict[str, str])
    outer: Scope | None = None

    def find(self, name: str) -> Source | None:
        alias = self.aliases.get(name)
        key = alias if alias in self.members else self.index.get(name)
        if key is not None:
            return known_source(self.members[key])
        return self.outer.find(name) if self.outer else None


@dataclass(frozen=True, slots=True)
class TextScope:
    """What an object that stands for one text may ask of it: the text, its length, its number of words.

    `parts` leads from a canonical name to `text`, `words` or `characters`.
    """

    text: Source
    parts: Mapping[str, str]

    def find(self, name: str) -> Source | None:
        part = self.parts.get(name)
        if part == "text":
            return self.text
        return None if part is None or self.text.node_id is None else counted(self.text, part)


def counted(text: Source, what: str) -> Source:
    """The number of `words` or `characters` of a text that a node makes."""
    return Source(
        "integer",
        count(what, text.expression),
        node_id=text.node_id,
        field=text.field,
        aspect=what,
        joined=text.joined,
        content=text.content,
    )
