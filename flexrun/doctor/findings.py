"""What the doctor says: one finding for each thing that it has looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Model

Level = Literal["ok", "warning", "problem"]
Area = Literal[
    "settings",
    "database",
    "broker",
    "clocks",
    "versions",
    "workers",
    "lag",
    "locks",
    "disk",
    "limits",
    "proof",
    "identity",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, what was seen, and what to do where it is not well."""

    area: Area
    check: str
    level: Level
    seen: str
    advice: str | None = None


class FindingShape(Model):
    """A finding as `--json` shows it."""

    area: Area
    check: str
    level: Level
    seen: str
    advice: str | None = None


class DoctorReport(Model):
    """The document that `flexrun doctor --json` prints. `status` is the worst level among the findings."""

    status: Level
    problems: Annotated[int, Field(ge=0)]
    warnings: Annotated[int, Field(ge=0)]
    findings: list[FindingShape]


def ok(area: Area, check: str, seen: str) -> Finding:
    """It is well."""
    return Finding(area, check, "ok", seen)


def warning(area: Area, check: str, seen: str, advice: str) -> Finding:
    """It works, and will not for long, or not as it should."""
    return Finding(area, check, "warning", seen, advice)


def problem(area: Area, check: str, seen: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(area, check, "problem", seen, advice)
