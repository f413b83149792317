"""Comparing and measuring JSON values, each in one pass however many there are."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, cast

CHARS_A_VALUE = 64
"""A text of this length costs as much to look at as one value."""


def frozen(value: Any) -> Hashable:
    """What equal JSON values have in common: 1 equals 1.0, and true equals neither."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, list):
        return ("list", tuple(map(frozen, cast("list[Any]", value))))
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return ("dict", frozenset((name, frozen(member)) for name, member in members.items()))
    return value


def frozen_set(values: Iterable[Any]) -> frozenset[Hashable]:
    """The values, to look others up in."""
    return frozenset(map(frozen, values))


def weight(value: Any) -> int:
    """How many values a look at all of `value` touches; long texts count as several. Never recursive."""
    total = 0
    waiting: list[Any] = [value]
    while waiting:
        each = waiting.pop()
        total += 1
        if isinstance(each, str):
            total += len(each) // CHARS_A_VALUE
        elif isinstance(each, list):
            waiting.extend(cast("list[Any]", each))
        elif isinstance(each, dict):
            members = cast("dict[str, Any]", each)
            total += sum(len(name) for name in members) // CHARS_A_VALUE
            waiting.extend(members.values())
    return total
