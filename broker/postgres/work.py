"""Consumes work from the table `flex_work`: claimed with SKIP LOCKED, only as much as there are free slots.

Work that was committed in this process is handed over without asking the table, unless older work may be waiting there:
the append with the expected version is the claim, and the oldest is served first. Work that comes during a query of
the table is handed over after its answer. Other processes are notified of that work as well; those that repeatedly
come too late for it wait a moment before they query. What the consumer knows of the table is a state: `claim_state.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import pydantic.dataclasses
import structlog

from broker.claims import Claims, claimed_hint
from broker.failures import Again, DeadLettered, FailureRule, HandlingResult, Taken
from broker.hint_codec import encode_hint
from broker.interface import Handle, WorkHint
from broker.postgres.claim_state import ClaimInput, ClaimProgress
from broker.serving import Serving, ServingConsumer
from broker.tasks import finish
from eventstore.background import start_background
from eventstore.errors import StoreUnavailable
from eventstore.leases import WorkRow
from eventstore.store import EventStore
from schemas.config import Period
from schemas.redaction import redact
from telemetry.catalogue import DEAD_LETTERED

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

LAST_CLAIM_SECONDS = 1.0
_COURTESY_SECONDS = 0.005
_LONGEST_MEMORY = 16


@pydantic.dataclasses.dataclass(frozen=True, slots=True)
class PostgresBrokerConfig:
    """How often the tables are polled without a notification, and how long a claim lasts.

    `hidden_seconds` is the same for a message: no other consumer sees it for so long.
    """

    poll_seconds: Period = 1.0
    claim_seconds: Period = 15.0
    hidden_seconds: Period = 60.0


class PostgresWorkConsumer(ServingConsumer):
    """Passes work to a handler while there are free slots."""

    def __init__(
        self,
        store: EventStore,
        failures: FailureRule,
        queues: Sequence[str],
        handle: Handle,
        *,
        slots: int,
        claims: Claims,
        config: PostgresBrokerConfig,
    ) -> None:
        self._store = store
        self._queues = self.queues = tuple(queues)
        self._failed = False
        self._claims = claims
        self._config = config
        self._serving = Serving(self._claims.guarded(handle), slots, failures, self._slot_is_free)
        self._closing = False
        self._stale_claims = 0
        self._delayed_look: asyncio.TimerHandle | None = None
        self._progress = ClaimProgress()
        self._offered_during_query: list[WorkHint] = []
        self._suspect: WorkHint | None = None
        self._task = start_background("work", self._keep(), closing=lambda: self._closing)

    @property
    def trouble(self) -> str | None:
        """Why work is not claimed, None where the last claim succeeded."""
        return f"no work of {', '.join(self.queues)} can be claimed" if self._failed else None

    def offer(self, hint: WorkHint) -> bool:
        """Take work that was committed a moment ago; False where it has to wait in the table."""
        if hint.queue not in self._queues:
            return False
        if self._progress.querying:
            self._offered_during_query.append(hint)
            return True
        if self._progress.current and self._serving.offer(hint, partial(self._settle, hint, None)):
            return True
        self._look()
        return False

    def reserve(self) -> bool:
        """See `broker.interface.WorkConsumer`."""
        return self._progress.current and self._serving.reserve()

    def occupy(self, hint: WorkHint, task: asyncio.Task[None]) -> None:
        """See `broker.interface.WorkConsumer`."""
        self._serving.occupy(hint, task)

    def give_back(self) -> None:
        """See `broker.interface.WorkConsumer`."""
        self._serving.give_back()

    def wake(self, queues: set[str] | None) -> None:
        """Another process has committed work in these queues (None: anything may have happened)."""
        if queues is not None and queues.isdisjoint(self._queues):
            return
        if not self._stale_claims:
            self._look()
        elif self._delayed_look is None:
            self._delayed_look = asyncio.get_running_loop().call_later(_COURTESY_SECONDS, self._look)

    def _look(self) -> None:
        self._delayed_look = None
        self._progress.on(ClaimInput.CHANGED)

    async def cancel(self, *, drain_seconds: float) -> None:
        """Claim nothing new and wait for work in flight."""
        self._serving.stop()
        self._closing = True
        if self._delayed_look is not None:
            self._delayed_look.cancel()
        self._progress.on(ClaimInput.CHANGED)  # which ends the wait of the loop
        # A claim query that is running is not cancelled: what it returns is released.
        await finish([self._task], LAST_CLAIM_SECONDS)
        await self._serving.drain(drain_seconds)
        await self._claims.close()

    def _slot_is_free(self) -> None:
        self._progress.on(ClaimInput.SLOT_FREED)

    async def _keep(self) -> None:
        while not self._closing:
            # Not wait_for: until Python 3.12 it loses a cancellation that comes together with a wake-up.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._config.poll_seconds):
                    await self._progress.due.wait()
            self._progress.on(ClaimInput.TURN)
            try:
                await self._claim()
                self._failed = False
                self._store.outage.worked(f"work of {self._queues[0]}")
            except StoreUnavailable as outage:
                self._failed = True
                self._store.outage.failed(f"work of {self._queues[0]}", outage.reason)
            # No error of one poll may end the loop, or all that waits would wait without end.
            except Exception:  # noqa: BLE001 - see above
                self._failed = True
                _log.exception("claim_failed", queues=self._queues)

    async def _claim(self) -> None:
        """Fill the free slots."""
        while (free := self._serving.free) > 0:
            rows, offered = await self._query(free)
            left_over = [claimed_hint(row) for row in rows if not self._serve(row)]
            if left_over:
                await self._claims.release(*left_over)
            if len(rows) < free:
                self._progress.on(ClaimInput.SHORT)
            claimed = {claimed_hint(row) for row in rows}
            for hint in offered:
                if hint not in claimed:
                    self.offer(hint)
            if len(rows) < free:
                return

    async def _query(self, free: int) -> tuple[list[WorkRow], list[WorkHint]]:
        """The oldest work of the table, then the younger work that was offered during the query."""
        offered = self._offered_during_query = []
        self._progress.on(ClaimInput.QUERY)
        try:
            rows = await self._claims.query(self._queues, free, has_suspect=self._suspect is not None)
        finally:
            self._progress.on(ClaimInput.ANSWERED)
        return rows, offered

    def _serve(self, row: WorkRow) -> bool:
        hint = claimed_hint(row)
        self._claims.hold(hint)
        if self._claims.is_noted(hint):
            return True
        if not self._serving.offer(hint, partial(self._settle, hint, row)):
            return False
        if row.losses:
            self._suspect = hint
        return True

    def _count_stale(self, *, stale: bool) -> None:
        """Count claims that came too late up, and claims of work that was still available down."""
        self._stale_claims = (
            min(self._stale_claims + 1, _LONGEST_MEMORY) if stale else max(self._stale_claims - 1, 0)
        )

    async def _settle(self, hint: WorkHint, claimed: WorkRow | None, verdict: HandlingResult) -> None:
        if claimed is not None and isinstance(verdict, Taken):
            self._count_stale(stale=verdict.task is None)
        if self._suspect == hint:
            self._suspect = None
            self._look()
        try:
            match verdict:
                case Taken(task):
                    if task is not None:
                        self._claims.begun(hint)
                        return
                case Again(delay_seconds):
                    await asyncio.sleep(delay_seconds)
                case DeadLettered(reason):
                    DEAD_LETTERED.add(hint.queue)
                    _log.error("dead_letter", queue=hint.queue, reason=redact(reason))
                    parameters = {"queue": hint.queue, "body": encode_hint(hint), "reason": redact(reason)}
                    await self._store.fetch("messages/bury_hint", parameters)
        except StoreUnavailable as outage:
            _log.warning(
                "hint_not_buried", run_id=hint.run_id, kind=hint.kind, ref=hint.ref, reason=outage.reason
            )
        if claimed is not None:
            await self._claims.release(hint)
        if isinstance(verdict, Again) and not verdict.elsewhere:
            self._look()
