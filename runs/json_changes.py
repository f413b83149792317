"""Where two JSON documents differ, as places with what is there in each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, cast

import orjson

from runs.event import Json, JsonObject
from runs.values import value
from schemas import pointer

MAX_CHANGES = 100
MAX_SHOWN_BYTES = 2_000
"""Larger values are not shown, but where they are."""

ChangeKind = Literal["added", "removed", "changed"]
Place = tuple[str | int, ...]


@value
class Change:
    """A place in two documents: `a` has no value where it was added, `b` none where it was removed."""

    pointer: str
    kind: ChangeKind
    a: Json = None
    b: Json = None

    def to_wire(self) -> JsonObject:
        """The change with its values, as far as they are small."""
        wire: JsonObject = {"pointer": self.pointer, "kind": self.kind}
        for name, shown in (("a", self.kind != "added"), ("b", self.kind != "removed")):
            if shown:
                there = getattr(self, name)
                size = len(orjson.dumps(there))
                wire |= {name: there} if size <= MAX_SHOWN_BYTES else {f"{name}Bytes": size}
        return wire


def json_changes(a: Json, b: Json, limit: int = MAX_CHANGES) -> list[Change]:
    """The first `limit` places where two documents differ, in the order of the first; [] for equal ones."""
    found: list[Change] = []
    for change in _changes(a, b, ()):
        found.append(change)
        if len(found) == limit:
            break
    return found


def _changes(a: Json, b: Json, place: Place) -> Iterator[Change]:
    if a is b or (type(a) is type(b) and a == b):
        return
    if isinstance(a, dict) and isinstance(b, dict):
        yield from _of_members(cast(JsonObject, a), cast(JsonObject, b), place)
    elif isinstance(a, list) and isinstance(b, list):
        left, right = cast("list[Json]", a), cast("list[Json]", b)
        yield from _of_members(dict(enumerate(left)), dict(enumerate(right)), place)
    else:
        yield Change(pointer.build(place), "changed", a, b)


def _of_members(a: dict[Json, Json], b: dict[Json, Json], place: Place) -> Iterator[Change]:
    for name, was in a.items():
        here = (*place, cast("str | int", name))
        if name in b:
            yield from _changes(was, b[name], here)
        else:
            yield Change(pointer.build(here), "removed", was)
    for name, new in b.items():
        if name not in a:
            yield Change(pointer.build((*place, cast("str | int", name))), "added", None, new)
