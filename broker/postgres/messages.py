"""External messages in a table: hidden from others while one consumer has them, gone when handled."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from broker.external import take_message
from broker.failures import Again, DeadLettered, Taken
from broker.interface import HandleMessage, KeepOfMessage, keep_all
from broker.postgres.work import LAST_CLAIM_SECONDS, PostgresBrokerConfig
from broker.tasks import finish
from eventstore.background import start_background
from eventstore.errors import StoreUnavailable
from eventstore.store import EventStore
from schemas.redaction import redact
from telemetry.catalogue import DEAD_LETTERED

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

DELIVERY_LIMIT = 20
"""A message that was taken more often than this has killed its consumers."""


class PostgresMessageConsumer:
    """Passes messages of one queue to a handler, at most `prefetch` at a time."""

    def __init__(
        self,
        store: EventStore,
        name: str,
        handle: HandleMessage,
        *,
        prefetch: int,
        config: PostgresBrokerConfig,
        kept: KeepOfMessage = keep_all,
    ) -> None:
        self._store = store
        self._name = name
        self._handle = handle
        self._kept = kept
        self._prefetch = prefetch
        self._config = config
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._failed = False
        self._woken = asyncio.Event()
        self._woken.set()
        self._task = start_background(f"messages-{name}", self._keep(), closing=lambda: self._closing)

    @property
    def busy(self) -> int:
        return len(self._tasks)

    @property
    def trouble(self) -> str | None:
        """Why messages are not claimed, None where the last claim succeeded."""
        return f"no messages of {self._name} can be claimed" if self._failed else None

    def wake(self, queues: set[str] | None) -> None:
        """There may be messages in these queues (in any, for None)."""
        if queues is None or self._name in queues:
            self._woken.set()

    async def cancel(self, *, drain_seconds: float) -> None:
        """Take nothing new and wait for those in flight; others see the rest when their hidden time is over."""
        self._closing = True
        self._woken.set()
        await finish([self._task], LAST_CLAIM_SECONDS)
        await finish(self._tasks, drain_seconds)

    async def _keep(self) -> None:
        while not self._closing:
            # Not wait_for: until Python 3.12 it loses a cancellation that comes together with a wake-up.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._config.poll_seconds):
                    await self._woken.wait()
            self._woken.clear()
            try:
                await self._claim()
                self._failed = False
                self._store.outage.worked(f"messages of {self._name}")
            except StoreUnavailable as outage:
                self._failed = True
                self._store.outage.failed(f"messages of {self._name}", outage.reason)
            # No error of one poll may end the loop, or all that waits would wait without end.
            except Exception:  # noqa: BLE001 - see above
                self._failed = True
                _log.exception("claim_failed", queue=self._name)

    async def _claim(self) -> None:
        while not self._closing and (free := self._prefetch - len(self._tasks)) > 0:
            parameters = {"queue": self._name, "hidden_seconds": self._config.hidden_seconds, "limit": free}
            rows = await self._store.fetch("messages/claim", parameters)
            for message_id, body, deliveries in rows:
                task = asyncio.create_task(self._serve(message_id, bytes(body), deliveries))
                self._tasks.add(task)
                task.add_done_callback(self._ended)
            if len(rows) < free:
                return

    def _ended(self, task: asyncio.Task[None]) -> None:
        # All slots taken means that there may be more in the table.
        full = len(self._tasks) >= self._prefetch
        self._tasks.discard(task)
        if full:
            self._woken.set()

    async def _serve(self, message_id: int, body: bytes, deliveries: int) -> None:
        if deliveries > DELIVERY_LIMIT:
            verdict = DeadLettered(f"delivered {DELIVERY_LIMIT} times, and each time its consumer died")
        else:
            verdict = await take_message(self._handle, self._name, body, deliveries - 1)
        try:
            match verdict:
                case Taken():
                    await self._store.fetch("messages/finish", {"id": message_id})
                case DeadLettered(reason):
                    DEAD_LETTERED.add(self._name)
                    _log.error("dead_letter", queue=self._name, reason=redact(reason))
                    grave = {"id": message_id, "reason": redact(reason), "body": await self._kept(body)}
                    await self._store.fetch("messages/bury", grave)
                case Again(delay_seconds):
                    await self._store.fetch(
                        "messages/return", {"id": message_id, "after_seconds": delay_seconds}
                    )
        except StoreUnavailable as outage:
            self._store.outage.failed("message", outage.reason, on_demand=True)
