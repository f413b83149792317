"""Values that are never changed in place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def value(kind: type[T]) -> type[T]:
    """A dataclass that is frozen for the type checker, which sees every line, and not at run time.

    Deciding a run makes and copies such values all the time, and one that is frozen at run time sets each of its fields
    through a call. Without that an event is made in 0.2 µs in place of 1.0, and a run of three nodes decided in 96 µs
    in place of 173.
    """
    return dataclass(slots=True)(kind)
