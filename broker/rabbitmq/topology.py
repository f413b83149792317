"""The queues. Their arguments cannot be changed in place: another set of arguments needs another version in the name.

Quorum queues with an explicit positive delivery limit behave the same on RabbitMQ 3.10 and 4.x. Messages that could
not be handled go to one dead-letter queue, through the default exchange. That queue's own limit is out of reach,
because reading its letters counts as delivering them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from aio_pika.abc import AbstractChannel, AbstractQueue

from runs.outstanding import PLAN_QUEUE

VERSION = "v1"
DEAD = "dead"
FORGETTING_SECONDS = 0.5
"""Before a lost queue is declared anew: time for the server to notify its consumers that the old one is gone.

A quorum queue (of 3.10 at least) that is back within milliseconds keeps its old consumers and gives them nothing: it
numbers its messages from 0 again, while they wait for the next number.
"""

_FRONT = ".front"
_NODE_QUEUE = "node."


def front_of(name: str) -> str:
    """The queue for work that is served before all that waits in `name`; queues of messages have none."""
    return name + _FRONT if _is_of_work(name) else name


def _is_of_work(name: str) -> bool:
    return name == PLAN_QUEUE or name.startswith(_NODE_QUEUE)


def queues_of(name: str) -> list[str]:
    """The queues that are consumed for `name`: quorum queues of 3.10 know no priorities, so there are two."""
    return list(dict.fromkeys((front_of(name), name)))


def is_front(name: str) -> bool:
    """Whether this is a queue of `front_of`."""
    return name.endswith(_FRONT) and _is_of_work(name.removesuffix(_FRONT))


def plain_name(name: str) -> str:
    """The queue that a queue of `front_of` belongs to; any other is its own."""
    return name.removesuffix(_FRONT) if is_front(name) else name


DELIVERY_LIMIT = 20
_LOOKS_AT_DEAD_LETTERS = 1_000_000
_MOST_DEAD_LETTERS = 100_000


@dataclass(frozen=True, slots=True)
class Topology:
    """Names and arguments below one namespace."""

    namespace: str

    @property
    def dead(self) -> str:
        """The dead-letter queue."""
        return self.queue(DEAD)

    @property
    def owner(self) -> str:
        """The exchange that says whose queues these are."""
        return self.queue("owner")

    def queue(self, name: str) -> str:
        """`plan` → `flexrun.v1.plan`."""
        return f"{self.namespace}.{VERSION}.{name}"

    def name(self, queue: str) -> str:
        """The inverse of `queue`; a strange queue's name is returned as it is."""
        return queue.removeprefix(f"{self.namespace}.{VERSION}.")

    async def declare(self, channel: AbstractChannel, names: Iterable[str]) -> list[AbstractQueue]:
        """Make sure that the queues and the dead-letter queue exist.

        Raises ChannelPreconditionFailed, and the channel is closed, where one exists with other arguments.
        """
        await self.declare_dead(channel)
        return [
            await channel.declare_queue(self.queue(name), durable=True, arguments=self._arguments())
            for name in names
        ]

    async def declare_dead(self, channel: AbstractChannel) -> AbstractQueue:
        """Make sure that the dead-letter queue exists."""
        arguments: dict[str, Any] = {
            "x-queue-type": "quorum",
            "x-delivery-limit": _LOOKS_AT_DEAD_LETTERS,
            "x-max-length": _MOST_DEAD_LETTERS,
        }
        return await channel.declare_queue(self.dead, durable=True, arguments=arguments)

    def _arguments(self) -> dict[str, Any]:
        return {
            "x-queue-type": "quorum",
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": self.dead,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }
