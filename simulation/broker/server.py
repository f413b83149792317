"""The server: queues, subscribers that get no more than they have asked for, letters that come back."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import time
from typing import Protocol

from broker.interface import BrokerUnavailable, DeadLetter, WorkHint


class Faults(Protocol):
    """What becomes of what is sent: seconds until it is there, once for each copy; [] is lost."""

    def hint(self) -> list[float]: ...
    def message(self) -> list[float]: ...


class NoFaults:
    """Each once and at once."""

    def hint(self) -> list[float]:
        return [0.0]

    def message(self) -> list[float]:
        return [0.0]


@dataclass(slots=True, eq=False)
class Letter:
    """A message in a queue: a hint, or the body of an external message. `failures`: how often it was tried."""

    queue: str
    content: WorkHint | bytes
    failures: int = 0
    front: bool = False


@dataclass(slots=True, eq=False)
class Subscriber:
    """A consumer of some queues. `prefetch`: how many letters of each queue it may have unacknowledged."""

    queues: tuple[str, ...]
    prefetch: int
    receive: Callable[[Letter], None]
    context: Context = field(default_factory=copy_context)
    paused: bool = False
    unacknowledged: dict[Letter, None] = field(default_factory=dict[Letter, None])

    def takes(self, queue: str) -> bool:
        """Whether a letter of this queue may be delivered to it now."""
        if self.paused or queue not in self.queues:
            return False
        return sum(letter.queue == queue for letter in self.unacknowledged) < self.prefetch


class QueueServer:
    """What it does by itself runs in `context`, so that no client's end ends it."""

    def __init__(
        self,
        faults: Faults | None = None,
        *,
        clock: Callable[[], float] = time,
        context: Context | None = None,
    ) -> None:
        self._faults = faults or NoFaults()
        self._clock = clock
        self._context = context
        self._queues: dict[str, deque[Letter]] = {}
        self._subscribers: list[Subscriber] = []
        self._dead: dict[str, DeadLetter] = {}
        self._buried = 0
        self.is_down = False

    def publish(self, hints: list[WorkHint]) -> None:
        """Send hints. Raises BrokerUnavailable."""
        self._require()
        for hint in hints:
            for seconds in self._faults.hint():
                self._send(Letter(hint.queue, hint, front=hint.front), seconds)

    def publish_message(self, name: str, body: bytes) -> None:
        """Send a message, which is not lost. Raises BrokerUnavailable."""
        self._require()
        for seconds in self._faults.message() or [0.0]:
            self._send(Letter(name, body), seconds)

    def depth(self, queue: str) -> int:
        """How many letters wait. Raises BrokerUnavailable."""
        self._require()
        return len(self._queues.get(queue, ()))

    def subscribe(self, subscriber: Subscriber) -> None:
        """Deliver letters from now on."""
        self._subscribers.append(subscriber)
        self.look(subscriber)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Deliver nothing more; what is unacknowledged goes to others."""
        if subscriber in self._subscribers:
            self._subscribers.remove(subscriber)
        for letter in list(subscriber.unacknowledged):
            self.give_back(subscriber, letter)

    def silence(self, subscriber: Subscriber) -> None:
        """Deliver nothing more, and leave it what it has."""
        subscriber.paused = True

    def acknowledge(self, subscriber: Subscriber, letter: Letter) -> None:
        """The letter is done with."""
        subscriber.unacknowledged.pop(letter, None)
        self.look(subscriber)

    def give_back(self, subscriber: Subscriber, letter: Letter) -> None:
        """The letter goes back into its queue."""
        if letter in subscriber.unacknowledged:
            del subscriber.unacknowledged[letter]
            self._send(letter, 0.0)

    def bury(self, subscriber: Subscriber, letter: Letter, body: bytes, reason: str) -> None:
        """The letter is kept among the dead ones."""
        self._buried += 1
        name = str(self._buried)
        at = datetime.fromtimestamp(self._clock(), UTC)
        self._dead[name] = DeadLetter(letter.queue, body, reason, at, name)
        self.acknowledge(subscriber, letter)

    @property
    def dead(self) -> dict[str, DeadLetter]:
        """The dead letters by their ids. Raises BrokerUnavailable."""
        self._require()
        return self._dead

    def go_down(self) -> None:
        """Take nothing, and deliver nothing; what there is stays."""
        self.is_down = True

    def come_up(self) -> None:
        """Serve again."""
        self.is_down = False
        for queue in list(self._queues):
            self._deliver(queue)

    def look(self, subscriber: Subscriber) -> None:
        """Deliver what waits, and `subscriber` may take now."""
        for queue in subscriber.queues:
            self._deliver(queue)

    def _require(self) -> None:
        if self.is_down:
            raise BrokerUnavailable("connection refused")

    def _send(self, letter: Letter, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        if seconds > 0:
            loop.call_later(seconds, self._arrive, letter, context=self._context)
        else:
            loop.call_soon(self._arrive, letter, context=self._context)

    def _arrive(self, letter: Letter) -> None:
        waiting = self._queues.setdefault(letter.queue, deque())
        if letter.front:
            waiting.appendleft(letter)
        else:
            waiting.append(letter)
        self._deliver(letter.queue)

    def _deliver(self, queue: str) -> None:
        waiting = self._queues.get(queue)
        while waiting and not self.is_down:
            taker = next((each for each in self._subscribers if each.takes(queue)), None)
            if taker is None:
                return
            self._subscribers.remove(taker)  # in turn
            self._subscribers.append(taker)
            letter = waiting.popleft()
            taker.unacknowledged[letter] = None
            asyncio.get_running_loop().call_soon(taker.receive, letter, context=taker.context)
