"""The RabbitMQ broker: two connections, one to publish and one to consume, and what uses them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from aio_pika.abc import HeadersType

from broker.dead import Judge, Keep
from broker.failures import FailureRule
from broker.hint_codec import encode_hint
from broker.interface import (
    BrokerRefused,
    Consumer,
    DeadLetter,
    Handle,
    HandleMessage,
    KeepOfMessage,
    WorkHint,
    keep_all,
)
from broker.rabbitmq import inspection
from broker.rabbitmq.link import RabbitLink, address_of
from broker.rabbitmq.messages import RabbitMessageConsumer
from broker.rabbitmq.ownership import Ownership
from broker.rabbitmq.publisher import Outgoing, Publisher
from broker.rabbitmq.server import RabbitNamespace
from broker.rabbitmq.topology import DEAD, Topology, front_of
from broker.rabbitmq.work import RabbitWorkConsumer, WorkConsumerConfig
from broker.waiting import WaitingWork
from eventstore.installation import installation_name
from eventstore.lifecycle import refuse_second_start
from eventstore.outage import Outage
from eventstore.store import EventStore
from runs.outstanding import is_remote

_FIRST_ANSWER_SECONDS = 3.0
"""How long a start waits for a server that may refuse it; one that comes later refuses it then."""


class RabbitBroker:
    """See `Broker`. It can be used before the server is available: consumers wait, publishing is refused."""

    forgets_hints = True

    def __init__(
        self,
        url: str,
        store: EventStore,
        *,
        namespace: str = "flexrun",
        publish_seconds: float = 5.0,
        config: WorkConsumerConfig | None = None,
        failures: FailureRule | None = None,
        claim_seconds: float = 15.0,
    ) -> None:
        self._claim_seconds = claim_seconds
        topology = Topology(namespace)
        ownership = Ownership(topology, address_of(url), lambda: installation_name(store))
        self.outage = Outage("broker")
        self._publishing = RabbitLink(url, "publish", ownership.claim, outage=self.outage)
        self._consuming = RabbitLink(url, "consume", ownership.claim, outage=self.outage)
        self._publisher = Publisher(self._publishing, topology, timeout_seconds=publish_seconds)
        self._server = RabbitNamespace(
            topology,
            self._consuming,
            self._publisher,
            publish_seconds,
            work_waits=lambda: self._waiting.trouble is not None,
        )
        self._failures = failures or FailureRule(store)
        self._config = config or WorkConsumerConfig()
        self._consumers: list[RabbitWorkConsumer | RabbitMessageConsumer] = []
        self._waiting = WaitingWork(store, self._workers)
        self._settling = asyncio.Lock()

    @property
    def healthy(self) -> bool:
        return self._publisher.healthy and (not self._consumers or self._consuming.connected)

    @property
    def work_consumers(self) -> Sequence[RabbitWorkConsumer]:
        """See `broker.interface.Broker`."""
        return self._workers()

    def _workers(self) -> list[RabbitWorkConsumer]:
        return [consumer for consumer in self._consumers if isinstance(consumer, RabbitWorkConsumer)]

    @property
    def deafness(self) -> str | None:
        """See `broker.interface.Broker`."""
        return self._waiting.trouble

    async def troubles(self) -> list[str]:
        """See `broker.interface.Broker`."""
        found: list[str | None] = []
        if self._publishing.connected:
            found.append(await self._publisher.probe())
        else:
            found.append(f"messages cannot be sent: {self._publishing.plain_trouble}")
        if self._consumers and not self._consuming.connected:
            found.append(f"nothing can be received: {self._consuming.plain_trouble}")
        else:
            found += [consumer.trouble for consumer in self._consumers]
        return [trouble for trouble in (*found, self._waiting.trouble) if trouble is not None]

    async def start(self) -> None:
        """Start connecting. Raises BrokerRefused where the server says soon that the queues are another's."""
        refuse_second_start(self, started=self._publishing.started)
        links = (self._publishing, self._consuming)
        for link in links:
            link.start()
        with suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_ANSWER_SECONDS):
                await asyncio.gather(*(link.tried() for link in links))
        for link in links:
            if isinstance(link.trouble, BrokerRefused):
                await self.close()
                raise link.trouble
        self._waiting.start()

    async def close(self) -> None:
        """Cancel the consumers without waiting for their work, and close the connections."""
        await self._waiting.close()
        await asyncio.gather(*(consumer.cancel(drain_seconds=0) for consumer in self._consumers))
        self._consumers.clear()
        await self._publisher.close()
        await asyncio.gather(self._publishing.close(), self._consuming.close())

    async def publish(self, hints: Sequence[WorkHint]) -> None:
        """Send hints; raises BrokerUnavailable. Gateways take the work of remote workers from the table."""
        await self._publisher.publish([_outgoing(hint) for hint in hints if not is_remote(hint.queue)])

    async def depth(self, queue: str) -> int:
        """How many hints wait in a queue. Raises BrokerUnavailable."""
        return await inspection.queue_depth(self._server, queue)

    async def dead_depth(self) -> int:
        """How many dead letters there are. Raises BrokerUnavailable."""
        return await inspection.queue_depth(self._server, DEAD)

    async def consume(self, queues: Sequence[str], handle: Handle, *, slots: int) -> RabbitWorkConsumer:
        """Subscribe to queues of work; the subscription starts when the server is available."""
        consumer = RabbitWorkConsumer(
            self._server,
            self._failures,
            queues,
            handle,
            slots=slots,
            config=self._config,
            claim_seconds=self._claim_seconds,
        )
        self._consumers.append(consumer)
        return consumer

    async def publish_message(self, name: str, body: bytes) -> None:
        """Put a message into a queue; it is durable when this returns. Raises BrokerUnavailable."""
        await self._publisher.publish([Outgoing(name, body)])

    async def consume_messages(
        self, name: str, handle: HandleMessage, *, prefetch: int, kept: KeepOfMessage = keep_all
    ) -> Consumer:
        """Subscribe to a queue of external messages."""
        consumer = RabbitMessageConsumer(
            self._server,
            name,
            handle,
            prefetch=prefetch,
            check_seconds=self._config.check_seconds,
            kept=kept,
        )
        self._consumers.append(consumer)
        return consumer

    async def dead_letters(self, name: str, limit: int = 100) -> list[DeadLetter]:
        """The oldest dead letters of a queue. Raises BrokerUnavailable."""
        return await inspection.dead_letters(self._server, name, limit)

    async def settle_dead_letters(self, ids: Sequence[str], judge: Judge) -> dict[str, Keep | None]:
        """See `broker.interface.Broker`. One of this process at a time: letters that are looked at are hidden."""
        async with self._settling:
            return await inspection.settle_dead_letters(self._server, ids, judge)


def _outgoing(hint: WorkHint) -> Outgoing:
    headers: HeadersType = {} if hint.traceparent is None else {"traceparent": hint.traceparent}
    return Outgoing(front_of(hint.queue) if hint.front else hint.queue, encode_hint(hint), headers)
