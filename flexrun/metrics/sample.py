"""The metrics that only the servers know, asked for when metrics are and every few seconds at most.

Nothing is counted that grows with the number of stored runs: runs that have ended are counted by the processes that
end them, and each count here goes along an index and stops at COUNTED.
"""

from __future__ import annotations

import asyncio
import time
from typing import get_args

from broker.interface import Broker, BrokerUnavailable
from eventstore.checkpoint_schedule import CheckpointSchedule, NewestCheckpoint, newest_checkpoint
from eventstore.errors import StoreError
from eventstore.store import EventStore
from eventstore.tenancy import for_every_tenant
from runs.transitions import TERMINAL
from schemas.vocabulary import RunStatus
from telemetry import catalogue as c

COUNTED = 10_000
"""What is counted is counted up to here."""

FRESH_SECONDS = 5.0
"""How long an answer is used again, however many ask."""

ANSWER_SECONDS = 2.0
"""After so long the metrics are shown without it, and it is used for the next ones."""

_OPEN = [status for status in get_args(RunStatus) if status not in TERMINAL]


class ServerSample:
    """Sets the gauges of the database, and of RabbitMQ's dead letters where `broker` is set and keeps some."""

    def __init__(self, store: EventStore, checkpoints: CheckpointSchedule | None = None) -> None:
        self._store = store
        self._checkpoints = checkpoints
        self.broker: Broker | None = None
        self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    async def refresh(self) -> None:
        """Ask, unless that was done within the last seconds; what is missing then is not shown. Raises nothing."""
        if self._asking is None and time.monotonic() - self._asked_at >= FRESH_SECONDS:
            self._asking = asyncio.create_task(self._ask(), context=for_every_tenant())
        if self._asking is None:
            return
        done, _ = await asyncio.wait({self._asking}, timeout=ANSWER_SECONDS)
        if not done:
            _forget()

    async def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def _ask(self) -> None:
        try:
            runs = await self._store.fetch("metrics/runs", {"statuses": _OPEN, "limit": COUNTED})
            work = await self._store.fetch("metrics/work", {"limit": COUNTED, "queues": c.MAX_QUEUES})
            waiting = (await self._store.fetch("metrics/waiting", {"limit": COUNTED}))[0]
            present = {name for (name,) in await self._store.fetch("processes/roles_present", {})}
            checkpoint = await newest_checkpoint(self._store) if self._checkpoints is not None else None
        except StoreError:
            _forget()
        else:
            c.RUNS.replace({(status,): count for status, count in runs})
            c.WORK_DUE.replace({(queue,): due for queue, due, _ in work})
            c.WORK_OLDEST.replace({(queue,): seconds for queue, _, seconds in work})
            _show_waiting(*waiting)
            c.ROLES_MISSING.replace(
                {(role,): float(role not in present) for role in ("gateway", "planner", "executor")}
            )
            self._show_checkpoint(checkpoint)
            c.DATABASE_ASKED.set(to=1)
            await self._ask_broker()
        finally:
            self._asked_at = time.monotonic()
            self._asking = None

    def _show_checkpoint(self, newest: NewestCheckpoint | None) -> None:
        if newest is None or self._checkpoints is None:
            return
        c.CHECKPOINT_LATE.set(to=float(newest.trouble(self._checkpoints.seconds) is not None))
        if newest.age_seconds is not None:
            c.CHECKPOINT_AGE.set(to=newest.age_seconds)

    async def _ask_broker(self) -> None:
        try:
            letters = None if self.broker is None else await self.broker.dead_depth()
        except BrokerUnavailable:
            letters = None
        if letters is not None:
            c.DEAD_LETTERS.set("broker", to=min(letters, COUNTED))


def _show_waiting(
    dead_letters: int,
    requests: int,
    oldest_request_seconds: float,
    watermark_seconds: float,
    webhook_seconds: float,
    webhooks_disabled: int,
) -> None:
    c.DEAD_LETTERS.replace({("database",): dead_letters})
    c.REQUESTS_OPEN.set(to=requests)
    c.REQUESTS_OLDEST.set(to=oldest_request_seconds)
    c.WATERMARK_LAG.set(to=watermark_seconds)
    c.WEBHOOK_LAG.set(to=webhook_seconds)
    c.WEBHOOKS_DISABLED.set(to=webhooks_disabled)


def _forget() -> None:
    """Show none of the last answer: it may be long ago, and an alert must not take it for the state of now."""
    for gauge in (
        c.RUNS,
        c.WORK_DUE,
        c.WORK_OLDEST,
        c.REQUESTS_OPEN,
        c.REQUESTS_OLDEST,
        c.WATERMARK_LAG,
        c.WEBHOOK_LAG,
        c.WEBHOOKS_DISABLED,
        c.ROLES_MISSING,
        c.DEAD_LETTERS,
        c.CHECKPOINT_AGE,
        c.CHECKPOINT_LATE,
    ):
        gauge.replace({})
    c.DATABASE_ASKED.set(to=0)
