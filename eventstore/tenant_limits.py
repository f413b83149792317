"""What tenants and their callers may take: the limits that are set, and the question whether a run may start.

The database counts, for all gateways at once: unfinished runs and open requests along an index and no further than the
limit, rates in one row each.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from eventstore.listener import LogListener
from eventstore.registry_copy import RegistryCopy
from eventstore.store import PATIENCE_SECONDS, EventStore
from schemas.limits import (
    EACH_ACTOR,
    LIMIT_NAMES,
    RATE_SECONDS,
    WHOLE_TENANT,
    Defaults,
    Level,
    LimitName,
)

MAX_SET_LIMITS = 20_000
"""How many may be set in all: each gateway keeps a copy."""

LOOK_SECONDS = 2.0
"""How old a copy may be that no notification has made stale."""

CLAIM_SECONDS = PATIENCE_SECONDS + 15.0
"""How long a start counts that is not in the log yet: longer than a store tries to append it."""


@dataclass(frozen=True, slots=True)
class LimitRow:
    """A limit that is set. `most` is None where there is to be none, whatever the settings say."""

    tenant: str
    actor: str
    name: LimitName
    most: int | None
    set_at: datetime
    set_by: str


class Limit(NamedTuple):
    """A limit that holds for somebody."""

    level: Level
    name: LimitName
    most: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands with one limit: `remaining` is what may be taken still, in `wait_seconds` more."""

    on_level: Level
    on_name: LimitName
    refused: bool
    remaining: int
    wait_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NewStart:
    """A run that is about to start.

    `submitter` is who starts it as its log will say, None for a caller without a token.
    """

    tenant: str
    actor: str
    submitter: str | None
    run_id: str
    size_bytes: int


class LimitsCopy(RegistryCopy):
    """The limits that are set, as a process knows them."""

    part = "limits"

    def __init__(
        self,
        store: EventStore,
        *,
        listener: LogListener | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(store, listener=listener, fresh_seconds=LOOK_SECONDS, monotonic=monotonic)
        self.most: Mapping[tuple[str, str, str], int | None] = {}
        """By tenant, caller and name."""

    async def _fetch(self) -> None:
        rows = await self._store.select(LimitRow, "limits/all", {"limit": MAX_SET_LIMITS})
        self.most = {(row.tenant, row.actor, row.name): row.most for row in rows}

    def holding(self, tenant: str, actor: str, names: Sequence[LimitName], defaults: Defaults) -> list[Limit]:
        """Those of these limits that hold for a caller: of the tenant as a whole, and of the caller."""
        if not self.most and not defaults:
            return []
        found: list[Limit] = []
        for name in names:
            whose: tuple[tuple[Level, tuple[str, ...]], ...] = (
                ("tenant", (WHOLE_TENANT,)),
                ("actor", (actor, EACH_ACTOR)),
            )
            for level, actors in whose:
                most = self._first(tenant, actors, name, defaults.get((level, name)))
                if most is not None:
                    found.append(Limit(level, name, most))
        return found

    def weight_of(self, tenant: str, defaults: Defaults) -> int:
        """How often a tenant is served in a round."""
        return self._first(tenant, (WHOLE_TENANT,), "weight", defaults.get(("tenant", "weight"))) or 1

    def is_set(self, tenant: str, actor: str, limit: Limit) -> bool:
        """Whether a limit that holds is set here, and not by a default."""
        actors = (WHOLE_TENANT,) if limit.level == "tenant" else (actor, EACH_ACTOR)
        return any((tenant, each, limit.name) in self.most for each in actors)

    def _first(self, tenant: str, actors: Sequence[str], name: str, default: int | None) -> int | None:
        for actor in actors:
            key = (tenant, actor, name)
            if key in self.most:
                return self.most[key]
        return default


async def admit_start(store: EventStore, start: NewStart, limits: Sequence[Limit]) -> list[Standing]:
    """How it stands with each limit; where none refuses, the start is taken from all. Raises StoreUnavailable.

    Nothing for a run that is there already: a repeat costs nothing.
    """
    return await store.select(
        Standing,
        "limits/admit_start",
        {
            "tenant": start.tenant,
            "actor": start.actor,
            "submitter": start.submitter or "",
            "run_id": start.run_id,
            "size_bytes": start.size_bytes,
            "levels": [each.level for each in limits],
            "names": [each.name for each in limits],
            "mosts": [each.most for each in limits],
            "seconds": [RATE_SECONDS.get(each.name) for each in limits],
            "claim_seconds": CLAIM_SECONDS,
        },
    )


async def list_limits(
    store: EventStore, *, tenant: str | None = None, after: tuple[str, str, str] = ("", "", ""), limit: int
) -> list[LimitRow]:
    """The limits that are set, of one tenant or of all, by tenant, caller and name, after `after`."""
    after_tenant, after_actor, after_name = after
    return await store.select(
        LimitRow,
        "limits/list",
        {
            "tenant": tenant,
            "after_tenant": after_tenant,
            "after_actor": after_actor,
            "after_name": after_name,
            "limit": limit,
        },
    )


async def limits_of(store: EventStore, tenant: str, actor: str) -> list[LimitRow]:
    """What is set for one caller, or for the tenant as a whole."""
    rows = await list_limits(store, tenant=tenant, after=(tenant, actor, ""), limit=len(LIMIT_NAMES))
    return [row for row in rows if row.actor == actor]


async def set_limits(
    store: EventStore, tenant: str, actor: str, most: Mapping[LimitName, int | None], set_by: str
) -> bool:
    """Have these hold from now on, in every gateway; False where there are MAX_SET_LIMITS already."""
    parameters = {"tenant": tenant, "actor": actor, "set_by": set_by, "limit": MAX_SET_LIMITS}
    rows = await store.fetch("limits/set", {**parameters, "names": list(most), "mosts": list(most.values())})
    return len(rows) == len(most)


async def unset_limits(store: EventStore, tenant: str, actor: str, names: Sequence[LimitName]) -> None:
    """Have the settings decide these again."""
    await store.fetch("limits/unset", {"tenant": tenant, "actor": actor, "names": list(dict.fromkeys(names))})
