"""The interface of a broker: what each can do, however it carries the messages.

A work hint carries ids only. Losing one costs time (the keeper sends it again), doubling one costs nothing (the append
with the expected version is the claim). External messages, such as decisions posted to the queue `hitl`, carry their
whole body: they are kept until they are handled or end among the dead letters with a reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from runs.outstanding import Work
from schemas.messages import MessageRefused

if TYPE_CHECKING:
    from broker.dead import Judge, Keep
    from eventstore.outage import Outage

__all__ = [
    "Broker",
    "BrokerRefused",
    "BrokerUnavailable",
    "Consumer",
    "DeadLetter",
    "Handle",
    "HandleMessage",
    "KeepOfMessage",
    "MessageRefused",
    "NotServedHere",
    "WorkConsumer",
    "WorkHint",
    "keep_all",
]


class BrokerUnavailable(Exception):
    """Sending fails now: not connected, blocked by an alarm, full, or too slow. Hints are sent again later."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BrokerRefused(ValueError):
    """The queues of this namespace belong to another installation of flexrun; the text says which, and what to do."""


class NotServedHere(Exception):
    """This worker cannot do the work, but another one of the same queue may: it is offered again a little later."""


@dataclass(frozen=True, slots=True)
class WorkHint:
    """Says that there is work. The fields are those of `flex_work`; `queue` is `plan` or `node.<group>`.

    `front`: it is served before all that waits in its queue. `claimed`: the consumer that serves it has claimed the
    row already (see `broker.claims`). `traceparent` is the span of the run, for others who read the queue: workers take
    it from the log. None of the three counts in a comparison of hints.
    """

    run_id: str
    kind: str
    ref: str
    attempt: int
    queue: str
    front: bool = field(default=False, compare=False)
    claimed: bool = field(default=False, compare=False)
    traceparent: str | None = field(default=None, compare=False)

    @staticmethod
    def of(run_id: str, work: Work, traceparent: str | None = None) -> WorkHint:
        """The hint for a piece of outstanding work."""
        return WorkHint(
            run_id, work.kind, work.ref, work.attempt, work.queue, front=work.front, traceparent=traceparent
        )


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that could not be handled, with its queue, the reason and the time.

    `id` names it; two that are the same in every respect may share one.
    """

    queue: str
    body: bytes
    reason: str
    at: datetime
    id: str = ""


Handle = Callable[[WorkHint], Awaitable[asyncio.Task[None] | None]]
"""Claims the work that a hint is about. Returns None where the hint is stale, else the task that is the rest of it.

The task occupies one of the consumer's slots until it ends. An exception means "not claimed": the hint is tried
again, and the work is counted as failing (see `broker.failures`).
"""

HandleMessage = Callable[[bytes], Awaitable[None]]
"""Handles one external message. MessageRefused makes it a dead letter; any other exception is tried again."""

KeepOfMessage = Callable[[bytes], Awaitable[bytes]]
"""The part of a message that may be kept as a dead letter, without what must not be stored."""


async def keep_all(body: bytes) -> bytes:
    """The whole message: it has nothing to hide."""
    return body


class Consumer(Protocol):
    """A subscription. It survives lost connections, closed channels and being cancelled by the server."""

    @property
    def busy(self) -> int:
        """The number of occupied slots."""
        ...

    async def cancel(self, *, drain_seconds: float) -> None:
        """Take nothing new, and wait up to `drain_seconds` for work in flight. Tasks that run longer are left alone."""
        ...


class WorkConsumer(Consumer, Protocol):
    """A subscription to work. Its slots also serve work without a hint: code that makes work ready, and may do it in
    this process, reserves a slot, starts the work in the same append, and then fills or frees the slot."""

    @property
    def queues(self) -> Sequence[str]: ...

    @property
    def slots(self) -> int:
        """How many pieces of work it does at a time."""
        ...

    @property
    def taken_seconds(self) -> float | None:
        """Seconds since it last took work that was still to be done; None where it never did."""
        ...

    @property
    def idle_seconds(self) -> float:
        """Seconds for which it has had a free slot and taken nothing."""
        ...

    def reserve(self) -> bool:
        """Take a slot for work younger than all that waits; False where no slot is free or something waits."""
        ...

    def occupy(self, hint: WorkHint, task: asyncio.Task[None]) -> None:
        """Give the reserved slot to `task`, which is treated like what a handler returned for `hint`."""
        ...

    def give_back(self) -> None:
        """Free the reserved slot."""
        ...


class Broker(Protocol):
    """Carries work hints and external messages to workers."""

    @property
    def healthy(self) -> bool:
        """Whether messages get through now. Without the broker, runs continue more slowly."""
        ...

    @property
    def outage(self) -> Outage:
        """Where its parts report that the server is unavailable, and that it is available again."""
        ...

    async def troubles(self) -> list[str]:
        """What does not work now: sending, receiving, work that waits and is not taken. Safe to publish.

        It tries: something is sent and confirmed. Raises nothing.
        """
        ...

    @property
    def work_consumers(self) -> Sequence[WorkConsumer]:
        """The subscriptions to work of this process."""
        ...

    @property
    def deafness(self) -> str | None:
        """Which of the troubles says that work waits which this process serves and has room for; None for none."""
        ...

    @property
    def forgets_hints(self) -> bool:
        """Whether a hint can be lost in transit, so that the keeper has to send it again."""
        ...

    async def start(self) -> None:
        """Return within seconds; a server that is unavailable is retried until `close`.

        Raises BrokerRefused.
        """
        ...

    async def close(self) -> None: ...

    async def publish(self, hints: Sequence[WorkHint]) -> None:
        """Send hints; raises BrokerUnavailable where some may not have gone out."""
        ...

    async def depth(self, queue: str) -> int:
        """The number of hints that wait in a queue. Raises BrokerUnavailable."""
        ...

    async def dead_depth(self) -> int | None:
        """The number of dead letters that are kept outside of the database; None where none ever are.

        Raises BrokerUnavailable.
        """
        ...

    async def consume(self, queues: Sequence[str], handle: Handle, *, slots: int) -> WorkConsumer:
        """Pass hints from `queues` to `handle`, for at most `slots` pieces of work at a time."""
        ...

    async def publish_message(self, name: str, body: bytes) -> None:
        """Put a message into the queue `name`, durably. Raises BrokerUnavailable."""
        ...

    async def consume_messages(
        self, name: str, handle: HandleMessage, *, prefetch: int, kept: KeepOfMessage = keep_all
    ) -> Consumer:
        """Pass messages of the queue `name` to `handle`, `prefetch` at a time; `kept` gives what dead letters store."""
        ...

    async def dead_letters(self, name: str, limit: int = 100) -> list[DeadLetter]:
        """The oldest dead letters of the queue `name` (of every queue for ''); they stay where they are."""
        ...

    async def settle_dead_letters(self, ids: Sequence[str], judge: Judge) -> dict[str, Keep | None]:
        """Requeue, drop or keep these letters as `judge` says of each; None for what was done, the others stay.

        An id that names no letter is missing in the answer. Raises BrokerUnavailable.
        """
        ...
