"""How much a tenant and its callers may take: the limits by name, what a setting says of them, and how one is changed.

A limit holds for a tenant as a whole (`tenant`) or for one caller of it (`actor`). One that is not set does not hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, StringConstraints, model_validator

from schemas.base import NOT_BLANK, Model, flaw, refused

LimitName = Literal[
    "unfinishedRuns",
    "runsPerMinute",
    "bytesPerDay",
    "openRequests",
    "webhooks",
    "openStreams",
    "requestsInFlight",
    "checksPerMinute",
    "weight",
]
"""`weight` limits nothing: a tenant of weight 2 is served twice as often as one of 1 while work of both waits."""

Level = Literal["tenant", "actor"]

LIMIT_NAMES: tuple[LimitName, ...] = get_args(LimitName)
LEVELS: tuple[Level, ...] = get_args(Level)

RATE_SECONDS: Mapping[LimitName, int] = MappingProxyType(
    {"runsPerMinute": 60, "bytesPerDay": 86_400, "checksPerMinute": 60}
)
"""The limits that are so much in a time, each with that time in seconds."""

AT_START: frozenset[LimitName] = frozenset({"unfinishedRuns", "runsPerMinute", "bytesPerDay", "openRequests"})
"""The limits that decide about the start of a run; the database counts for all gateways."""

WHOLE_TENANT = ""
"""In place of a caller's name: the limit is that of the tenant as a whole."""

EACH_ACTOR = "*"
"""In place of a caller's name: the limit is that of each caller for whom no other is set."""

MAX_LIMIT = 10**15
MAX_WEIGHT = 100
_OF_TENANTS = frozenset({"webhooks", "weight"})
_PART = re.compile(r"\s*([A-Za-z]+\.[A-Za-z]+)\s*=\s*([0-9]{1,16})\s*")

Most = Annotated[int, Field(ge=0, le=MAX_LIMIT)]
CallerName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NOT_BLANK)]

Defaults = Mapping[tuple[Level, LimitName], int]
"""What holds where nothing is set for a tenant or caller."""


class LimitsInvalid(ValueError):
    """`FLEXRUN_LIMITS` cannot be read; the text says why."""


class LimitsBody(Model):
    """The body of `POST /api/v1/flex/limits/{tenant}`: what is to hold from now on; what is not named stays.

    Without `actor` it holds for the tenant as a whole, with `*` for each of its callers, else for the one of this name.
    Null: there is no limit, whatever FLEXRUN_LIMITS says.
    """

    actor: CallerName | None = None
    limits: Annotated[dict[LimitName, Most | None], Field(min_length=1)]

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        for name, most in self.limits.items():
            if self.actor is not None and name in _OF_TENANTS:
                raise refused(flaw("limit_of_tenant", "This is for a tenant as a whole.", "limits", name))
            if wrong := _wrong(name, most):
                raise refused(flaw("out_of_range", wrong, "limits", name))
        return self


class LimitsUnsetBody(Model):
    """The body of `POST /api/v1/flex/limits/{tenant}/unset`: what FLEXRUN_LIMITS is to decide again."""

    actor: CallerName | None = None
    names: Annotated[list[LimitName], Field(min_length=1, max_length=len(LIMIT_NAMES))]


def parse_limits(text: str | None) -> Defaults:
    """What `tenant.runsPerMinute=600, actor.openStreams=50` says; nothing means no limits. Raises LimitsInvalid."""
    defaults: dict[tuple[Level, LimitName], int] = {}
    for part in filter(str.strip, (text or "").split(",")):
        key, most = _part(part)
        if key in defaults:
            raise LimitsInvalid(f"{key[0]}.{key[1]} is there twice")
        defaults[key] = most
    return MappingProxyType(defaults)


_KNOWN: Mapping[str, tuple[Level, LimitName]] = MappingProxyType(
    {
        f"{level}.{name}": (level, name)
        for level in LEVELS
        for name in LIMIT_NAMES
        if level == "tenant" or name not in _OF_TENANTS
    }
)


def _part(text: str) -> tuple[tuple[Level, LimitName], int]:
    found = _PART.fullmatch(text)
    if found is None:
        raise LimitsInvalid(
            f"{text.strip()[:80]!r} is no limit; write tenant.NAME=NUMBER or actor.NAME=NUMBER"
        )
    key, most = _KNOWN.get(found[1]), int(found[2])
    if key is None:
        raise LimitsInvalid(f"there is no limit {found[1][:80]!r}; there are {', '.join(_KNOWN)}")
    if wrong := _wrong(key[1], most):
        raise LimitsInvalid(f"{found[1]}: {wrong}")
    return key, most


def _wrong(name: LimitName, most: int | None) -> str | None:
    """What is wrong with a value, for people."""
    if name == "weight":
        return None if most is None or 1 <= most <= MAX_WEIGHT else f"a weight is from 1 to {MAX_WEIGHT}"
    return None if most is None or most <= MAX_LIMIT else f"it may be {MAX_LIMIT} at most"
