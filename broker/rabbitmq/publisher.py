"""Sends messages, and knows that they arrived: persistent, mandatory, confirmed by the broker, within a time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractConnection, HeadersType
from aio_pika.exceptions import ChannelPreconditionFailed, DeliveryError, PublishError

from broker.rabbitmq.link import TROUBLE, Link
from broker.rabbitmq.topology import Topology
from broker.seam import BrokerUnavailable

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message for the queue `name` (without namespace)."""

    name: str
    body: bytes
    headers: HeadersType | None = None


class Publisher:
    """One channel in confirm mode; many messages are on their way at the same time."""

    def __init__(self, link: Link, topology: Topology, *, timeout_seconds: float = 5.0) -> None:
        self._link = link
        self._topology = topology
        self._timeout_seconds = timeout_seconds
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._declared: set[str] = set()
        self._preparing = asyncio.Lock()
        self._stall: asyncio.Task[None] | None = None

    @property
    def healthy(self) -> bool:
        """Connected, and not known to be blocked."""
        return self._link.connected and self._stall is None

    async def close(self) -> None:
        """Stop watching for the end of a stall; the connection is the link's to close."""
        if self._stall is not None:
            self._stall.cancel()
            await asyncio.gather(self._stall, return_exceptions=True)

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Send all; raises BrokerUnavailable where any may not have arrived."""
        if self._stall is not None:
            raise BrokerUnavailable("RabbitMQ has stopped taking messages (an alarm for memory or disk?)")
        try:
            async with asyncio.timeout(self._timeout_seconds):
                if unroutable := await self._send(messages):
                    # The queue was deleted after we declared it.
                    self._declared.difference_update(message.name for message in unroutable)
                    unroutable = await self._send(unroutable)
        except TimeoutError:
            self._watch_stall()
            raise BrokerUnavailable(f"RabbitMQ confirmed nothing within {self._timeout_seconds} s") from None
        except ChannelPreconditionFailed as mismatch:
            raise BrokerUnavailable(f"a queue exists with other arguments: {mismatch}") from mismatch
        except DeliveryError as refusal:
            raise BrokerUnavailable(f"RabbitMQ refused a message: {refusal}") from refusal
        except TROUBLE as trouble:
            raise BrokerUnavailable(f"the connection to RabbitMQ broke: {trouble!r}") from trouble
        if unroutable:
            raise BrokerUnavailable(f"RabbitMQ has no queue {self._topology.queue(unroutable[0].name)}")

    async def _send(self, messages: Sequence[Outgoing]) -> list[Outgoing]:
        """Send all at once and wait for the confirms; those that reached no queue are returned."""
        channel = await self._prepare({message.name for message in messages})
        sendings = (self._send_one(channel, message) for message in messages)
        results = await asyncio.gather(*sendings, return_exceptions=True)
        unroutable: list[Outgoing] = []
        for message, result in zip(messages, results, strict=True):
            if isinstance(result, PublishError):
                unroutable.append(message)
            elif isinstance(result, BaseException):
                raise result
        return unroutable

    async def _send_one(self, channel: AbstractChannel, message: Outgoing) -> None:
        await channel.default_exchange.publish(
            Message(
                message.body,
                headers=message.headers,
                content_type="application/json",
                delivery_mode=DeliveryMode.PERSISTENT,
                timestamp=datetime.now(UTC),
            ),
            routing_key=self._topology.queue(message.name),
            mandatory=True,
        )

    async def _prepare(self, names: Iterable[str]) -> AbstractChannel:
        """The channel, with the queues declared; made anew after a loss."""
        connection = await self._link.connection()
        channel = self._channel
        if (
            channel is not None
            and not channel.is_closed
            and connection is self._connection
            and self._declared.issuperset(names)
        ):
            return channel
        async with self._preparing:
            if self._channel is None or self._channel.is_closed or connection is not self._connection:
                self._channel = None
                self._declared.clear()
                self._channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                self._connection = connection
            if missing := set(names) - self._declared:
                # On a channel of their own, since a refused declaration closes the channel.
                async with connection.channel(publisher_confirms=False) as declaring:
                    await self._topology.declare(declaring, sorted(missing - {"dead"}))
                self._declared |= missing
            return self._channel

    def _watch_stall(self) -> None:
        connection = self._connection
        if self._stall is None and connection is not None and self._link.connected:
            connection.close_callbacks.add(self._connection_closed)
            self._stall = asyncio.create_task(self._until_unblocked(connection))

    async def _until_unblocked(self, connection: AbstractConnection) -> None:
        """Until the server says that it takes messages again; at once when it was only slow."""
        try:
            if connection.transport is not None:
                await connection.transport.ready()
            _log.warning("rabbitmq_takes_messages_again", address=self._link.address)
        finally:
            self._stall = None

    def _connection_closed(self, _connection: object, _error: BaseException | None) -> None:
        if self._stall is not None:
            self._stall.cancel()
