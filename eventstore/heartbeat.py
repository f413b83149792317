"""The heartbeat of a worker, which is the same for planner and executor."""

from __future__ import annotations

import asyncio
from typing import Protocol

import structlog

from eventstore import leases
from eventstore.background import end_background, start_background
from eventstore.errors import StoreUnavailable, VersionConflict
from eventstore.handler import RunHandler
from eventstore.lifecycle import refuse_second_start
from eventstore.store import EventStore, Lease
from runs.commands import Command
from runs.errors import RunError

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

AttemptKey = tuple[str, str, int]
"""(run id, reference, attempt): the reference is a node's id, and "" of a plan"""


class AttemptsInFlight(Protocol):
    """What a worker has claimed and not finished, of one `kind` of work."""

    @property
    def kind(self) -> str:
        """The kind in `flex_work`: `plan` or `node`."""
        ...

    def keys(self) -> set[AttemptKey]:
        """The attempts in flight."""
        ...

    def lease_lost(self, key: AttemptKey) -> None:
        """Cancel this attempt: another worker may have it by now."""
        ...

    def give_back_command(self, key: AttemptKey) -> Command:
        """The command that reports this attempt as lost, so that another worker takes over at once."""
        ...


class Heartbeat:
    """Extends the leases of all attempts in flight, in one statement, and finds out which of them are lost.

    It runs on the worker's event loop: an attempt that computes on the loop for longer than the lease lets it expire,
    and another worker takes over. While the database cannot be reached the attempts continue: if one is taken over
    meanwhile, the log refuses the result of this worker as stale. `role` names the worker in logs.
    """

    def __init__(
        self,
        store: EventStore,
        handler: RunHandler,
        in_flight: AttemptsInFlight,
        lease: Lease,
        every_seconds: float,
        role: str,
    ) -> None:
        self._store = store
        self._handler = handler
        self._in_flight = in_flight
        self._lease = lease
        self._every_seconds = every_seconds
        self._name = f"{role} heartbeat"
        self._idle: set[AttemptKey] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Beat every `every_seconds` from now on."""
        refuse_second_start(self, started=self._task is not None)
        self._task = start_background(self._name.replace(" ", "-"), self._repeat())

    async def close(self) -> None:
        """Stop beating. Leases that are left expire."""
        if self._task is not None:
            await end_background(self._task)

    async def beat(self) -> None:
        """Extend the leases; cancel attempts whose lease is lost, give back leases without an attempt.

        The latter are of results that could not be reported, and would be extended without end. A claim that has just
        been committed looks the same for a moment, hence a lease is given back at its second beat.
        """
        before = self._in_flight.keys()
        try:
            extended = await leases.extend(self._store, self._lease.worker, self._lease.seconds)
        except StoreUnavailable as error:
            self._store.outage.failed(self._name, error.reason)
            return
        self._store.outage.worked(self._name)
        leased = {
            (run_id, ref, attempt) for run_id, kind, ref, attempt in extended if kind == self._in_flight.kind
        }
        for key in before - leased:
            self._in_flight.lease_lost(key)
        idle = leased - before - self._in_flight.keys()
        for key in idle & self._idle:
            await self.give_back(key)
        self._idle = idle

    async def give_back(self, key: AttemptKey) -> None:
        """Report an attempt as lost."""
        run_id, ref, attempt = key
        try:
            await self._handler.execute(run_id, self._in_flight.give_back_command(key))
        except (RunError, StoreUnavailable, VersionConflict) as error:
            # Refused: it was over after all. Not reachable: the lease expires, or the next beat tries again.
            _log.info(
                "not_given_back",
                run_id=run_id,
                kind=self._in_flight.kind,
                ref=ref,
                attempt=attempt,
                reason=str(error),
            )

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(self._every_seconds)
            try:
                await self.beat()
            # A heartbeat that ended would cost the worker all its leases.
            except Exception:  # noqa: BLE001 - see above
                _log.exception("heartbeat_failed", worker=self._lease.worker)
