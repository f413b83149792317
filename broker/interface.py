"""The interface of a broker: what each can do, whatever carries the messages.

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
    """Nothing can be sent now: not connected, blocked by an alarm, full, or too slow. Hints are sent again later."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BrokerRefused(ValueError):
    """The queues of this namespace belong to another installation of flexrun; the text says which, and what to do."""


class NotServedHere(Exception):
    """This worker cannot do the work, but another one of the same queue may: it is offered again a little later."""


@dataclass(frozen=True, slots=True)
class WorkHint:
    """There is work: go and look. The fields are those of `flex_work`; `queue` is `plan` or `node.<group>`.

    `front`: it goes before all that waits in its queue. `claimed`: the consumer that serves it has claimed the row
    already (see `broker.claims`). Neither makes it another hint.
    """

    run_id: str
    kind: str
    ref: str
    attempt: int
    queue: str
    front: bool = field(default=False, compare=False)
    claimed: bool = field(default=False, compare=False)

    @staticmethod
    def of(run_id: str, work: Work) -> WorkHint:
        """The hint for a piece of outstanding work."""
        return WorkHint(run_id, work.kind, work.ref, work.attempt, work.queue, front=work.front)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What nobody could handle, from which queue, why, and since when."""

    queue: str
    body: bytes
    reason: str
    at: datetime


Handle = Callable[[WorkHint], Awaitable[asyncio.Task[None] | None]]
"""Claims the work that a hint is about. Returns None where the hint is stale, else the task that is the rest of it.

The task occupies one of the consumer's slots until it ends. An exception means "not claimed": the hint is tried
again, and the work is counted as failing (see `broker.failures`).
"""

HandleMessage = Callable[[bytes], Awaitable[None]]
"""Handles one external message. MessageRefused makes it a dead letter; any other exception is tried again."""

KeepOfMessage = Callable[[bytes], Awaitable[bytes]]
"""What of a message may be kept as a dead letter, where it has something that must not be stored."""


async def keep_all(body: bytes) -> bytes:
    """A message with nothing to hide."""
    return body


class Consumer(Protocol):
    """A subscription. It outlives lost connections, closed channels and being cancelled by the server."""

    @property
    def busy(self) -> int:
        """How many slots are occupied."""
        ...

    async def cancel(self, *, drain_seconds: float) -> None:
        """Take nothing new, and wait up to `drain_seconds` for what is being done. Tasks that go on are left alone."""
        ...


class WorkConsumer(Consumer, Protocol):
    """A subscription to work. A slot of it can be had for work that no hint brings: whoever makes work ready, and may
    do it right here, reserves a slot, starts the work in the same append, and says what became of it."""

    @property
    def idle_seconds(self) -> float:
        """For how long it has had a free slot and taken nothing."""
        ...

    def reserve(self) -> bool:
        """Take a slot for work that is younger than all that waits; False where none is free or something waits."""
        ...

    def occupy(self, hint: WorkHint, task: asyncio.Task[None]) -> None:
        """The reserved slot is for `task`: it is treated like what a handler returned for `hint`."""
        ...

    def give_back(self) -> None:
        """The reserved slot is not needed."""
        ...


class Broker(Protocol):
    """Carries work to workers and messages from outside."""

    @property
    def healthy(self) -> bool:
        """Whether messages are getting through at the moment. The log goes on without the broker, only slower."""
        ...

    @property
    def outage(self) -> Outage:
        """Where its parts say that the server cannot be reached, and that it can again."""
        ...

    async def troubles(self) -> list[str]:
        """What does not work now: sending, receiving, work that waits and is not taken. For anybody to read.

        It tries: something is sent and confirmed. Raises nothing.
        """
        ...

    @property
    def forgets_hints(self) -> bool:
        """Whether a hint can be lost on its way, so that the keeper has to send it again."""
        ...

    async def start(self) -> None:
        """Return within seconds; where a server is needed and not there, it is tried for until `close`.

        Raises BrokerRefused.
        """
        ...

    async def close(self) -> None: ...

    async def publish(self, hints: Sequence[WorkHint]) -> None:
        """Send hints; raises BrokerUnavailable where some may not have gone out."""
        ...

    async def depth(self, queue: str) -> int:
        """How many hints wait in a queue. Raises BrokerUnavailable."""
        ...

    async def consume(self, queues: Sequence[str], handle: Handle, *, slots: int) -> WorkConsumer:
        """Hand hints from `queues` to `handle`, for at most `slots` pieces of work at a time."""
        ...

    async def publish_message(self, name: str, body: bytes) -> None:
        """Put a message into the queue `name`, durably. Raises BrokerUnavailable."""
        ...

    async def consume_messages(
        self, name: str, handle: HandleMessage, *, prefetch: int, kept: KeepOfMessage = keep_all
    ) -> Consumer:
        """Hand messages of the queue `name` to `handle`, `prefetch` at a time; `kept` is what dead letters hold."""
        ...

    async def dead_letters(self, name: str, limit: int = 100) -> list[DeadLetter]:
        """The oldest dead letters of the queue `name` (of every queue for ''); they stay where they are."""
        ...
