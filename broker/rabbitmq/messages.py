"""Consumes external messages, each kept until it is handled or dead-lettered."""

from __future__ import annotations

import asyncio

from aio_pika.abc import AbstractIncomingMessage

from broker.external import take_message
from broker.failures import Again, DeadLettered, HandlingResult, Taken
from broker.interface import HandleMessage, KeepOfMessage, keep_all
from broker.rabbitmq.server import RabbitNamespace
from broker.rabbitmq.settling import acknowledge, bury, give_back
from broker.rabbitmq.subscription import QueueSubscription, SubscriptionConfig
from broker.rabbitmq.topology import DELIVERY_LIMIT
from broker.tasks import finish
from telemetry.tracing import received


class RabbitMessageConsumer:
    """Passes messages to a handler, at most the prefetch at a time."""

    def __init__(
        self,
        server: RabbitNamespace,
        name: str,
        handle: HandleMessage,
        *,
        prefetch: int,
        check_seconds: float,
        kept: KeepOfMessage = keep_all,
    ) -> None:
        self._publisher = server.publisher
        self._handle = handle
        self._kept = kept
        self._tasks: set[asyncio.Task[None]] = set()
        config = SubscriptionConfig(prefetch, check_seconds, disposable=False)
        self._subscription = QueueSubscription(
            server, [name], self._receive, config, hungry=lambda: self.busy < prefetch
        )

    @property
    def busy(self) -> int:
        return len(self._tasks)

    @property
    def trouble(self) -> str | None:
        return self._subscription.trouble

    async def cancel(self, *, drain_seconds: float) -> None:
        """Stop taking messages and wait for those in flight; the others return to the queue."""
        await self._subscription.silence()
        await finish(self._tasks, drain_seconds)
        await self._subscription.close()

    def _receive(self, message: AbstractIncomingMessage, name: str) -> None:
        task = asyncio.create_task(self._serve(message, name))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, message: AbstractIncomingMessage, name: str) -> None:
        match await self._verdict(message, name):
            case Taken():
                await acknowledge(message)
            case DeadLettered(reason):
                await bury(self._publisher, name, message, reason, kept=self._kept)
            case Again(delay_seconds):
                await asyncio.sleep(delay_seconds)
                await give_back(message)

    async def _verdict(self, message: AbstractIncomingMessage, name: str) -> HandlingResult:
        earlier = _earlier_deliveries(message)
        if earlier >= DELIVERY_LIMIT - 1:
            # The last delivery before the server dead-letters it by itself, with its whole body.
            return DeadLettered(f"delivered {earlier} times, and each time its consumer died")
        traceparent = message.headers.get("traceparent")
        with received(
            f"receive {name}",
            traceparent if isinstance(traceparent, str) else None,
            {"messaging.system": "rabbitmq"},
        ):
            return await take_message(self._handle, name, message.body, earlier)


def _earlier_deliveries(message: AbstractIncomingMessage) -> int:
    count = message.headers.get("x-delivery-count", 0)
    return count if isinstance(count, int) else 0
