"""What an envelope says by name: in the facets that it brings, its inputs, its policies, its metadata."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from planner.derive.words import Words
from planner.mapping.names import canonical
from planner.planner import JsonObject
from planner.text import as_object

MAX_NAMES = 500
"""How many names of one object are looked at; planning is on the way of every run."""

_PLACES = ("inputs", "policies", "metadata")
_NOT_SAID = frozenset({"contextBundles", "facets"})


@dataclass(frozen=True, slots=True)
class Said:
    """`brought` are the facets that the envelope has, as objects; `words` those of all facets that have some."""

    envelope: JsonObject
    brought: Sequence[tuple[Words, JsonObject]]
    words: Sequence[Words]
    _index: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        policies = as_object(self.envelope.get("policies"))
        directives = as_object(as_object(policies.get("planner")).get("directives"))
        for place in (directives, *(as_object(self.envelope.get(each)) for each in _PLACES)):
            for name, value in islice(place.items(), MAX_NAMES):
                if name not in _NOT_SAID and value not in (None, ""):
                    self._index.setdefault(canonical(name), value)
        self._index.setdefault("task", self.envelope.get("objective"))
        self._index.setdefault("objective", self.envelope.get("objective"))

    def find(self, name: str) -> tuple[Any, ...]:
        """The value that a canonical name stands for, alone; () where the envelope does not say."""
        for words, value in self.brought:
            member = words.members.get(name)
            if member is not None and value.get(member) not in (None, ""):
                return (value[member],)
        if name in self._index:
            return (self._index[name],)
        for other in self._same(name):
            value = self._index.get(other)
            if value is not None and not isinstance(value, dict):
                return (value,)
        return ()

    def names(self) -> list[str]:
        """What there is, for a message."""
        brought = [name for words, value in self.brought for name in value if name in words.types]
        return list(dict.fromkeys([*brought, *self._index]))

    def _same(self, name: str) -> Iterable[str]:
        """The other names of what this one stands for."""
        for words in self.words:
            member = words.members.get(name)
            if member is not None:
                yield from (each for each, found in words.members.items() if found == member)


def brought_facets(given: Mapping[str, Any], schemas: Mapping[str, Words]) -> list[tuple[Words, JsonObject]]:
    """The facets among `given` that are objects and have words."""
    return [(words, as_object(given[name])) for name, words in schemas.items() if as_object(given.get(name))]
