"""The world that runs are made in: a few facets, and capabilities that take their time, fail, ask and err."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from executor.capability import CapabilityContext, CapabilityError
from runs.event import Json, JsonObject
from schemas.capability import CapabilityDescriptor
from schemas.facets import DIALECT, Facet

FACET_NAMES = ("label", "metal", "ore", "part", "report")
ORDERED = ("part", "label", "report")
"""The facets that callers ask for."""

_MADE_OF: Sequence[tuple[str, list[str], str]] = (
    ("sim.mine", [], "ore"),
    ("sim.smelt", ["ore"], "metal"),
    ("sim.cast", ["metal"], "part"),
    ("sim.print", [], "label"),
    ("sim.assay", ["ore", "metal"], "report"),
)
WRONG: JsonObject = {"n": "not a number"}


def facet(name: str) -> Facet:
    """A facet whose value is an object with a number."""
    schema: JsonObject = {
        "$schema": DIALECT,
        "title": name,
        "description": f"One {name}.",
        "type": "object",
        "required": ["n"],
        "properties": {"n": {"type": "integer", "minimum": 0}},
        "additionalProperties": False,
    }
    return Facet(name, schema["description"], schema)


class Drawn:
    """A capability whose attempts end as they are drawn. `trouble` is how much goes wrong now, from 0 to 1."""

    def __init__(
        self,
        made_of: tuple[str, list[str], str],
        random: Random,
        trouble: Callable[[], float],
        begun: Callable[[JsonObject], None],
        made: Callable[[JsonObject, Json], None],
    ) -> None:
        capability_id, needs, gives = made_of
        self._descriptor = CapabilityDescriptor(
            id=capability_id, label=capability_id, facets_in=[*needs], facets_out=[gives], timeout_seconds=5
        )
        self._random = random
        self._trouble = trouble
        self._begun = begun
        self._made = made

    @property
    def descriptor(self) -> CapabilityDescriptor:
        return self._descriptor

    async def run(self, context: CapabilityContext) -> Json:
        """The output of the attempt, right or wrong."""
        self._begun(context.bundle)
        draw = self._random.random
        await asyncio.sleep(draw() * draw() * 2)
        wrong = draw() < 0.6 * self._trouble()
        output = await self._go_wrong(context) if wrong else self._number()
        self._made(context.bundle, output)
        return output

    def _number(self) -> JsonObject:
        return {"n": self._random.randrange(10**9)}

    async def _go_wrong(self, context: CapabilityContext) -> Any:
        match self._random.randrange(6):
            case 0:
                return WRONG
            case 1:
                await context.log("this will not do")
                raise CapabilityError("drawn", "drawn to fail")
            case 2:
                raise CapabilityError("drawn", "it may have taken effect", outcome_unknown=True)
            case 3:
                await asyncio.sleep(self._random.random() * 20)
                return self._number()
            case 4:
                raise CapabilityError(
                    "drawn", "drawn to fail for good", retryable=self._random.random() < 0.7
                )
            case _:
                if context.bundle.get("answers"):
                    return self._number()
                return context.clarify("How many?", [{"id": "few", "label": "A few"}])


def capabilities(
    random: Random,
    trouble: Callable[[], float],
    begun: Callable[[JsonObject], None],
    made: Callable[[JsonObject, Json], None],
) -> list[Drawn]:
    """Those that a worker serves."""
    return [Drawn(each, random, trouble, begun, made) for each in _MADE_OF]
