"""A place of the caller's output, and what is wrong there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from planner.derive.goal import Unmet

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


class Problem(Exception):
    def __init__(self, unmet: Sequence[Unmet]) -> None:
        super().__init__(unmet)
        self.unmet = list(unmet)


def problem(path: str, message: str, lacking: Sequence[str] = (), code: str = UNSATISFIABLE) -> Problem:
    return Problem([Unmet(code, message, path, lacking)])
