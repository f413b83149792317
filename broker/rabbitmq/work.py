"""Consumes work hints.

Back-pressure: each queue is consumed with as much prefetch as there are slots, and a hint is acknowledged when its work
is over, so that a busy worker is sent nothing more: what waits here would wait while others have free slots. Long work
is acknowledged earlier: the lease in Postgres guards it, and a message that is unacknowledged for half an hour would
close the channel. Hints that then still wait for a slot are passed on to other workers, and no more are taken until a
slot is free.

Where tenants compete for the slots, a hint counts for the next piece of work in turn (`broker.rabbitmq.contention`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby, zip_longest

import pydantic.dataclasses
import structlog
from aio_pika.abc import AbstractIncomingMessage

from broker.claims import Claims, claimed_hint
from broker.failures import Again, DeadLettered, FailureRule, HandlingResult, Taken
from broker.hint_codec import decode_hint
from broker.interface import BrokerUnavailable, Handle, MessageRefused, WorkHint
from broker.rabbitmq.contention import Contention
from broker.rabbitmq.fallback import Fallback
from broker.rabbitmq.server import RabbitNamespace
from broker.rabbitmq.settling import acknowledge, bury, give_back, hand_on
from broker.rabbitmq.subscription import QueueSubscription, SubscriptionConfig
from broker.rabbitmq.topology import is_front, plain_name, queues_of
from broker.serving import Serving, ServingConsumer
from broker.tasks import finish
from eventstore.errors import StoreUnavailable
from eventstore.leases import WorkRow
from schemas.config import Period, Seconds
from schemas.redaction import redact
from telemetry.catalogue import DEAD_LETTERED

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

_LAST_WORD_SECONDS = 1.0


@pydantic.dataclasses.dataclass(frozen=True, slots=True)
class WorkConsumerConfig:
    """How long a message is unacknowledged: until its work ends or `acknowledge_seconds`; slotless, `hand_on_seconds`.

    Every `check_seconds` a subscription checks that the server still has it. When the server has been unavailable for
    `fallback_after_seconds`, work is taken from the database every `fallback_poll_seconds`.
    """

    acknowledge_seconds: Seconds = 30.0
    hand_on_seconds: Seconds = 10.0
    check_seconds: Period = 5.0
    fallback_after_seconds: Seconds = 3.0
    fallback_poll_seconds: Period = 1.0


@dataclass(frozen=True, slots=True)
class _Delivery:
    message: AbstractIncomingMessage
    hint: WorkHint
    arrived_at: float


class RabbitWorkConsumer(ServingConsumer):
    """Passes hints to a handler while there are free slots."""

    def __init__(
        self,
        server: RabbitNamespace,
        failures: FailureRule,
        names: Sequence[str],
        handle: Handle,
        *,
        slots: int,
        config: WorkConsumerConfig,
        claim_seconds: float,
    ) -> None:
        self._publisher = server.publisher
        self.queues = tuple(names)
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._claims = Claims(failures.store, f"claim:{failures.store.origin}:{names[0]}", claim_seconds)
        self._serving = Serving(self._claims.guarded(handle), slots, failures, self._slot_is_free)
        self._waiting: deque[_Delivery] = deque()
        self._alarm: asyncio.TimerHandle | None = None
        self._background: set[asyncio.Task[None]] = set()
        self._server = server
        self._fallback = Fallback(
            failures.store,
            names,
            self._claims,
            self._serving,
            self._needs_database,
            poll_seconds=config.fallback_poll_seconds,
        )
        self._contention = Contention(failures.store, names)
        self._swapping: list[_Delivery] = []
        self._reserved = 0
        self._turning = False
        subscription_config = SubscriptionConfig(slots, config.check_seconds, disposable=True)
        self._subscription = QueueSubscription(
            server,
            [queue for name in names for queue in queues_of(name)],
            self._receive,
            subscription_config,
            hungry=lambda: self._serving.free > 0,
            on_lost=self._waiting.clear,
        )

    @property
    def trouble(self) -> str | None:
        return self._subscription.trouble

    def reserve(self) -> bool:
        """See `broker.interface.WorkConsumer`."""
        return not self._waiting and not self._contention.in_turn and self._serving.reserve()

    def occupy(self, hint: WorkHint, task: asyncio.Task[None]) -> None:
        """See `broker.interface.WorkConsumer`."""
        self._serving.occupy(hint, task)

    def give_back(self) -> None:
        """See `broker.interface.WorkConsumer`."""
        self._serving.give_back()

    async def cancel(self, *, drain_seconds: float) -> None:
        """Stop taking hints, requeue those that wait, and wait for work in flight."""
        self._serving.stop()
        await self._fallback.close()
        await self._subscription.silence()
        if self._alarm is not None:
            self._alarm.cancel()
        waiting = list(self._waiting)
        self._waiting.clear()
        await asyncio.gather(*(give_back(delivery.message) for delivery in waiting))
        await self._serving.drain(drain_seconds)
        # What cannot be sent to a silent server, it redelivers to others when the channel is closed.
        await finish(self._background, _LAST_WORD_SECONDS)
        await self._claims.close()
        await self._subscription.close()

    def _receive(self, message: AbstractIncomingMessage, name: str) -> None:
        try:
            hint = decode_hint(message.body, plain_name(name))
        except MessageRefused as refusal:
            self._spawn(bury(self._publisher, name, message, refusal.reason))
            return
        front = is_front(name)
        hint = replace(hint, front=front)
        self._wait(_Delivery(message, hint, self._loop.time()))
        self._fill()

    def _wait(self, delivery: _Delivery) -> None:
        if delivery.hint.front:
            self._waiting.appendleft(delivery)
        else:
            self._waiting.append(delivery)

    def _fill(self) -> None:
        """Serve what waits while there are free slots: as it came, or in turn."""
        while self._waiting and self._serving.free > self._reserved + len(self._swapping):
            if self._turning or self._contention.in_turn:
                self._swapping.append(self._waiting.popleft())
            elif self._serve(self._waiting[0]):
                self._waiting.popleft()
            else:
                break
        if self._serving.free == 0:
            self._contention.note_full()
        if self._swapping and not self._turning:
            self._turning = True
            self._spawn(self._take_turns())
        self._set_alarm()

    def _serve(self, delivery: _Delivery) -> bool:
        return self._serving.offer(delivery.hint, partial(self._settle, delivery))

    async def _take_turns(self) -> None:
        """Serve the pieces of work whose turn it is, one for each hint, in one claim at a time."""
        while self._swapping:
            deliveries, self._swapping = self._swapping, []
            self._reserved = len(deliveries)
            rows = await self._next_in_turn(len(deliveries))
            self._reserved = 0
            for delivery, row in zip_longest(deliveries, rows[: len(deliveries)]):
                await self._serve_in_turn(delivery, row)
            self._set_alarm()
        self._turning = False

    async def _next_in_turn(self, count: int) -> list[WorkRow]:
        """Claim what is next of all tenants; nothing where one alone has work that waits."""
        try:
            if await self._contention.several():
                # Suspects come by their own hints.
                return await self._claims.query(self.queues, count, has_suspect=True)
        except StoreUnavailable as outage:
            _log.warning("turn_not_known", queues=self.queues, reason=outage.reason)
        # No error of one claim may end the consumer: what the hints say is served instead.
        except Exception:  # noqa: BLE001 - see above
            _log.exception("claim_failed", queues=self.queues)
        return []

    async def _serve_in_turn(self, delivery: _Delivery, row: WorkRow | None) -> None:
        """Serve a claimed piece of work, whatever the hint is about; without one, what the hint says."""
        if row is not None:
            hint = claimed_hint(row)
            self._claims.hold(hint)
            if self._serving.offer(hint, partial(self._settle_in_turn, delivery, hint)):
                return
            await self._claims.release(hint)
        if not self._serve(delivery):
            self._wait(delivery)

    async def _settle_in_turn(self, delivery: _Delivery, hint: WorkHint, verdict: HandlingResult) -> None:
        match verdict:
            case Taken(task) if task is not None:
                self._claims.begun(hint)
                await self._settle(delivery, verdict)
                return
            case DeadLettered(reason):
                # Its run was ended, or the failure rule comes back to it; the message is another's hint.
                DEAD_LETTERED.add(hint.queue)
                _log.error("dead_letter", queue=hint.queue, reason=redact(reason))
                await acknowledge(delivery.message)
            case _:
                await self._settle(delivery, verdict)
        await self._claims.release(hint)

    def _slot_is_free(self) -> None:
        if self._serving.free == 1:
            self._contention.note_full()
        self._fill()
        if self._serving.free > 0:
            self._subscription.resume()

    async def _settle(self, delivery: _Delivery, verdict: HandlingResult) -> None:
        match verdict:
            case Taken(task):
                try:
                    if task is not None:
                        await asyncio.wait({task}, timeout=self._config.acknowledge_seconds)
                finally:
                    await acknowledge(delivery.message)
            case Again(delay_seconds):
                await asyncio.sleep(delay_seconds)
                await self._hand_on([delivery])
            case DeadLettered(reason):
                await bury(self._publisher, delivery.hint.queue, delivery.message, reason)

    def _set_alarm(self) -> None:
        if self._alarm is None and self._waiting:
            due_at = self._waiting[0].arrived_at + self._config.hand_on_seconds
            self._alarm = self._loop.call_at(due_at, self._stand_aside)

    def _stand_aside(self) -> None:
        """Where the oldest hint has waited too long, pass all on to other workers."""
        self._alarm = None
        now = self._loop.time()
        if self._waiting and now - self._waiting[0].arrived_at >= self._config.hand_on_seconds:
            _log.info("hints_handed_on", hints=len(self._waiting), busy=self.busy)
            self._subscription.pause()
            waiting = list(self._waiting)
            self._waiting.clear()
            self._spawn(self._hand_on(waiting))
        self._set_alarm()

    async def _hand_on(self, deliveries: list[_Delivery]) -> None:
        for name, group in groupby(deliveries, key=lambda delivery: delivery.hint.queue):
            messages = [delivery.message for delivery in group]
            try:
                await hand_on(self._publisher, name, messages)
            except BrokerUnavailable:
                for message in messages:
                    await give_back(message)

    def _needs_database(self) -> bool:
        """Whether hints have not come for a while, because of the server or for an unknown reason."""
        away_seconds = self._server.consuming.outage.seconds
        is_away = away_seconds is not None and away_seconds >= self._config.fallback_after_seconds
        return is_away or self._server.work_waits()

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
