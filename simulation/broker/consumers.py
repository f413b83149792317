"""The consumers: slots, claims and failures are the engine's own, as on RabbitMQ."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from functools import partial

from broker.claims import Claims
from broker.external import take_message
from broker.failures import Again, DeadLettered, FailureRule, HandlingResult, Taken
from broker.hint_codec import encode_hint
from broker.interface import Handle, HandleMessage, KeepOfMessage, WorkHint
from broker.serving import Serving, ServingConsumer
from broker.tasks import finish
from simulation.broker.server import Letter, QueueServer, Subscriber


@dataclass(frozen=True, slots=True)
class QueueTimes:
    """As `broker.rabbitmq.work.WorkConsumerConfig`."""

    acknowledge_seconds: float = 30.0
    hand_on_seconds: float = 10.0
    claim_seconds: float = 15.0


class QueueWorkConsumer(ServingConsumer):
    """Passes hints to a handler while there are free slots; what waits too long for one goes to other workers."""

    def __init__(
        self,
        server: QueueServer,
        failures: FailureRule,
        names: Sequence[str],
        handle: Handle,
        *,
        slots: int,
        times: QueueTimes,
    ) -> None:
        self.queues = tuple(names)
        self._server = server
        self._times = times
        claimant = f"claim:{failures.store.origin}:{names[0]}"
        self._claims = Claims(failures.store, claimant, times.claim_seconds)
        self._serving = Serving(self._claims.guarded(handle), slots, failures, self._slot_is_free)
        self._waiting: deque[Letter] = deque()
        self._background: set[asyncio.Task[None]] = set()
        self.subscriber = Subscriber(self.queues, slots, self._receive)
        server.subscribe(self.subscriber)

    def reserve(self) -> bool:
        """See `broker.interface.WorkConsumer`."""
        return not self._waiting and self._serving.reserve()

    def occupy(self, hint: WorkHint, task: asyncio.Task[None]) -> None:
        """See `broker.interface.WorkConsumer`."""
        self._serving.occupy(hint, task)

    def give_back(self) -> None:
        """See `broker.interface.WorkConsumer`."""
        self._serving.give_back()

    async def cancel(self, *, drain_seconds: float) -> None:
        """Stop taking hints, give back those that wait, and wait for work in flight."""
        self._serving.stop()
        self._server.silence(self.subscriber)
        while self._waiting:
            self._server.give_back(self.subscriber, self._waiting.popleft())
        await self._serving.drain(drain_seconds)
        await finish(self._background, 1.0)
        await self._claims.close()
        self._server.unsubscribe(self.subscriber)

    def _receive(self, letter: Letter) -> None:
        if self._waiting or not self._serve(letter):
            self._waiting.append(letter)
            self._spawn(self._stand_aside(letter))

    def _serve(self, letter: Letter) -> bool:
        if not isinstance(letter.content, WorkHint):
            raise TypeError(letter.content)
        return self._serving.offer(letter.content, partial(self._settle, letter))

    def _slot_is_free(self) -> None:
        while self._waiting and self._serve(self._waiting[0]):
            self._waiting.popleft()
        if self._serving.free > 0 and self.subscriber.paused:
            self.subscriber.paused = False
            self._server.look(self.subscriber)

    async def _settle(self, letter: Letter, verdict: HandlingResult) -> None:
        match verdict:
            case Taken(task):
                if task is not None:
                    await asyncio.wait({task}, timeout=self._times.acknowledge_seconds)
                self._server.acknowledge(self.subscriber, letter)
            case Again(delay_seconds):
                await asyncio.sleep(delay_seconds)
                self._server.give_back(self.subscriber, letter)
            case DeadLettered(reason):
                body = encode_hint(letter.content) if isinstance(letter.content, WorkHint) else letter.content
                self._server.bury(self.subscriber, letter, body, reason)

    async def _stand_aside(self, letter: Letter) -> None:
        """Where a letter has waited too long for a slot, pass all that wait on to other workers."""
        await asyncio.sleep(self._times.hand_on_seconds)
        if letter in self._waiting:
            self.subscriber.paused = True
            while self._waiting:
                self._server.give_back(self.subscriber, self._waiting.popleft())

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


class QueueMessageConsumer:
    """Passes external messages to a handler; what cannot be handled ends among the dead letters."""

    def __init__(
        self, server: QueueServer, name: str, handle: HandleMessage, *, prefetch: int, kept: KeepOfMessage
    ) -> None:
        self._server = server
        self._name = name
        self._handle = handle
        self._kept = kept
        self._tasks: set[asyncio.Task[None]] = set()
        self.subscriber = Subscriber((name,), prefetch, self._receive)
        server.subscribe(self.subscriber)

    @property
    def busy(self) -> int:
        return len(self._tasks)

    async def cancel(self, *, drain_seconds: float) -> None:
        """Take nothing new, and wait for what is being handled."""
        self._server.silence(self.subscriber)
        await finish(self._tasks, drain_seconds)
        self._server.unsubscribe(self.subscriber)

    def _receive(self, letter: Letter) -> None:
        task = asyncio.create_task(self._take(letter))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take(self, letter: Letter) -> None:
        body = letter.content
        if isinstance(body, WorkHint):
            raise TypeError(body)
        match await take_message(self._handle, self._name, body, letter.failures):
            case Taken():
                self._server.acknowledge(self.subscriber, letter)
            case Again(delay_seconds):
                await asyncio.sleep(delay_seconds)
                letter.failures += 1
                self._server.give_back(self.subscriber, letter)
            case DeadLettered(reason):
                self._server.bury(self.subscriber, letter, await self._kept(body), reason)
