"""Keeps queues subscribed, and subscribes again when a subscription ends for any reason.

Reasons are a lost connection, a channel that the server closes, a consumer that the server cancels, a deleted queue.
In every case the same steps are taken again, on a new channel: declare, consume, wait. In case the server reports
nothing, the queues are also checked at intervals; a consumer that gets nothing though messages wait subscribes again.

What its owner wants is a state:

    state    | PAUSE    | RESUME   | SILENCE
    ---------|----------|----------|---------
    TAKING   | PAUSED   | TAKING   | SILENCED
    PAUSED   | PAUSED   | TAKING   | SILENCED
    SILENCED | SILENCED | SILENCED | SILENCED

The other flags are independent facts, since each is learnt from another side and at any time, in each of these states:
`_silent`, the server has no consumer of ours; `_forgotten`, it has ended a consumer of this channel, or a check has
missed one; whether the channel is closed; `_closing`, the owner has closed the subscription.

Invariant: consumers are made only in TAKING, on an open channel that is not forgotten, and `_silent` is cleared before;
it is set again only when they are cancelled or their channel is left, which returns what still comes. A forgotten
channel stays so until a new one takes its place. What the owner asks for and what the server ends sets `_changed`, for
which the loop waits.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from enum import Enum, auto
from functools import partial
from types import MappingProxyType

import pydantic.dataclasses
import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue, ConsumerTag

from broker.rabbitmq.link import cancelled_from_outside, leave, plainly, surprise
from broker.rabbitmq.server import RabbitNamespace
from broker.rabbitmq.topology import FORGETTING_SECONDS
from eventstore.background import end_background, start_background
from eventstore.pause import DoublingPause
from schemas.config import Count, Period

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

_FIRST_PAUSE_SECONDS = FORGETTING_SECONDS
_LONGEST_PAUSE_SECONDS = 5.0
_SILENCE_SECONDS = 2.0
_ANSWER_SECONDS = 5.0
_DELETE_SECONDS = 20.0
_DEAD_AFTER = 2

Receive = Callable[[AbstractIncomingMessage, str], None]
"""Takes a message and the name of its queue; must return at once, because a closing channel cancels who is inside."""


class ConsumeState(Enum):
    """Whether the owner of a subscription wants messages."""

    TAKING = auto()
    PAUSED = auto()
    """New messages go to others until it resumes."""
    SILENCED = auto()
    """No new message is wanted any more."""


class ConsumeInput(Enum):
    """What the owner of a subscription asks for."""

    PAUSE = auto()
    RESUME = auto()
    SILENCE = auto()


_S, _I = ConsumeState, ConsumeInput

TRANSITIONS: Mapping[tuple[ConsumeState, ConsumeInput], ConsumeState] = MappingProxyType(
    {
        (_S.TAKING, _I.PAUSE): _S.PAUSED,
        (_S.TAKING, _I.RESUME): _S.TAKING,
        (_S.TAKING, _I.SILENCE): _S.SILENCED,
        (_S.PAUSED, _I.PAUSE): _S.PAUSED,
        (_S.PAUSED, _I.RESUME): _S.TAKING,
        (_S.PAUSED, _I.SILENCE): _S.SILENCED,
        (_S.SILENCED, _I.PAUSE): _S.SILENCED,
        (_S.SILENCED, _I.RESUME): _S.SILENCED,
        (_S.SILENCED, _I.SILENCE): _S.SILENCED,
    }
)


@pydantic.dataclasses.dataclass(frozen=True, slots=True)
class SubscriptionConfig:
    """How to subscribe: `prefetch` for each queue; every `check_seconds` the server is asked for our consumers.

    `disposable` says that the messages are hints, which may be lost.
    """

    prefetch: Count
    check_seconds: Period
    disposable: bool


class QueueSubscription:
    """A channel with a consumer for each queue.

    `on_lost` is called when the channel is gone: what came through it and is not acknowledged will come again.
    `hungry` says whether a message that waits should have come here by now.
    """

    def __init__(
        self,
        server: RabbitNamespace,
        names: Sequence[str],
        receive: Receive,
        config: SubscriptionConfig,
        *,
        hungry: Callable[[], bool],
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._link = server.consuming
        self._topology = server.topology
        self._names = tuple(names)
        self._part = f"subscription {self._names[0]}"
        self._receive = receive
        self._config = config
        self._hungry = hungry
        self._unanswered: Counter[str] = Counter()
        self._came: set[str] = set()
        self._on_lost = on_lost
        self._state = ConsumeState.TAKING
        self._forgotten = False
        self._closing = False
        self._retry_pause = DoublingPause(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        self._reason: str | None = "not yet subscribed"
        self._changed = asyncio.Event()
        self._silent = asyncio.Event()
        self._silent.set()
        self._task = start_background(
            f"subscription-{self._names[0]}", self._keep(), closing=lambda: self._closing
        )

    @property
    def trouble(self) -> str | None:
        """Why nothing comes from the queues, safe to publish; None while they are consumed or paused."""
        return f"{', '.join(self._names)} cannot be consumed: {self._reason}" if self._reason else None

    def pause(self) -> None:
        """Let the server give new messages to others; those delivered here are still acknowledged here."""
        self._ask_for(ConsumeInput.PAUSE)

    def resume(self) -> None:
        """Take messages again, unless silenced."""
        self._ask_for(ConsumeInput.RESUME)

    async def silence(self) -> None:
        """Pause for good, and wait until the server sends nothing more."""
        self._ask_for(ConsumeInput.SILENCE)
        with suppress(TimeoutError):
            async with asyncio.timeout(_SILENCE_SECONDS):
                await self._silent.wait()

    def _ask_for(self, asked: ConsumeInput) -> None:
        before, self._state = self._state, TRANSITIONS[self._state, asked]
        if self._state is not before:
            self._changed.set()

    async def close(self) -> None:
        """Close the channel; what was not acknowledged returns to its queue."""
        self._closing = True
        self._link.outage.worked(self._part)
        await end_background(self._task)

    async def _keep(self) -> None:
        # Not `while True`: aiormq may answer a cancellation with an error of its own.
        while not self._closing:
            try:
                connection = await self._link.connection()
                channel = await connection.channel(publisher_confirms=False)
                try:
                    await self._serve(channel)
                finally:
                    self._silent.set()
                    await leave(channel)
            # No error may end the loop: the work of its queues would wait for as long as the process lives.
            except Exception as trouble:  # noqa: BLE001 - see above
                self._reason = plainly(trouble)
                if surprise(trouble) is not None:
                    _log.error("subscription_failed", queues=self._names, exc_info=trouble)
                self._link.outage.failed(self._part, repr(trouble))
            except asyncio.CancelledError:
                # aiormq cancels all that wait for an answer when it closes; only our own cancellation ends the loop.
                if cancelled_from_outside():
                    raise
            self._on_lost()
            await self._retry_pause.wait()

    async def _serve(self, channel: AbstractChannel) -> None:
        """Consume, pause and consume again on one channel, until it closes or the server ends a consumer."""
        channel.close_callbacks.add(self._channel_closed)
        raw = await channel.get_underlay_channel()
        raw.on_consumer_cancel_callbacks.add(self._server_cancelled)
        await channel.set_qos(prefetch_count=self._config.prefetch, timeout=_ANSWER_SECONDS)
        self._forgotten = False
        while not (self._forgotten or channel.is_closed):
            self._changed.clear()
            if self._state is not ConsumeState.TAKING:
                await self._changed.wait()
                continue
            consumers = await self._consume(channel)
            self._reason = None
            self._link.outage.worked(self._part)
            self._retry_pause.reset()
            await self._while_consuming(channel)
            if not channel.is_closed:
                for queue, tag in consumers:
                    await queue.cancel(tag, timeout=_ANSWER_SECONDS)
                self._silent.set()

    async def _while_consuming(self, channel: AbstractChannel) -> None:
        while self._state is ConsumeState.TAKING and not (self._forgotten or channel.is_closed):
            try:
                async with asyncio.timeout(self._config.check_seconds):
                    await self._changed.wait()
                self._changed.clear()
            except TimeoutError:
                await self._check(channel)

    async def _consume(self, channel: AbstractChannel) -> list[tuple[AbstractQueue, ConsumerTag]]:
        async with asyncio.timeout(_ANSWER_SECONDS):
            queues = await self._topology.declare(channel, self._names)
        self._silent.clear()
        return [
            (queue, await self._consume_one(name, queue))
            for name, queue in zip(self._names, queues, strict=True)
        ]

    async def _consume_one(self, name: str, queue: AbstractQueue) -> ConsumerTag:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                tag = await queue.consume(partial(self._deliver, name))
        except TimeoutError:
            self._unanswered[name] += 1
            if self._unanswered[name] >= _DEAD_AFTER:
                await self._replace(name)
            raise
        self._unanswered[name] = 0
        return tag

    async def _replace(self, name: str) -> None:
        """Delete a queue that exists and never answers, so that the next round declares it anew.

        Such is a quorum queue (of 3.10 at least) that was declared a moment before the server was killed. Hints can
        be lost, the keeper sends them again; what people have decided cannot, so that is left to an operator.
        """
        queue = self._topology.queue(name)
        _log.error("rabbitmq_queue_is_dead", queue=queue, deleted=self._config.disposable)
        if self._config.disposable:
            connection = await self._link.connection()
            channel = await connection.channel(publisher_confirms=False)
            try:
                async with asyncio.timeout(_DELETE_SECONDS):
                    await channel.queue_delete(queue)
            finally:
                await leave(channel)

    async def _check(self, channel: AbstractChannel) -> None:
        """Look whether the server still knows our consumers. A queue that is gone closes the channel."""
        for name in self._names:
            queue = await channel.declare_queue(
                self._topology.queue(name), passive=True, timeout=_ANSWER_SECONDS
            )
            found = queue.declaration_result
            left_out = found.message_count and self._hungry() and name not in self._came
            if not found.consumer_count or left_out:
                _log.warning("subscription_forgotten", queue=name, waiting=found.message_count)
                self._forgotten = True
        self._came.clear()
        self._link.outage.worked(self._part)

    async def _deliver(self, name: str, message: AbstractIncomingMessage) -> None:
        self._came.add(name)
        self._receive(message, name)

    def _channel_closed(self, _channel: object, _error: BaseException | None) -> None:
        self._changed.set()

    def _server_cancelled(self, _frame: object) -> None:
        _log.warning("rabbitmq_cancelled_consumer", queues=self._names)
        self._forgotten = True
        self._changed.set()
