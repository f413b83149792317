"""The heartbeat: keeps this worker's leases alive, and finds out which of them it has lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

from eventstore import leases
from eventstore.errors import StoreUnavailable, VersionConflict
from eventstore.handler import RunHandler
from eventstore.store import EventStore
from executor.config import ExecutorConfig
from executor.in_flight import LEASE_LOST, WORKER_STOPPED, AttemptKey, InFlightTasks
from runs.commands import FailNode
from runs.errors import RunError

_log = structlog.get_logger("executor")


class Heartbeat:
    """One statement for all that the worker holds.

    It runs on the worker's event loop: a capability that computes on the loop for longer than the lease is taken for
    dead, and rightly so. While the database does not answer, the work goes on: whoever takes it over meanwhile makes
    this worker's result stale, and the log takes one result only.
    """

    def __init__(
        self,
        store: EventStore,
        handler: RunHandler,
        holds: InFlightTasks,
        worker_id: str,
        config: ExecutorConfig,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._handler = handler
        self._holds = holds
        self._worker_id = worker_id
        self._config = config
        self._clock = clock
        self._strays: set[AttemptKey] = set()

    async def beat(self) -> None:
        """Extend all leases; stop what is no longer ours, give back what we hold and do not work on."""
        began = [(hold, hold.key) for hold in self._holds if hold.key is not None]
        try:
            extended = await leases.extend(self._store, self._worker_id, self._config.lease_seconds)
        except StoreUnavailable as error:
            self._store.outage.failed("executor leases", error.reason)
            return
        self._store.outage.worked("executor leases")
        held = {(run_id, ref, attempt) for run_id, kind, ref, attempt in extended if kind == "node"}
        for hold, key in began:
            if key not in held and hold.key == key:
                hold.stop(LEASE_LOST)
        await self._give_back_strays(held)

    async def _give_back_strays(self, held: set[AttemptKey]) -> None:
        """A lease without anyone at work (a result that could not be reported) must not be extended for ever.

        A claim that has just been committed looks the same for a moment, hence two beats before one counts.
        """
        strays = held - {hold.key for hold in self._holds if hold.key is not None}
        for key in strays & self._strays:
            await give_back(self._handler, key, self._clock())
        self._strays = strays


async def give_back(handler: RunHandler, key: AttemptKey, now: datetime) -> None:
    """Report an attempt as lost, so that another worker takes over at once."""
    run_id, node_id, attempt = key
    command = FailNode(
        now=now,
        node_id=node_id,
        attempt=attempt,
        error_code=WORKER_STOPPED,
        message="the worker gave the node back",
        lost=True,
    )
    try:
        await handler.execute(run_id, command)
    except (RunError, StoreUnavailable, VersionConflict) as error:
        # Refused: it was over after all. Not reachable: the lease ends by itself, or the next beat comes back to it.
        _log.info("not_given_back", run_id=run_id, node_id=node_id, attempt=attempt, reason=str(error))
