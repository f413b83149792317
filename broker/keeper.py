"""Fires due timers, hands back work of lost workers, sends lost hints again, deletes what ended attempts have left,
and has runs planned again that wait for a capability which is gone.

Every worker process has a keeper; an advisory lock lets one at a time do the rounds. All changes go through the run's
own rules, so that two keepers at once, or a late one, do no harm.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass

import pydantic.dataclasses
import structlog

from broker.backoff import Backoff
from broker.checkpoints import Checkpoints
from broker.failures import FailureRule
from broker.gone import GoneCapabilities
from broker.interface import Broker, BrokerUnavailable, WorkHint
from broker.leader_lock import LeaderLock
from broker.losses import HOW, NO_LOSS, expired_attempt, waits_for_callback
from broker.retention import Retention
from eventstore import leases
from eventstore.background import end_background, start_background
from eventstore.checkpoint_schedule import CheckpointSchedule
from eventstore.clock import Clock
from eventstore.errors import StoreUnavailable, VersionConflict
from eventstore.handler import RunHandler
from eventstore.leases import WorkRow
from eventstore.lifecycle import refuse_second_start
from eventstore.retention import Export
from eventstore.store import EventStore
from eventstore.tidying import AT_ONCE, OPERATIONS_KEPT_SECONDS, tidy
from runs.commands import (
    Command,
    ExpireDeadline,
    ExpireRequest,
    ExpireTask,
    FailRun,
    TimeOutPolicy,
)
from runs.errors import RunError
from runs.event import JsonObject, rfc3339
from runs.rules.retry import MAX_LOSSES_IN_A_ROW, poison_error
from schemas.config import Count, Period, Seconds
from telemetry.catalogue import LEASES_EXPIRED

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

_SHORTEST_PAUSE_SECONDS = 0.05


@pydantic.dataclasses.dataclass(frozen=True, slots=True)
class KeeperConfig:
    """How often, how late, how much at a time.

    `round_seconds` is the longest pause between two rounds; `resend_seconds` how long work may be unclaimed before
    its hint counts as lost; `batch` how much of each kind one round reads; `at_once` how many runs it changes at a
    time; `grace_seconds` how long no lease counts as lapsed after an outage of the database; `tidy_seconds` how often
    rows are deleted that ended attempts have left; `gone_seconds` how long a node waits for a capability that is not to
    be had before its run is planned again; `operations_kept_seconds` how long the operations log keeps a row.
    """

    round_seconds: Period = 1.0
    resend_seconds: Seconds = 2.0
    batch: Count = 200
    at_once: Count = 32
    grace_seconds: Seconds = 6.0
    tidy_seconds: Period = 60.0
    gone_seconds: Period = 30.0
    retention_seconds: Period | None = None
    operations_kept_seconds: Seconds = OPERATIONS_KEPT_SECONDS


@dataclass(frozen=True, slots=True)
class Round:
    """What one round did: timers fired, lost work handed back, hints sent again, and what it left for later."""

    timers: int = 0
    lost: int = 0
    hints: int = 0
    left: int = 0


class Keeper:
    """`run_once` is one round; the loop around it only waits for the time and the lock."""

    def __init__(
        self,
        store: EventStore,
        handler: RunHandler,
        broker: Broker,
        config: KeeperConfig | None = None,
        *,
        clock: Clock | None = None,
        export: Export | None = None,
        checkpoints: CheckpointSchedule | None = None,
    ) -> None:
        self._store = store
        self._handler = handler
        self._broker = broker
        self._config = config or KeeperConfig()
        self._clock = clock or store.clock
        self._failures = FailureRule(store, clock=self._clock)
        self._troublemakers = Backoff()
        self._gone = GoneCapabilities(
            store, handler, self._clock, self._config.gone_seconds, self._config.batch
        )
        self._at_once = asyncio.Semaphore(self._config.at_once)
        self._turn = LeaderLock(store.database_url, "processes/try_keeper_lock", store.outage)
        self._lenient_until = 0.0
        self._tidy_at = 0.0
        self._retention = Retention(store, self._config.retention_seconds, export, self._config.tidy_seconds)
        self._checkpoints = Checkpoints(store, checkpoints)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the rounds, in the background."""
        refuse_second_start(self, started=self._task is not None)
        self._task = start_background("keeper", self._keep())

    async def close(self) -> None:
        """Stop, and release the lock to another process."""
        if self._task is not None:
            await end_background(self._task)
        await self._checkpoints.close()
        await self._retention.close()
        await self._turn.give_up()

    async def run_once(self) -> Round:
        """One round. Raises StoreUnavailable where the database is unavailable."""
        # Work that failed lately is still at the head of the list; it must not fill it.
        limit = self._config.batch + len(self._troublemakers)
        timers = await self._all(await leases.due_timers(self._store, limit), self._fire)
        lost, claims = Counter[bool](), Counter[bool]()
        if asyncio.get_running_loop().time() >= self._lenient_until:
            lost = await self._all(await leases.expired(self._store, limit), self._hand_back)
            claims = await self._all(await leases.expired_claims(self._store, limit), self._charge)
        hints = await self._resend()
        left = timers[False] + lost[False] + claims[False]
        return Round(timers[True], lost[True] + claims[True], hints, left)

    async def _keep(self) -> None:
        while True:
            pause_seconds = self._config.round_seconds
            try:
                if await self._turn.held():
                    report = await self.run_once()
                    await self._gone.look()
                    await self._tidy()
                    self._retention.go_on()
                    await self._checkpoints.look()
                    if report != Round():
                        _log.info("keeper_round", **asdict(report))
                    pause_seconds = await self._pause_seconds(report)
                    self._store.outage.worked("keeper")
            except StoreUnavailable as outage:
                # The workers could not extend their leases either: they get time for a heartbeat first.
                self._lenient_until = asyncio.get_running_loop().time() + self._config.grace_seconds
                self._store.outage.failed("keeper", outage.reason, on_demand=True)
            # No error of one round may end the loop: runs would hang without a keeper.
            except Exception:  # noqa: BLE001 - see above
                _log.exception("keeper_round_failed")
            await asyncio.sleep(pause_seconds)

    async def _tidy(self) -> None:
        """Delete what ended attempts have left, where that is due; the next round goes on where there was more."""
        now = asyncio.get_running_loop().time()
        if now < self._tidy_at:
            return
        dropped = await tidy(self._store, operations_kept_seconds=self._config.operations_kept_seconds)
        if dropped < AT_ONCE:
            self._tidy_at = now + self._config.tidy_seconds

    async def _pause_seconds(self, report: Round) -> float:
        """Seconds until something is due, at most a round; short where there was more than a batch."""
        if max(report.timers, report.lost) >= self._config.batch:
            return _SHORTEST_PAUSE_SECONDS
        next_due_at = await leases.next_due_at(self._store)
        if next_due_at is None:
            return self._config.round_seconds
        seconds = (next_due_at - self._clock()).total_seconds()
        return min(max(seconds, _SHORTEST_PAUSE_SECONDS), self._config.round_seconds)

    async def _all(self, rows: Sequence[WorkRow], act: Callable[[WorkRow], Awaitable[None]]) -> Counter[bool]:
        """Act on each row; how many succeeded (True) and how many did not."""
        now = self._clock()
        rows = [row for row in rows if not self._troublemakers.rests(row, now)]
        results = await asyncio.gather(*(self._guarded(row, act) for row in rows), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return Counter(result is True for result in results)

    async def _guarded(self, row: WorkRow, act: Callable[[WorkRow], Awaitable[None]]) -> bool:
        async with self._at_once:
            try:
                await act(row)
            except StoreUnavailable:
                raise
            except (RunError, VersionConflict) as refusal:
                # The work has most likely changed by itself, and is gone from the table.
                self._troublemakers.add(row, self._clock())
                _log.debug(
                    "left_for_later", run_id=row.run_id, kind=row.kind, ref=row.ref, reason=str(refusal)
                )
                return False
            # One bad run must not delay the others; the failure rule ends it if it keeps failing.
            except Exception as error:  # noqa: BLE001 - see above
                self._troublemakers.add(row, self._clock())
                await self._failures.count(_hint(row), error)
                return False
        return True

    async def _fire(self, row: WorkRow) -> None:
        """Fire a due timer."""
        # The database found it due: the clock of this process, which may be behind, does not decide again.
        now = max(self._clock(), row.due_at)
        command: Command
        if row.kind == "request_expiry":
            command = ExpireRequest(now=now, request_id=row.ref)
        elif row.kind == "task_expiry":
            command = ExpireTask(now=now, node_id=row.ref, attempt=row.attempt)
        elif row.kind == "policy_timeout":
            command = TimeOutPolicy(now=now, ref=row.ref, attempt=row.attempt)
        else:
            command = ExpireDeadline(now=now)
        await self._handler.execute(row.run_id, command)

    async def _hand_back(self, row: WorkRow) -> None:
        """Record in the log that the worker of this work is lost, which makes the work due again."""
        LEASES_EXPIRED.add("callback" if waits_for_callback(row) else row.kind)
        _log.warning(
            "callback_missing" if waits_for_callback(row) else "worker_lost",
            run_id=row.run_id,
            kind=row.kind,
            ref=row.ref,
            attempt=row.attempt,
            lost_worker=row.worker,
        )
        await self._handler.execute(row.run_id, expired_attempt(row, self._clock()))

    async def _charge(self, row: WorkRow) -> None:
        """Charge a plan or an output that was claimed and never started in the log, and whose worker is lost."""
        LEASES_EXPIRED.add(row.kind)
        now = self._clock()
        how = HOW.get(row.lost_as or "", "unheard")
        loss: JsonObject = {
            "attempt": row.attempt,
            "worker": row.worker,
            "how": how,
            "at": rfc3339(now),
        }
        before = row.losses or []
        losses = before if row.lost_as in NO_LOSS else [*before, loss]
        names = {"run_id": row.run_id, "kind": row.kind, "attempt": row.attempt, "lost_worker": row.worker}
        _log.warning("claim_lost", losses=len(losses), how=row.lost_as or how, **names)
        if len(losses) < MAX_LOSSES_IN_A_ROW:
            await leases.lose_claim(self._store, row, losses)
            return
        code, message = poison_error("planning" if row.kind == "plan" else "composing the output", losses)
        details: JsonObject = {"kind": row.kind, "losses": losses}
        await self._handler.execute(
            row.run_id, FailRun(now=now, error_code=code, message=message, details=details)
        )

    async def _resend(self) -> int:
        """Send hints again for unclaimed work, where the broker has lost some; how many."""
        if not self._broker.forgets_hints or not self._broker.healthy:
            return 0
        by_queue: defaultdict[str, list[WorkHint]] = defaultdict(list)
        rows = await leases.unclaimed(self._store, self._config.resend_seconds, self._config.batch)
        for row in sorted(rows, key=lambda row: row.due_at):
            by_queue[row.queue].append(_hint(row))
        try:
            return sum([await self._resend_queue(queue, hints) for queue, hints in by_queue.items()])
        except BrokerUnavailable as unavailable:
            self._broker.outage.failed("hints", unavailable.reason, on_demand=True)
            return 0

    async def _resend_queue(self, queue: str, hints: list[WorkHint]) -> int:
        # As many hints as wait in the queue are not lost: the workers are busy, and more hints would make it worse.
        lost = hints[: max(0, len(hints) - await self._broker.depth(queue))]
        if lost:
            await self._broker.publish(lost)
        return len(lost)


def _hint(row: WorkRow) -> WorkHint:
    return WorkHint(row.run_id, row.kind, row.ref, row.attempt, row.queue)
