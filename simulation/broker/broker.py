"""The client of a process: see `broker.interface.Broker`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from broker.dead import Judge, Keep, Requeue, is_work
from broker.failures import FailureRule
from broker.interface import (
    BrokerUnavailable,
    DeadLetter,
    Handle,
    HandleMessage,
    KeepOfMessage,
    WorkHint,
    keep_all,
)
from eventstore.lifecycle import refuse_second_start
from eventstore.outage import Outage
from eventstore.store import EventStore
from runs.outstanding import is_remote
from simulation.broker.consumers import QueueMessageConsumer, QueueTimes, QueueWorkConsumer
from simulation.broker.server import QueueServer


class QueueBroker:
    """See `broker.interface.Broker`."""

    forgets_hints = True
    deafness: str | None = None

    def __init__(
        self,
        server: QueueServer,
        store: EventStore,
        *,
        times: QueueTimes | None = None,
        failures: FailureRule | None = None,
    ) -> None:
        self.outage = Outage("broker")
        self._server = server
        self._failures = failures or FailureRule(store)
        self._times = times or QueueTimes()
        self._workers: list[QueueWorkConsumer] = []
        self._readers: list[QueueMessageConsumer] = []
        self._started = False
        self._closed = False

    @property
    def healthy(self) -> bool:
        return not self._server.is_down

    @property
    def work_consumers(self) -> Sequence[QueueWorkConsumer]:
        """See `broker.interface.Broker`."""
        return self._workers

    async def troubles(self) -> list[str]:
        """See `broker.interface.Broker`."""
        return ["the server is away"] if self._server.is_down else []

    async def start(self) -> None:
        """See `broker.interface.Broker`."""
        refuse_second_start(self, started=self._started)
        self._started = True

    async def close(self) -> None:
        """Cancel the consumers without waiting for their work."""
        self._closed = True
        consumers = [*self._workers, *self._readers]
        self._workers.clear()
        self._readers.clear()
        await asyncio.gather(*(each.cancel(drain_seconds=0) for each in consumers))

    def lost(self) -> None:
        """The server has found out that this process has ended: what it had unacknowledged goes to others."""
        for each in (*self._workers, *self._readers):
            self._server.unsubscribe(each.subscriber)

    async def publish(self, hints: Sequence[WorkHint]) -> None:
        """Send hints; raises BrokerUnavailable."""
        self._require_open()
        self._server.publish([hint for hint in hints if not is_remote(hint.queue)])

    async def depth(self, queue: str) -> int:
        """How many hints wait in a queue. Raises BrokerUnavailable."""
        return self._server.depth(queue)

    async def dead_depth(self) -> int:
        """How many dead letters there are. Raises BrokerUnavailable."""
        return len(self._server.dead)

    async def consume(self, queues: Sequence[str], handle: Handle, *, slots: int) -> QueueWorkConsumer:
        """Subscribe to queues of work."""
        consumer = QueueWorkConsumer(
            self._server, self._failures, queues, handle, slots=slots, times=self._times
        )
        self._workers.append(consumer)
        return consumer

    async def publish_message(self, name: str, body: bytes) -> None:
        """Put a message into a queue. Raises BrokerUnavailable."""
        self._require_open()
        self._server.publish_message(name, body)

    async def consume_messages(
        self, name: str, handle: HandleMessage, *, prefetch: int, kept: KeepOfMessage = keep_all
    ) -> QueueMessageConsumer:
        """Subscribe to a queue of external messages."""
        consumer = QueueMessageConsumer(self._server, name, handle, prefetch=prefetch, kept=kept)
        self._readers.append(consumer)
        return consumer

    async def dead_letters(self, name: str, limit: int = 100) -> list[DeadLetter]:
        """The oldest dead letters of a queue. Raises BrokerUnavailable."""
        return [each for each in self._server.dead.values() if name in ("", each.queue)][:limit]

    async def settle_dead_letters(self, ids: Sequence[str], judge: Judge) -> dict[str, Keep | None]:
        """See `broker.interface.Broker`."""
        found: dict[str, Keep | None] = {}
        for letter in [self._server.dead[each] for each in ids if each in self._server.dead]:
            fate = await judge(letter)
            if isinstance(fate, Keep):
                found[letter.id] = fate
                continue
            if self._server.dead.pop(letter.id, None) is None:
                continue
            if isinstance(fate, Requeue) and not is_work(letter.queue):
                self._server.publish_message(letter.queue, letter.body)
            found[letter.id] = None
        return found

    def _require_open(self) -> None:
        if self._closed:
            raise BrokerUnavailable("the broker was closed")
