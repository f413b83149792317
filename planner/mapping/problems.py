"""What comes of mapping one place of a contract."""

from __future__ import annotations

from dataclasses import dataclass

from planner.mapping.expression import Expression
from planner.mapping.sources import Demand

UNSATISFIABLE = "contract_unsatisfiable"
COUNT = "variant_count_conflict"


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

    `plain` says that it already has the shape in which the capabilities deliver; `content` names the parts of a post
    that are in it.
    """

    expression: Expression
    demands: tuple[Demand, ...] = ()
    plain: bool = False
    content: frozenset[str] = frozenset()
