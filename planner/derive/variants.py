"""How many variants there are to be, and which instruction is for which of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_lowercase
from typing import Any

from planner.planner import JsonObject, PlanRefused, diagnostic
from planner.text import as_list, as_object, clip
from schemas.planner_policies import MAX_VARIANTS, PlannerPolicies

MAX_INSTRUCTION_CHARS = 2_000
"""Bundles are stored with the plan; a capability finds the whole text in the envelope's `specialInstructions`."""
_DEFAULT_COUNTS = (2, 1, 3, 4, 5, 6)
_MAX_OBJECTIVE_CHARS = 20_000
_PLACES = ("inputs", "policies", "constraints")
_TOPOLOGY = "/policies/planner/topology/variantCount"

_NUMBERS = {
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
}
_THINGS = ("variant", "version", "draft", "option", "alternative")
"""What an objective counts, beside what a facet is called."""

_NOUN = re.compile(r"[a-z]{3,30}")


@lru_cache(maxsize=64)
def _counted(nouns: frozenset[str]) -> re.Pattern[str]:
    """A number, at most three words, and what is counted."""
    things = "|".join(sorted((*_THINGS, *nouns)))
    number = rf"an?|single|{'|'.join(_NUMBERS)}|\d{{1,4}}"
    return re.compile(rf"\b({number})\s+(?:[\w'&-]+\s+){{0,3}}?(?:{things})s?\b")


_MAX_READ_CHARS = 1_000
"""How much of an instruction is searched for the variants that it names; they are named early."""

_NAME = r"(?:[A-Z]|\d{1,2})(?![\w-])"
_NAMED = re.compile(
    rf"\b[Vv](?:ariants?|ARIANTS?)\s+({_NAME}(?:\s*(?:,|&|and|or|\+)+\s*(?:[Vv]ariants?\s+)?{_NAME})*)"
)
_LOWER = re.compile(
    r"\bvariant\s+([a-z])(?=\s*(?::|should\b|must\b|needs?\b|has\b|is\b|shall\b|will\b|can\b))",
    re.IGNORECASE | re.ASCII,
)
_EACH = re.compile(_NAME)


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant of the plan: `a`, called `Variant A`, the first of them."""

    id: str
    label: str
    position: int
    instructions: tuple[str, ...] = ()

    def described(self) -> JsonObject:
        """What a node's bundle says of it."""
        said: JsonObject = {"id": self.id, "label": self.label, "position": self.position}
        return {**said, "instructions": list(self.instructions)} if self.instructions else said


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many variants the envelope asks for.

    `count` with `path` is what it says; without a count, `preferred` lists what to try against the contract, in order.
    """

    count: int | None
    path: str
    preferred: tuple[int, ...]


ONE = Wanted(None, "", (1,))
"""One of everything."""


def wanted_variants(
    envelope: JsonObject, policies: PlannerPolicies, named: int, nouns: Iterable[str] | None
) -> Wanted:
    """Read `variantCount`, else the number in the objective; `named` is how far the instructions count.

    `nouns` are what the things are called of which there may be several; None says that nothing is known to be made
    more than once: then `inputs.variantCount` may mean anything, and the objective is not asked.

    Raises PlanRefused for a number that is none, is out of range, or contradicts another.
    """
    stated = [(_TOPOLOGY, policies.topology.variant_count)] if policies.topology.variant_count else []
    stated += [(f"/{place}/variantCount", value) for place in _PLACES
               if (value := as_object(envelope.get(place)).get("variantCount")) is not None
               and (nouns is not None or place != "inputs" or _is_count(value))]  # fmt: skip
    if stated:
        return _explicit([(path, _whole(path, value)) for path, value in stated])
    if nouns is None:
        return ONE
    counted = frozenset(each for each in nouns if _NOUN.fullmatch(each))
    numbers, single = _in_objective(str(envelope.get("objective") or "")[:_MAX_OBJECTIVE_CHARS], counted)
    if len(numbers) == 1:
        return _explicit([("/objective", _in_range("/objective", next(iter(numbers))))])
    first = (named,) if named else ((1,) if single else ())
    at_least = [count for count in (*first, *_DEFAULT_COUNTS, *range(1, MAX_VARIANTS + 1)) if count >= named]
    return Wanted(None, "", tuple(dict.fromkeys(at_least)))


def _is_count(value: Any) -> bool:
    whole = isinstance(value, int | float) and not isinstance(value, bool) and float(value).is_integer()
    return whole and 1 <= value <= MAX_VARIANTS


def _explicit(stated: list[tuple[str, int]]) -> Wanted:
    path, count = stated[0]
    for other_path, other in stated[1:]:
        if other != count:
            message = f"{path} asks for {count} variants and {other_path} for {other}; say one number."
            raise PlanRefused([diagnostic("variant_count_conflict", message, other_path)])
    return Wanted(count, path, (count,))


def _whole(path: str, value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        message = f"variantCount is a whole number from 1 to {MAX_VARIANTS}, not {str(value)[:40]!r}."
        raise PlanRefused([diagnostic("variant_count_invalid", message, path)])
    return _in_range(path, value)


def _in_range(path: str, count: int) -> int:
    if not 1 <= count <= MAX_VARIANTS:
        message = f"1 to {MAX_VARIANTS} variants can be made, not {count}."
        raise PlanRefused([diagnostic("variant_count_invalid", message, path)])
    return count


def _in_objective(objective: str, nouns: frozenset[str]) -> tuple[set[int], bool]:
    """The numbers that the objective names, and whether it speaks of a single one."""
    numbers: set[int] = set()
    single = False
    for match in _counted(nouns).finditer(objective.lower()):
        word = match[1]
        if word in ("a", "an", "single"):
            single = True
        else:
            numbers.add(_NUMBERS[word] if word in _NUMBERS else int(word))
    return numbers, single


@dataclass(frozen=True, slots=True)
class Instructions:
    """`general` is for every variant, `of_variant` for the variant with that position (1, 2, …)."""

    general: tuple[str, ...]
    of_variant: dict[int, tuple[str, ...]]
    first_path: dict[int, str]

    @property
    def highest(self) -> int:
        return max(self.of_variant, default=0)

    def check(self, count: int) -> None:
        """Raises PlanRefused for an instruction about a variant that there will not be."""
        problems = [
            diagnostic(
                "variant_unknown",
                f"This speaks of variant {_letter(position)}, and there are to be {count} variant(s).",
                self.first_path[position],
            )
            for position in sorted(self.of_variant)
            if not 1 <= position <= count
        ]
        if problems:
            raise PlanRefused(problems)


def read_instructions(envelope: JsonObject, more: Iterable[str] = ()) -> Instructions:
    """`specialInstructions`, sorted by the variant that they name; `more` is general."""
    general: list[str] = []
    of_variant: dict[int, list[str]] = {}
    first_path: dict[int, str] = {}
    for index, instruction in enumerate(as_list(envelope.get("specialInstructions"))):
        if not isinstance(instruction, str) or not instruction.strip():
            continue
        instruction = clip(instruction, MAX_INSTRUCTION_CHARS)  # noqa: PLW2901 - only the shorter one is of use
        named = _positions(instruction)
        if not named:
            general.append(instruction)
        for position in named:
            of_variant.setdefault(position, []).append(instruction)
            first_path.setdefault(position, f"/specialInstructions/{index}")
    by_position = {position: tuple(texts) for position, texts in of_variant.items()}
    return Instructions((*general, *more), by_position, first_path)


def _positions(instruction: str) -> list[int]:
    instruction = instruction[:_MAX_READ_CHARS]
    names = [name for group in _NAMED.finditer(instruction) for name in _EACH.findall(group[1])]
    names += [match[1] for match in _LOWER.finditer(instruction)]
    return list(
        dict.fromkeys(
            int(name) if name.isdigit() else ascii_lowercase.index(name.lower()) + 1 for name in names
        )
    )


def _letter(position: int) -> str:
    return ascii_lowercase[position - 1].upper() if 1 <= position <= len(ascii_lowercase) else str(position)


def make_variants(count: int, instructions: Instructions) -> tuple[Variant, ...]:
    """Variants A, B, … with the instructions that name them."""
    return tuple(
        Variant(
            id=ascii_lowercase[index],
            label=f"Variant {ascii_lowercase[index].upper()}",
            position=index + 1,
            instructions=instructions.of_variant.get(index + 1, ()),
        )
        for index in range(count)
    )
