"""The Postgres broker. It sends no hints: the work is in `flex_work` already, a NOTIFY and a poll find it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence

from broker.claims import Claims
from broker.dead import Judge, Keep, Requeue, is_work
from broker.failures import FailureRule
from broker.interface import (
    BrokerUnavailable,
    Consumer,
    DeadLetter,
    Handle,
    HandleMessage,
    KeepOfMessage,
    WorkHint,
    keep_all,
)
from broker.journal import Journal
from broker.postgres.messages import PostgresMessageConsumer
from broker.postgres.work import PostgresBrokerConfig, PostgresWorkConsumer
from broker.waiting import WaitingWork
from eventstore.errors import StoreUnavailable
from eventstore.lifecycle import refuse_second_start
from eventstore.listener import LogListener
from eventstore.rows import Rows
from eventstore.store import EventStore

_DIGITS = 19
"""A bigint has so many digits at most."""


class PostgresBroker:
    """See `Broker`. Without a listener, consumers rely on their poll and on what this process commits."""

    forgets_hints = False
    healthy = True

    def __init__(
        self,
        store: EventStore,
        listener: LogListener | None,
        *,
        config: PostgresBrokerConfig | None = None,
        failures: FailureRule | None = None,
        journal: Journal | None = None,
    ) -> None:
        self._store = store
        self.outage = store.outage
        self._listener = listener
        self._config = config or PostgresBrokerConfig()
        self._failures = failures or FailureRule(store)
        self._journal = journal
        self._workers: list[PostgresWorkConsumer] = []
        self._readers: list[PostgresMessageConsumer] = []
        self._waiting = WaitingWork(store, lambda: self._workers)

    @property
    def work_consumers(self) -> Sequence[PostgresWorkConsumer]:
        """See `broker.interface.Broker`."""
        return self._workers

    @property
    def deafness(self) -> str | None:
        """See `broker.interface.Broker`."""
        return self._waiting.trouble

    async def troubles(self) -> list[str]:
        """See `broker.interface.Broker`. Sending is an append, so only the database can fail it."""
        found = [consumer.trouble for consumer in (*self._workers, *self._readers)]
        return [trouble for trouble in (*found, self._waiting.trouble) if trouble is not None]

    async def start(self) -> None:
        """Listen for other processes."""
        refuse_second_start(self, started=self._waiting.started)
        self._waiting.start()
        if self._listener is not None:
            self._listener.on_work(self._wake)

    async def close(self) -> None:
        """Cancel the consumers without waiting for their work."""
        await self._waiting.close()
        consumers = [*self._workers, *self._readers]
        self._workers.clear()
        self._readers.clear()
        await asyncio.gather(*(consumer.cancel(drain_seconds=0) for consumer in consumers))

    async def publish(self, hints: Sequence[WorkHint]) -> None:
        """Offer hints to the consumers of this process; what they do not take waits in the table."""
        for hint in hints:
            any(worker.offer(hint) for worker in self._workers)

    async def depth(self, queue: str) -> int:
        """How much due work of a queue is unclaimed."""
        rows = await self._fetch("work/count_due", {"queue": queue})
        return rows[0][0]

    async def dead_depth(self) -> None:
        """They are in a table."""

    async def consume(self, queues: Sequence[str], handle: Handle, *, slots: int) -> PostgresWorkConsumer:
        """Claim work of these queues."""
        claimant = f"claim:{self._store.origin}:{secrets.token_hex(4)}"
        claims = Claims(self._store, claimant, self._config.claim_seconds, self._journal)
        worker = PostgresWorkConsumer(
            self._store, self._failures, queues, handle, slots=slots, claims=claims, config=self._config
        )
        self._workers.append(worker)
        return worker

    async def publish_message(self, name: str, body: bytes) -> None:
        """Store a message; it is durable when this returns. Raises BrokerUnavailable."""
        await self._fetch("messages/send", {"queue": name, "body": body})

    async def consume_messages(
        self, name: str, handle: HandleMessage, *, prefetch: int, kept: KeepOfMessage = keep_all
    ) -> Consumer:
        """Take messages of this queue."""
        reader = PostgresMessageConsumer(
            self._store, name, handle, prefetch=prefetch, config=self._config, kept=kept
        )
        self._readers.append(reader)
        return reader

    async def dead_letters(self, name: str, limit: int = 100) -> list[DeadLetter]:
        """The oldest dead letters. Raises BrokerUnavailable."""
        return await self._letters({"queue": name, "ids": None, "limit": limit})

    async def settle_dead_letters(self, ids: Sequence[str], judge: Judge) -> dict[str, Keep | None]:
        """See `broker.interface.Broker`. Each letter is moved or deleted in one statement."""
        numbers = [int(each) for each in ids if each.isascii() and each.isdecimal() and len(each) < _DIGITS]
        found: dict[str, Keep | None] = {}
        for letter in await self._letters({"queue": "", "ids": numbers, "limit": len(numbers)}):
            fate = await judge(letter)
            if isinstance(fate, Keep):
                found[letter.id] = fate
                continue
            moves = isinstance(fate, Requeue) and not is_work(letter.queue)
            statement = "messages/requeue" if moves else "messages/drop"
            if await self._fetch(statement, {"id": int(letter.id)}):
                found[letter.id] = None
        return found

    async def _letters(self, parameters: dict[str, object]) -> list[DeadLetter]:
        rows = await self._fetch("messages/dead_letters", parameters)
        return [
            DeadLetter(queue, bytes(body), reason, at, str(number))
            for number, queue, body, reason, at in rows
        ]

    async def _fetch(self, statement: str, parameters: dict[str, object]) -> Rows:
        try:
            return await self._store.fetch(statement, parameters)
        except StoreUnavailable as outage:
            raise BrokerUnavailable(outage.reason) from outage

    def _wake(self, queues: set[str] | None) -> None:
        for consumer in (*self._workers, *self._readers):
            consumer.wake(queues)
