"""Limits as endpoints show them."""

from __future__ import annotations

from typing import Literal

from eventstore.tenant_limits import LimitRow
from gateway.response import Response, document
from runs.event import JsonObject
from schemas.base import Timestamp
from schemas.limits import WHOLE_TENANT, Level, LimitName


class LimitEntry(Response):
    """A limit that is set. Without `actor` it is that of the tenant as a whole, with `*` that of each of its callers.

    `most` is null where there is to be no limit, whatever FLEXRUN_LIMITS says.
    """

    tenant: str
    actor: str | None = None
    name: LimitName
    most: int | None
    set_at: Timestamp
    set_by: str

    @classmethod
    def of(cls, row: LimitRow) -> JsonObject:
        """A limit as its row has it."""
        shown = document(cls, row, leave_out=("actor",))
        return shown if row.actor == WHOLE_TENANT else {**shown, "actor": row.actor}


class LimitList(Response):
    """By tenant, caller and name; `nextCursor` is there while there are more."""

    limits: list[LimitEntry]
    next_cursor: str | None = None


class LimitHolding(Response):
    """What holds for a caller: a limit of its tenant as a whole, or of the caller alone.

    `origin`: it is set for this caller or tenant (`set`), or FLEXRUN_LIMITS of this gateway says so (`settings`).
    """

    level: Level
    name: LimitName
    most: int
    origin: Literal["set", "settings"]


class LimitsShown(Response):
    """What holds for a caller of a tenant, and for the tenant as a whole."""

    tenant: str
    actor: str | None = None
    limits: list[LimitHolding]
