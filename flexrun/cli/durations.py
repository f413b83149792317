"""Durations as people type them: `30m`, `36h`, `90d`, `2w`."""

from __future__ import annotations

import re

import typer

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_FORM = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([smhdw])")
FORMS = "a number and s, m, h, d or w (90d)"


def seconds_of(text: str) -> float:
    """The seconds of a duration. Raises typer.BadParameter."""
    found = _FORM.fullmatch(text.strip().lower())
    if found is None:
        raise typer.BadParameter(f"{text[:50]!r} is no duration: {FORMS}")
    return float(found[1]) * _SECONDS[found[2]]
