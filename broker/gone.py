"""Has runs planned again whose nodes wait for a capability that is not to be had any more. The keeper calls it."""

from __future__ import annotations

import asyncio

import structlog

from eventstore.clock import Clock
from eventstore.errors import VersionConflict
from eventstore.gone import Gone, gone_capabilities
from eventstore.handler import RunHandler
from eventstore.store import EventStore
from runs.commands import ReportCapabilityGone
from runs.errors import RunError

_LOOK_SECONDS = 5.0

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class GoneCapabilities:
    """Looks for nodes that wait in vain, every five seconds at most.

    `patience_seconds` is how long a node waits first: a capability may be removed and registered again.
    """

    def __init__(
        self, store: EventStore, handler: RunHandler, clock: Clock, patience_seconds: float, batch: int
    ) -> None:
        self._store = store
        self._handler = handler
        self._clock = clock
        self._patience_seconds = patience_seconds
        self._batch = batch
        self._look_at = 0.0

    async def look(self) -> int:
        """Report what is gone to the runs that wait for it, where it is time to look; how many. Raises
        StoreUnavailable."""
        now = asyncio.get_running_loop().time()
        if now < self._look_at:
            return 0
        self._look_at = now + min(_LOOK_SECONDS, self._patience_seconds)
        found = await gone_capabilities(self._store, self._patience_seconds, self._batch)
        return sum([await self._report(each) for each in found])

    async def _report(self, gone: Gone) -> bool:
        waiting = gone.waiting
        command = ReportCapabilityGone(
            now=self._clock(),
            node_id=waiting.node_id,
            capability_id=waiting.capability_id,
            reason=gone.reason,
            left=gone.left,
        )
        try:
            await self._handler.execute(waiting.run_id, command)
        except (RunError, VersionConflict) as refusal:
            # The envelope has its nodes wait, or the run has gone on meanwhile.
            _log.debug("capability_gone_left", run_id=waiting.run_id, reason=str(refusal))
            return False
        _log.warning(
            "capability_gone",
            run_id=waiting.run_id,
            node_id=waiting.node_id,
            capability_id=waiting.capability_id,
            reason=gone.reason,
        )
        return True
