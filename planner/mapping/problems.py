"""The result of mapping one place of a contract: an expression, or the reasons why there is none."""

from __future__ import annotations

from dataclasses import dataclass

from planner.mapping.sources import Demand
from runs.expression import Expression

UNSATISFIABLE = "contract_unsatisfiable"
COUNT = "item_count_conflict"
"""The contract takes another number of items. A scenario says this by a code of its own."""


@dataclass(frozen=True, slots=True)
class MappingProblem:
    """Why a place cannot be filled; `path` is a JSON pointer into the envelope."""

    code: str
    message: str
    path: str


class Unmappable(Exception):
    """A place that cannot be filled."""

    def __init__(self, problems: list[MappingProblem]) -> None:
        super().__init__(problems)
        self.problems = problems

    @classmethod
    def at(cls, path: str, message: str, code: str = UNSATISFIABLE) -> Unmappable:
        return cls([MappingProblem(code, message, path)])


@dataclass(frozen=True, slots=True)
class Mapped:
    """How a place is filled.

    `plain` says that it already has the shape in which the capabilities deliver; `content` names the parts of an item
    that are in it.
    """

    expression: Expression
    demands: tuple[Demand, ...] = ()
    plain: bool = False
    content: frozenset[str] = frozenset()
