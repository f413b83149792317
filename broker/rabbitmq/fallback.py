"""Work is taken from the database while RabbitMQ brings none: hints are only hints, and the work is in `flex_work`.

The claim is that of the Postgres broker. A hint for the same work may come meanwhile, here or elsewhere: the append
with the expected version is the claim that counts, so nothing runs twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from broker.claims import Claims, claimed_hint
from broker.failures import Again, DeadLettered, HandlingResult, Taken
from broker.interface import WorkHint
from broker.serving import Serving
from eventstore.background import end_background, start_background
from eventstore.errors import StoreUnavailable
from eventstore.leases import WorkRow
from eventstore.store import EventStore
from schemas.redaction import redact
from telemetry.catalogue import DEAD_LETTERED

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Fallback:
    """Fills the free slots of one consumer from the table every `poll_seconds`, while `needed()`."""

    def __init__(
        self,
        store: EventStore,
        queues: Sequence[str],
        claims: Claims,
        serving: Serving,
        needed: Callable[[], bool],
        *,
        poll_seconds: float,
    ) -> None:
        self._store = store
        self._queues = tuple(queues)
        self._part = f"work of {self._queues[0]}"
        self._claims = claims
        self._serving = serving
        self._needed = needed
        self._poll_seconds = poll_seconds
        self._looking = False
        self._suspect: WorkHint | None = None
        self._task = start_background(f"fallback-{self._queues[0]}", self._keep())

    async def close(self) -> None:
        """Stop polling. Raises nothing."""
        await end_background(self._task)

    async def look(self) -> int:
        """Claim due work for the free slots; how much there was. Raises StoreUnavailable."""
        free = self._serving.free
        if free <= 0:
            return 0
        rows = await self._claims.query(self._queues, free, has_suspect=self._suspect is not None)
        left_over = [claimed_hint(row) for row in rows if not self._serve(row)]
        if left_over:
            await self._claims.release(*left_over)
        return len(rows)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            if self._needed() is not self._looking:
                self._looking = not self._looking
                event = "work_taken_from_database" if self._looking else "work_taken_from_broker"
                _log.info(event, queues=self._queues)
            if not self._looking:
                continue
            try:
                await self.look()
                self._store.outage.worked(self._part)
            except StoreUnavailable as outage:
                self._store.outage.failed(self._part, outage.reason)
            # No error of one poll may end the loop, or all that waits would wait without end.
            except Exception:  # noqa: BLE001 - see above
                _log.exception("claim_failed", queues=self._queues)

    def _serve(self, row: WorkRow) -> bool:
        hint = claimed_hint(row)
        self._claims.hold(hint)
        if not self._serving.offer(hint, partial(self._settle, hint)):
            return False
        if row.losses:
            self._suspect = hint
        return True

    async def _settle(self, hint: WorkHint, verdict: HandlingResult) -> None:
        if self._suspect == hint:
            self._suspect = None
        match verdict:
            case Taken(task) if task is not None:
                self._claims.begun(hint)
                return
            case Again(delay_seconds):
                await asyncio.sleep(delay_seconds)
            case DeadLettered(reason):
                # Its run was ended, or the failure rule comes back to it: there is no message to dead-letter.
                DEAD_LETTERED.add(hint.queue)
                _log.error("dead_letter", queue=hint.queue, reason=redact(reason))
            case _:
                pass
        await self._claims.release(hint)
