"""What is kept of a planning attempt: each try, and what it used (`schemas.planning`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from planner.planner import JsonObject

MAX_KEPT = 20
"""Diagnostics of one try that are kept with the run."""


@dataclass(slots=True)
class Record:
    """The tries of one planning attempt, as the log has them."""

    model: str
    seconds_used: float = 0.0
    tries: list[JsonObject] = field(default_factory=list["JsonObject"])

    def add(self, code: str, diagnostics: list[JsonObject], usage: JsonObject | None) -> None:
        """One more try."""
        entry: JsonObject = {"code": code, "diagnostics": diagnostics[:MAX_KEPT]}
        self.tries.append(entry if usage is None else {**entry, "usage": usage})

    def to_wire(self, planner: Literal["model", "contract"], code: str, reason: str) -> JsonObject:
        """All of it, and who planned in the end, and why."""
        planning: JsonObject = {
            "planner": planner,
            "code": code,
            "reason": reason,
            "model": self.model,
            "tries": list(self.tries),
        }
        used = self.usage()
        return {**planning, "usage": used} if used else planning

    def usage(self) -> JsonObject:
        """What the tries used together; {} where the endpoint reported nothing."""
        total: JsonObject = {}
        for usage in (each["usage"] for each in self.tries if "usage" in each):
            for key, value in usage.items():
                total[key] = total.get(key, 0) + value if isinstance(value, int | float) else value
        if "seconds" in total:
            total["seconds"] = round(total["seconds"], 3)
        return total

    @property
    def tokens(self) -> int:
        """The tokens that were used so far."""
        used = self.usage()
        return int(used.get("inputTokens", 0) + used.get("outputTokens", 0))
