"""What the settings of a part are made of: dataclasses that pydantic checks when they are made.

A value that cannot work (a batch of 0, a lease shorter than the heartbeat that extends it) raises pydantic's
ValidationError, which names the part and the setting, instead of a worker that does nothing.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

Seconds = Annotated[float, Field(ge=0)]
"""A duration; 0 is none."""

Period = Annotated[float, Field(gt=0)]
"""A duration between two turns of a loop, or for which something holds: never 0."""

Count = Annotated[int, Field(ge=1)]
"""A number of things of which one at least is needed."""


def require_longer(name: str, seconds: float, than: str, other: float) -> None:
    """Raise ValueError where `seconds` of setting `name` are not more than `other` of setting `than`."""
    if seconds <= other:
        raise ValueError(f"{name} ({seconds:g} s) must be longer than {than} ({other:g} s)")
