"""The service: three duties, each in a loop of its own, in every gateway process.

Feeding reads new events and queues those that a webhook asks for; delivering sends what is due; tidying deletes what is
over. What they share is in the database, so any number of processes may do it, and each may die at any moment.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from eventstore import webhook_lanes
from eventstore.background import end_background, start_background
from eventstore.batch import Commit
from eventstore.errors import StoreUnavailable
from eventstore.lifecycle import refuse_second_start
from eventstore.listener import LogListener
from eventstore.store import EventStore
from webhooks.config import WebhooksConfig
from webhooks.deliverer import Deliverer
from webhooks.sender import Sender

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

Duty = Callable[[], Awaitable[float]]
"""Done once; how many seconds to wait before it is done again, unless woken."""

_TIDY_ROWS = 1_000


class Webhooks:
    """Delivers webhooks from `start` to `close`. `worker` names this process in leases; `clock` dates attempts."""

    def __init__(
        self,
        store: EventStore,
        listener: LogListener | None,
        worker: str,
        config: WebhooksConfig | None = None,
        *,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._store = store
        self._listener = listener
        self._worker = worker
        self._config = config or WebhooksConfig()
        self._clock = clock or store.clock.seconds
        self._any_webhooks = True
        self._news = asyncio.Event()
        self._due = asyncio.Event()
        self._untidy = asyncio.Event()
        self._sender: Sender | None = None
        self._deliverer: Deliverer | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin, in the background. It never fails: an unavailable database is tried again."""
        refuse_second_start(self, started=bool(self._tasks))
        self._sender = Sender(self._config)
        self._deliverer = Deliverer(
            self._store,
            self._sender,
            self._worker,
            self._config,
            on_freed=self._due.set,
            on_gone=self._untidy.set,
            clock=self._clock,
        )
        self._store.on_commit(self._heard_commit)
        if self._listener is not None:
            self._listener.on_runs(self._heard_runs)
        duties = (
            ("feed", self._feed, self._news),
            ("deliver", self._deliverer.run_once, self._due),
            ("tidy", self._tidy, self._untidy),
        )
        self._tasks = [
            start_background(f"webhooks-{name}", self._repeat(f"webhooks {name}", duty, wake))
            for name, duty, wake in duties
        ]

    async def close(self) -> None:
        """Begin nothing more; deliveries in flight are finished, or released for others to claim at once."""
        await end_background(*self._tasks)
        if self._deliverer is not None:
            await self._deliverer.finish()
        if self._sender is not None:
            await self._sender.close()

    def _heard_commit(self, _commit: Commit) -> None:
        if self._any_webhooks:
            self._news.set()

    def _heard_runs(self, _run_ids: set[str] | None) -> None:
        if self._any_webhooks:
            self._news.set()

    async def _feed(self) -> float:
        fed = await webhook_lanes.feed(self._store, self._config.feed_events)
        self._any_webhooks = fed.webhooks > 0
        if fed.written:
            self._due.set()
        if fed.more:
            return 0
        await asyncio.sleep(self._config.quiet_seconds)
        return 0 if fed.held_back and self._any_webhooks else self._config.poll_seconds

    async def _tidy(self) -> float:
        met = await webhook_lanes.tidy(self._store, self._config.keep_seconds, _TIDY_ROWS)
        return 0 if met >= _TIDY_ROWS else self._config.tidy_seconds

    async def _repeat(self, part: str, duty: Duty, wake: asyncio.Event) -> None:
        while True:
            wake.clear()
            try:
                pause_seconds = await duty()
                self._store.outage.worked(part)
            except StoreUnavailable as outage:
                self._store.outage.failed(part, outage.reason)
                pause_seconds = self._config.poll_seconds
            # After any error of one round there must be another, or no more events would be delivered.
            except Exception:  # noqa: BLE001 - see above
                _log.exception("webhooks_round_failed")
                pause_seconds = self._config.poll_seconds
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_seconds):
                    await wake.wait()
