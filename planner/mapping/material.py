"""What a scenario gives the mapper: sources by name, and its words. The mapper has no words of its own.

A run makes one or more items of one kind, each by a node. An array of the contract is filled with all of them, an
object with one, and everything else is looked up by name in a scope.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Protocol

from planner.mapping.problems import Mapped
from planner.mapping.scopes import Scope
from planner.mapping.sources import Source


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of a scenario. The names are canonical (`planner.mapping.names.canonical`).

    Messages call one item `item_noun`, an item without a name `whole_item`, and all of them `items_noun`.
    `item_lists` are lists that hold the items even where the contract says nothing of what is in them, `item_objects`
    objects that hold an item whichever names its parts have, `item_fields` the names of what an item has, and
    `whole_objects` objects that are filled even where the contract does not say what they have.
    `item_shape` and `output_shape` are the schemas for a contract that says nothing. Of an item there is enough where
    two parts of it are delivered, or one of `telling_parts`.
    """

    item_noun: str
    whole_item: str
    items_noun: str
    item_lists: frozenset[str]
    item_objects: frozenset[str]
    item_fields: Mapping[str, str]
    whole_objects: frozenset[str]
    item_shape: Mapping[str, Any]
    output_shape: Mapping[str, Any]
    telling_parts: frozenset[str]

    def is_item(self, content: AbstractSet[str]) -> bool:
        """Whether these parts are enough of an item to say that this is what the caller means."""
        return len(content) > 1 or bool(content & self.telling_parts)


class Item(Protocol):
    """One of the things that the run makes; `node_id` makes it, `label` is its name in messages."""

    @property
    def node_id(self) -> str: ...

    @property
    def label(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Inside:
    """The scope inside an object.

    `whole` is the object itself where there is one to hand over, with `facet`, the schema of all that may be in it.
    `certain` says that the name leaves no doubt what the object holds.
    """

    scope: Scope
    whole: Mapped | None = None
    facet: Mapping[str, Any] | None = None
    in_item: bool = False
    certain: bool = True


class Material(Protocol):
    """All that a plan has to give."""

    @property
    def vocabulary(self) -> Vocabulary: ...

    @property
    def items(self) -> Sequence[Item]:
        """What an array of the contract is filled with, in order; there is one at least."""
        ...

    @property
    def fit_key(self) -> Hashable:
        """What a mapping depends on beside the contract, where it does not depend on what the envelope says."""
        ...

    @property
    def touched(self) -> AbstractSet[str]:
        """What has been looked up so far in what the envelope says; while it is empty, only `fit_key` counts."""
        ...

    def root_scope(self) -> Scope:
        """The names at the top of a contract."""
        ...

    def item_scope(self, index: int) -> Scope:
        """The names inside the item with this index."""
        ...

    def whole_text(self, scope: Scope, *, in_item: bool) -> Source | None:
        """The item of `scope` as one text; outside of an item, all of them as one text."""
        ...

    def item_named(self, name: str) -> int | None:
        """The index of the item that a name speaks of."""
        ...

    def names_absent_item(self, name: str) -> bool:
        """Whether a name speaks of an item that there is not to be."""
        ...

    def inside(self, name: str, scope: Scope, *, in_item: bool) -> Inside:
        """What holds inside the object `name` of `scope`; the whole output and a whole item have no name."""
        ...

    def narrowed(self, scope: Scope, names: Iterable[str]) -> Scope:
        """The scope for an object that declares members of these names."""
        ...

    def available(self) -> str:
        """A sentence that says what a contract may ask for."""
        ...
