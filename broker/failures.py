"""What happens to work whose handler raises: it is tried again, counted, and ended at a limit of failures.

The rule is the same for every broker. Failures are counted with the work in Postgres, not with the message, because
the keeper makes new messages for the same work. An outage of the database is not counted. A capability's failures do
not come here: the executor handles them, as events.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

import structlog

from broker.interface import Handle, NotServedHere, WorkHint
from eventstore import leases
from eventstore.clock import Clock
from eventstore.errors import StoreUnavailable, VersionConflict
from eventstore.handler import RunHandler
from eventstore.store import EventStore
from runs.commands import FailRun
from runs.errors import RunError
from schemas.redaction import redact

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

FAILURE_LIMIT = 5
NOBODYS_FAULT = (StoreUnavailable, VersionConflict)
"""The database is unavailable, or too many appends to one run conflicted: the work itself is sound."""

_FIRST_DELAY_SECONDS = 0.25
_OUTAGE_DELAY_SECONDS = 2.0
_ELSEWHERE_DELAY_SECONDS = 1.0
_HOPELESS_DELAY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Taken:
    """The hint is handled; `task` is the rest of the work, None where there is none or the hint was stale."""

    task: asyncio.Task[None] | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """Offer it again after `delay_seconds`; `elsewhere`: to another worker, so this one does not query for it."""

    delay_seconds: float
    reason: str = ""
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class DeadLettered:
    """Not offered again: it becomes a dead letter."""

    reason: str


HandlingResult = Taken | Again | DeadLettered


class FailureRule:
    """Calls handlers and classifies what they raise."""

    def __init__(
        self,
        store: EventStore,
        *,
        limit: int = FAILURE_LIMIT,
        first_delay_seconds: float = _FIRST_DELAY_SECONDS,
        clock: Clock | None = None,
    ) -> None:
        self.store = store
        self._handler = RunHandler(store)
        self._limit = limit
        self._first_delay_seconds = first_delay_seconds
        self._clock = clock or store.clock
        self._counting: set[asyncio.Task[HandlingResult]] = set()

    async def take(self, handle: Handle, hint: WorkHint) -> HandlingResult:
        """Let `handle` claim the work; never raises but for cancellation."""
        try:
            return Taken(await handle(hint))
        except NotServedHere:
            return Again(_ELSEWHERE_DELAY_SECONDS, elsewhere=True)
        except NOBODYS_FAULT as trouble:
            self._say_waiting("work_has_to_wait", hint, trouble)
            return Again(_OUTAGE_DELAY_SECONDS)
        # No exception of a worker's bug may stop the consumer, and the limit ends its redelivery.
        except Exception as error:  # noqa: BLE001 - see above
            return await self.count(hint, error)

    def task_failed(self, hint: WorkHint, error: BaseException) -> None:
        """The task of claimed work raised; the work comes back when its lease expires, and the failure is counted."""
        if isinstance(error, NOBODYS_FAULT):
            self._say_waiting("work_left_to_its_lease", hint, error)
            return
        task = asyncio.create_task(self.count(hint, error))
        self._counting.add(task)
        task.add_done_callback(self._counting.discard)

    def _say_waiting(self, event: str, hint: WorkHint, trouble: BaseException) -> None:
        """Log a line for each run that alone is delayed; one line for all in an outage of the database."""
        level = logging.DEBUG if isinstance(trouble, StoreUnavailable) else logging.WARNING
        if isinstance(trouble, StoreUnavailable):
            self.store.outage.failed("work", trouble.reason, on_demand=True)
        _log.log(level, event, run_id=hint.run_id, kind=hint.kind, ref=hint.ref, reason=str(trouble))

    async def count(self, hint: WorkHint, error: BaseException) -> HandlingResult:
        """Record a failure; end the run when its limit is reached."""
        name = redact(f"{type(error).__name__}: {error}")
        try:
            failures = await leases.record_failure(self.store, hint.run_id, hint.kind, hint.ref)
            _log.error(
                "work_failed",
                run_id=hint.run_id,
                kind=hint.kind,
                ref=hint.ref,
                failures=failures,
                exc_info=error,
            )
            if failures == 0:
                return Taken()  # the work is gone
            if failures < self._limit:
                return Again(min(self._first_delay_seconds * 2**failures, 10.0))
            ended = await self._end_run(hint, name, failures)
        except NOBODYS_FAULT:
            return Again(_OUTAGE_DELAY_SECONDS)
        if ended or failures == self._limit:
            return DeadLettered(f"failed {failures} times, at last with {name}")
        # The run could not be ended, and a dead letter says so: do not fill the queue with more.
        return Again(_HOPELESS_DELAY_SECONDS)

    async def _end_run(self, hint: WorkHint, name: str, failures: int) -> bool:
        """End the run with the reason; False where that fails."""
        what = f"{hint.kind} {hint.ref}".strip()
        command = FailRun(
            now=self._clock(),
            error_code="internal_error",
            message=f"the engine failed {failures} times to work on {what}; at last with {name}",
            details={"kind": hint.kind, "ref": hint.ref, "attempt": hint.attempt, "failures": failures},
        )
        try:
            await self._handler.execute(hint.run_id, command)
        except RunError as refusal:
            _log.info("run_is_over_already", run_id=hint.run_id, reason=refusal.message)
        except NOBODYS_FAULT:
            raise
        # What breaks the handler may break this too, such as a log that cannot be folded; an operator must look.
        except Exception:  # noqa: BLE001 - see above
            _log.exception("run_cannot_be_ended", run_id=hint.run_id, kind=hint.kind, ref=hint.ref)
            return False
        return True
