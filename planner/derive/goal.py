"""What a contract asks for, in facets: which of them are wanted, and how the output is made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from planner.planner import JsonObject, PlanRefused

_MARK = "\0"
"""What no facet's name begins with."""


def made_anew(facet: str) -> str:
    """The facet as something that is to be made although it is given."""
    return f"{_MARK}anew:{facet}"


def choice(number: int) -> str:
    """What one of several facets will do for."""
    return f"{_MARK}choice:{number}"


@dataclass(frozen=True, slots=True)
class Part:
    """A facet, or what a JSON pointer leads to in it; `copy` is the variant that it is of, None for all of them.

    `ask` is what the node that makes the facet is asked for beyond the facet's own schema. An `anew` one is made
    although it is given.
    """

    facet: str
    place: str = ""
    copy: int | None = None
    ask: JsonObject | None = None
    anew: bool = False

    @property
    def wanted(self) -> str:
        """What the search has to reach."""
        return made_anew(self.facet) if self.anew else self.facet


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """A place of the output; each of its options will do, the first one that is made is taken."""

    options: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Goal:
    """`template` is the output with a `Slot` in the place of what is made; `copies` how many variants it has.

    `matched` says of which facet each place of a schema is made.
    """

    template: Any
    facets: tuple[str, ...] = ()
    copies: int = 1
    matched: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def slots(self) -> list[Slot]:
        """All of them, in the order of the output."""
        return list(slots_in(self.template))


def slots_in(template: Any) -> Iterator[Slot]:
    """The slots of a template, in order."""
    if isinstance(template, Slot):
        yield template
    elif isinstance(template, dict):
        for each in cast("dict[str, Any]", template).values():
            yield from slots_in(each)
    elif isinstance(template, list):
        for each in cast("list[Any]", template):
            yield from slots_in(each)


def filled(template: Any, fill: Mapping[Slot, Any]) -> Any:
    """The template with these values in its slots."""
    if isinstance(template, Slot):
        return fill[template]
    if isinstance(template, dict):
        return {key: filled(each, fill) for key, each in cast("dict[str, Any]", template).items()}
    if isinstance(template, list):
        return [filled(each, fill) for each in cast("list[Any]", template)]
    return template


@dataclass(frozen=True, slots=True)
class Unmet:
    """A place of the contract for which nothing is made.

    `lacking` are facets that would do and that something gives, but not from what there is.
    """

    code: str
    message: str
    path: str
    lacking: Sequence[str] = ()


class GoalUnmet(Exception):
    """The contract asks for something that nothing gives. `refused` is what is to be said, where that is known."""

    def __init__(self, unmet: Sequence[Unmet], refused: PlanRefused | None = None) -> None:
        super().__init__(unmet)
        self.unmet = list(unmet)
        self.refused = refused
