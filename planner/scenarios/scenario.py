"""What a scenario is: a kind of task that the rule-based planner knows how to plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from planner.planner import JsonObject, PlanContext


class Scenario(Protocol):
    """`help` is one sentence that says how to ask for it."""

    @property
    def name(self) -> str: ...

    @property
    def help(self) -> str: ...

    def recognises(self, envelope: JsonObject) -> bool:
        """Whether the envelope says that this is what it wants."""
        ...

    def plan(
        self, envelope: JsonObject, descriptors: Mapping[str, JsonObject], context: PlanContext
    ) -> JsonObject:
        """The PlanGraph in wire form; `descriptors` by capability id. Raises PlanRefused with every reason."""
        ...
