"""Decides for each request whether it is within the limits of its tenant and caller, before anything is stored.

Requests in flight, streams and checks of contracts are counted by each gateway for itself. What is stored is counted by
the database, for all of them (`eventstore.tenant_limits`), and only for those for whom a limit holds.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from aiohttp import web

from eventstore.store import EventStore
from eventstore.tenant_limits import Limit, LimitsCopy, NewStart, Standing, admit_start
from gateway.body import BODY_BYTES
from gateway.limits.rate import Rate
from gateway.limits.refusal import refusal
from gateway.scopes import CALLER, Caller
from schemas.limits import AT_START, LIMIT_NAMES, RATE_SECONDS, Defaults, LimitName
from telemetry.catalogue import LIMIT_REFUSALS

RATES = web.RequestKey("rates", list[tuple[Limit, Standing]])
"""How it stands with the rates that a request has taken from, for the headers of its answer."""

_WAIT_SECONDS = web.RequestKey("wait_seconds", float)
_SOON_SECONDS = 1.0

REFUSED_BY_LIMIT = web.RequestKey("refused_by_limit", Limit)
"""The limit that has refused a request: then nothing at all is stored of it."""

MAX_RATES = 10_000
"""So many callers are remembered; then those who may take all again are forgotten."""

_AT_START: tuple[LimitName, ...] = tuple(name for name in LIMIT_NAMES if name in AT_START)
_Key = tuple[LimitName, str, str | None]
"""The limit, the tenant, and the caller where it is theirs."""


class Taken:
    """What one request has taken of the limits that this gateway counts. It is given back when the request ends."""

    __slots__ = ("_counts", "_keys")

    def __init__(self, counts: Counter[_Key]) -> None:
        self._counts = counts
        self._keys: list[_Key] = []

    def holds(self, name: LimitName) -> bool:
        return any(key[0] == name for key in self._keys)

    def take(self, keys: Sequence[_Key]) -> None:
        self._counts.update(keys)
        self._keys.extend(keys)

    def adopt(self, other: Taken) -> None:
        """Give back what `other` has taken together with this."""
        self._keys.extend(other._keys)

    def give_back(self) -> None:
        for key in self._keys:
            self._counts[key] -= 1
            if self._counts[key] <= 0:
                del self._counts[key]
        self._keys.clear()


TAKEN = web.RequestKey("taken", Taken)


@dataclass(slots=True)
class Limiter:
    """One for each gateway. Its methods raise ProblemError (429) for what is beyond a limit."""

    store: EventStore
    known: LimitsCopy
    defaults: Defaults
    monotonic: Callable[[], float] = time.monotonic
    _counts: Counter[_Key] = field(default_factory=Counter[_Key])
    _rates: dict[_Key, Rate] = field(default_factory=dict[_Key, Rate])

    def begin(self, request: web.Request) -> Taken:
        """Count a request from now until what this returns is given back."""
        self.known.freshen()
        taken = Taken(self._counts)
        self._take_one(request, taken, "requestsInFlight")
        request[TAKEN] = taken
        return taken

    def open_stream(self, request: web.Request) -> None:
        """Count the request as a stream, and not as a request any more. Again, nothing changes."""
        taken = request[TAKEN]
        if not taken.holds("openStreams"):
            stream = Taken(self._counts)
            self._take_one(request, stream, "openStreams")
            taken.give_back()
            taken.adopt(stream)

    def check_contract(self, request: web.Request) -> None:
        """Count a check of a contract that a caller has sent."""
        if refused := self.check_refused(request):
            self.refuse(request, refused)

    def check_refused(self, request: web.Request) -> Limit | None:
        """The same; the limit that refuses it, if any, and nothing is raised."""
        caller = request[CALLER]
        now = self.monotonic()
        standings: list[tuple[Limit, Standing]] = []
        for limit in self._holding(caller, ("checksPerMinute",)):
            left = self._rate(_key(caller, limit), now).take(limit.most, now)
            standing = Standing(limit.level, limit.name, left.refused, left.remaining, left.wait_seconds)
            standings.append((limit, standing))
        return self._judged(request, standings)

    def of_tenant(self, request: web.Request, name: LimitName) -> Limit | None:
        """The limit of the caller's tenant as a whole, for what is counted where it is stored."""
        found = self._holding(request[CALLER], (name,))
        return next((limit for limit in found if limit.level == "tenant"), None)

    async def admit_start(self, request: web.Request, run_id: str, submitter: str | None) -> None:
        """Let a run start, which was checked and is not stored yet. Raises StoreUnavailable as well."""
        caller = request[CALLER]
        limits = self._holding(caller, _AT_START)
        if not limits:
            return
        start = NewStart(
            tenant=caller.tenant,
            actor=caller.actor.name,
            submitter=submitter,
            run_id=run_id,
            size_bytes=request.get(BODY_BYTES, 0),
        )
        standings = await admit_start(self.store, start, limits)
        by_limit = {(each.on_level, each.on_name): each for each in standings}
        found = [(limit, by_limit[limit.level, limit.name]) for limit in limits if limit[:2] in by_limit]
        if refused := self._judged(request, found):
            self.refuse(request, refused)

    def refuse(self, request: web.Request, limit: Limit, wait_seconds: float | None = None) -> NoReturn:
        """Raise the 429, and count it."""
        LIMIT_REFUSALS.add(limit.name, limit.level)
        request[REFUSED_BY_LIMIT] = limit
        raise refusal(limit, wait_seconds or request.get(_WAIT_SECONDS))

    def _judged(self, request: web.Request, standings: Sequence[tuple[Limit, Standing]]) -> Limit | None:
        """The limit that refuses; of several the one that takes longest, or a caller would come back in vain."""
        request[RATES] = [*request.get(RATES, []), *standings]
        refused = [(limit, each) for limit, each in standings if each.refused]
        if not refused:
            return None
        limit, standing = max(refused, key=lambda pair: pair[1].wait_seconds)
        if standing.wait_seconds:
            request[_WAIT_SECONDS] = standing.wait_seconds
        return limit

    def _take_one(self, request: web.Request, taken: Taken, name: LimitName) -> None:
        caller = request[CALLER]
        for limit in self._holding(caller, (name,)):
            if self._counts[_key(caller, limit)] >= limit.most:
                self.refuse(request, limit, _SOON_SECONDS)
        taken.take([(name, caller.tenant, None), (name, caller.tenant, caller.actor.name)])

    def _holding(self, caller: Caller, names: Sequence[LimitName]) -> list[Limit]:
        return self.known.holding(caller.tenant, caller.actor.name, names, self.defaults)

    def _rate(self, key: _Key, now: float) -> Rate:
        if key not in self._rates:
            if len(self._rates) >= MAX_RATES:
                self._rates = {each: rate for each, rate in self._rates.items() if not rate.is_full(now)}
            self._rates[key] = Rate(RATE_SECONDS[key[0]])
        return self._rates[key]


def _key(caller: Caller, limit: Limit) -> _Key:
    return limit.name, caller.tenant, caller.actor.name if limit.level == "actor" else None
