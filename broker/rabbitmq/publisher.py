"""Sends messages, and knows that they arrived: persistent, mandatory, confirmed by the broker, within a time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractConnection, HeadersType
from aio_pika.exceptions import ChannelPreconditionFailed, DeliveryError, PublishError
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from broker.interface import BrokerUnavailable
from broker.rabbitmq.link import RabbitLink, plainly, surprise
from broker.rabbitmq.topology import DEAD, FORGETTING_SECONDS, Topology
from eventstore.background import end_background
from runs.outstanding import PLAN_QUEUE

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

_WINDOW = 256
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message for the queue `name` (without namespace)."""

    name: str
    body: bytes
    headers: HeadersType | None = None


class Publisher:
    """One channel in confirm mode, with a window: so many messages may be on their way unconfirmed, the rest wait.

    Without the window a burst would put thousands in flight, and all of them would be confirmed too late.
    """

    def __init__(self, link: RabbitLink, topology: Topology, *, timeout_seconds: float = 5.0) -> None:
        self._link = link
        self._topology = topology
        self._timeout_seconds = timeout_seconds
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._declared: set[str] = set()
        self._preparing = asyncio.Lock()
        self._window = asyncio.Semaphore(_WINDOW)
        self._stall: asyncio.Task[None] | None = None

    @property
    def healthy(self) -> bool:
        """Connected, and not known to be blocked."""
        return self._link.connected and self._stall is None

    async def probe(self) -> str | None:
        """Why a message could not be sent now, safe to publish; None where one was taken and confirmed.

        On a channel of its own, because the server remembers for a channel what it was allowed to do. The message is
        returned: no queue has its name.
        """
        if self._stall is not None:
            return "messages cannot be sent: RabbitMQ takes none (an alarm for memory or disk?)"
        try:
            connection = await self._link.connection(self._timeout_seconds)
            async with (
                asyncio.timeout(self._timeout_seconds),
                connection.channel(on_return_raises=True) as channel,
            ):
                await self._topology.declare(channel, sorted({PLAN_QUEUE, *self._declared} - {DEAD}))
                with suppress(PublishError):
                    await channel.default_exchange.publish(
                        Message(b""), routing_key=self._topology.queue("probe"), mandatory=True
                    )
        except Exception as error:  # noqa: BLE001 - for any error of aio-pika, nothing could be sent
            self._translate(error)
            if surprise(error) is not None:
                _log.error("rabbitmq_probe_failed", exc_info=error)
            self._link.outage.failed("probe", repr(error), on_demand=True)
            return f"messages cannot be sent: {plainly(error)}"
        self._link.outage.worked("probe")
        return None

    async def close(self) -> None:
        """Stop watching for the end of a stall; the connection is the link's to close."""
        if self._stall is not None:
            await end_background(self._stall)

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Send all at once and wait for the confirms; raises BrokerUnavailable where any may not have arrived."""
        results = await asyncio.gather(*map(self._send, messages), return_exceptions=True)
        for result in results:
            if isinstance(result, BrokerUnavailable):
                raise result
            if isinstance(result, BaseException):
                if surprise(result) is not None:
                    _log.error("rabbitmq_not_published", exc_info=result)
                raise self._translate(result) from result

    async def _send(self, message: Outgoing) -> None:
        async with self._window:
            if self._stall is not None:
                raise BrokerUnavailable("RabbitMQ has stopped taking messages (an alarm for memory or disk?)")
            try:
                await self._send_once(message)
            except PublishError:
                # The queue was deleted after we declared it. Let its consumers be notified before it is declared again.
                await asyncio.sleep(FORGETTING_SECONDS)
                self._declared.discard(message.name)
                await self._send_again(message)
            except DeliveryError:
                # Refused: its queue has no leader, because it was declared a moment ago or because a node went down.
                await self._send_again(message)

    async def _send_again(self, message: Outgoing) -> None:
        attempts = AsyncRetrying(
            retry=retry_if_exception_type(DeliveryError),
            wait=wait_exponential(multiplier=0.05),
            stop=stop_after_attempt(_ATTEMPTS),
            reraise=True,
        )
        await attempts(self._send_once, message)

    async def _send_once(self, message: Outgoing) -> None:
        channel = await self._prepare(message.name)
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
            timeout=self._timeout_seconds,
        )

    def _translate(self, error: BaseException) -> BrokerUnavailable:
        """The interface's exception for what aio-pika raised."""
        match error:
            case TimeoutError():
                self._watch_stall()
                return BrokerUnavailable(f"RabbitMQ confirmed nothing within {self._timeout_seconds} s")
            case ChannelPreconditionFailed():
                return BrokerUnavailable(f"a queue exists with other arguments: {error}")
            case DeliveryError():
                return BrokerUnavailable(f"RabbitMQ refused a message: {error}")
            case asyncio.CancelledError():
                return BrokerUnavailable("the connection to RabbitMQ was closed")
            case _:
                return BrokerUnavailable(f"the connection to RabbitMQ broke: {error!r}")

    async def _prepare(self, name: str) -> AbstractChannel:
        """The channel, with the queue declared; made anew after a loss."""
        connection = await self._link.connection(self._timeout_seconds)
        if name in self._declared and (channel := self._usable(connection)) is not None:
            return channel
        async with self._preparing:
            channel = self._usable(connection)
            if channel is None:
                self._declared.clear()
                channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                self._channel, self._connection = channel, connection
            if name not in self._declared:
                # On a channel of its own, since a refused declaration closes the channel.
                async with asyncio.timeout(self._timeout_seconds), connection.channel() as declaring:
                    await self._topology.declare(declaring, [name] if name != DEAD else [])
                self._declared.add(name)
            return channel

    def _usable(self, connection: AbstractConnection) -> AbstractChannel | None:
        channel = self._channel
        return None if channel is None or channel.is_closed or connection is not self._connection else channel

    def _watch_stall(self) -> None:
        connection = self._connection
        if self._stall is None and connection is not None and self._link.connected:
            connection.close_callbacks.add(self._connection_closed)
            self._stall = asyncio.create_task(self._until_unblocked(connection))

    async def _until_unblocked(self, connection: AbstractConnection) -> None:
        """Wait until the server says that it takes messages again; no wait when it was only slow."""
        try:
            reason = f"RabbitMQ at {self._link.address} takes no messages (an alarm for memory or disk?)"
            self._link.outage.failed("publisher", reason)
            if connection.transport is not None:
                await connection.transport.ready()
        finally:
            self._link.outage.worked("publisher")
            self._stall = None

    def _connection_closed(self, _connection: object, _error: BaseException | None) -> None:
        if self._stall is not None:
            self._stall.cancel()
