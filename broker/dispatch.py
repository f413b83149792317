"""Publishes hints for work as soon as it is committed."""

from __future__ import annotations

import asyncio

import structlog

from broker.interface import Broker, BrokerUnavailable, WorkHint
from broker.tasks import finish
from eventstore.batch import Commit
from eventstore.clock import Clock
from eventstore.lifecycle import refuse_second_start
from eventstore.store import EventStore
from runs.outstanding import TIMER_QUEUE
from runs.trace import run_span
from telemetry import tracing

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

_HORIZON_SECONDS = 60.0
_MOST_ON_THEIR_WAY = 10_000
_CLOSING_SECONDS = 1.0
_PART = "hints"


class Dispatcher:
    """Publishes a hint for each piece of work that a commit of this process made outstanding.

    Work due within a minute is published when it is due; the keeper publishes work due later and hints that were lost.
    Hints of one turn of the event loop are sent together. Nothing here can delay or fail a commit.
    """

    def __init__(self, store: EventStore, broker: Broker, *, clock: Clock | None = None) -> None:
        self._store = store
        self._broker = broker
        self._clock = clock or store.clock
        self._pending: list[WorkHint] = []
        self._timers: set[asyncio.TimerHandle] = set()
        self._publishing: set[asyncio.Task[None]] = set()
        self._on_their_way = 0
        self._open = False

    async def start(self) -> None:
        """Start listening to commits."""
        refuse_second_start(self, started=self._open)
        self._open = True
        self._store.on_commit(self._on_commit)

    async def close(self) -> None:
        """Wait a moment for what is being published; drop the rest."""
        self._open = False
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        await finish(self._publishing, _CLOSING_SECONDS)

    def _on_commit(self, commit: Commit) -> None:
        if not self._open:
            return
        traceparent = run_span(commit.after).traceparent if tracing.is_on() and commit.new_work else None
        for work in commit.new_work:
            if work.queue == TIMER_QUEUE:
                continue
            hint = WorkHint.of(commit.after.run_id, work, traceparent)
            seconds = (work.due_at - self._clock()).total_seconds() if work.due_at is not None else 0.0
            if seconds <= 0:
                self._add(hint)
            elif seconds <= _HORIZON_SECONDS:
                self._add_later(hint, seconds)

    def _add_later(self, hint: WorkHint, seconds: float) -> None:
        def due() -> None:
            self._timers.discard(timer)
            self._add(hint)

        timer = asyncio.get_running_loop().call_later(seconds, due)
        self._timers.add(timer)

    def _add(self, hint: WorkHint) -> None:
        if not self._pending:
            asyncio.get_running_loop().call_soon(self._flush)
        self._pending.append(hint)

    def _flush(self) -> None:
        hints, self._pending = self._pending, []
        if not self._open:
            return
        if self._on_their_way + len(hints) > _MOST_ON_THEIR_WAY:
            self._leave("too many hints are on their way")
            return
        self._on_their_way += len(hints)
        task = asyncio.create_task(self._publish(hints))
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)

    async def _publish(self, hints: list[WorkHint]) -> None:
        try:
            await self._broker.publish(hints)
            self._broker.outage.worked(_PART)
        except BrokerUnavailable as unavailable:
            self._leave(unavailable.reason)
        except Exception as error:  # noqa: BLE001 - the keeper sends these again, for any error here
            _log.exception("hints_not_published")
            self._leave(repr(error))
        finally:
            self._on_their_way -= len(hints)

    def _leave(self, reason: str) -> None:
        """The keeper will find this work."""
        self._broker.outage.failed(_PART, reason, on_demand=True)
