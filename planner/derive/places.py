"""A place of the caller's output, and what is wrong there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from planner.derive.goal import Unmet

ANNOTATION = "x-facet"
UNSATISFIABLE = "contract_unsatisfiable"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the output we are; inside an item of an array, `item` is the facet that it is made of."""

    name: str = ""
    depth: int = 0
    item: str | None = None
    copy: int | None = None

    def inside(self, name: str) -> Place:
        return replace(self, name=name, depth=self.depth + 1)


def told_facet(
    located: tuple[Any, str], place: Place, hints: Mapping[str, Any], schema_path: str
) -> str | None:
    """The facet, or the member of one (`facet#member`), that a hint or an annotation names for this place."""
    schema, path = located
    annotated: Any = cast("dict[str, Any]", schema).get(ANNOTATION) if isinstance(schema, dict) else None
    named = (hints.get(path.removeprefix(schema_path)), hints.get(place.name), annotated)
    return next((each for each in named if isinstance(each, str) and each), None)


class Problem(Exception):
    def __init__(self, unmet: Sequence[Unmet]) -> None:
        super().__init__(unmet)
        self.unmet = list(unmet)


def problem(path: str, message: str, lacking: Sequence[str] = (), code: str = UNSATISFIABLE) -> Problem:
    return Problem([Unmet(code, message, path, lacking)])
