"""Who owns the queues. Installations that share them take each other's work and dead-letter each other's decisions.

The first installation that comes declares an exchange that carries its name; nothing is ever sent to it. RabbitMQ
compares the arguments of a declaration with those of the exchange that is there, atomically and across a cluster, so
that every other installation is refused. `alternate-exchange` is an argument that it compares and does not look up.
The queues themselves stay as they are: what waits in those of an earlier release is still there after an upgrade.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

from aio_pika import ExchangeType
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelPreconditionFailed

from broker.interface import BrokerRefused
from broker.rabbitmq.topology import Topology

_ANSWER_SECONDS = 5.0
_CURRENT = re.compile(r"but current is (?:the value )?'([^']*)'")


class Ownership:
    """The claim of one installation on the queues of a namespace. `name` gives the installation's name."""

    def __init__(self, topology: Topology, address: str, name: Callable[[], Awaitable[str]]) -> None:
        self._topology = topology
        self._address = address
        self._ask_name = name
        self._name: str | None = None

    async def claim(self, connection: AbstractConnection) -> None:
        """Return where the queues are ours, or were free. Raises BrokerRefused where they are another's."""
        self._name = self._name or await self._ask_name()
        exchange = self._topology.owner
        try:
            async with asyncio.timeout(_ANSWER_SECONDS), connection.channel() as channel:
                await channel.declare_exchange(
                    exchange,
                    ExchangeType.FANOUT,
                    durable=True,
                    arguments={"alternate-exchange": self._topology.queue(self._name)},
                )
        except ChannelPreconditionFailed as refusal:
            raise BrokerRefused(self._sentence(str(refusal))) from None

    def _sentence(self, refusal: str) -> str:
        found = _CURRENT.search(refusal)
        exchange = self._topology.owner
        # The server's answer has 255 bytes: with a long namespace or vhost the name does not fit in.
        owner = self._topology.name(found[1]) if found else f"that its exchange {exchange} names"
        return (
            f"the queues {self._topology.queue('*')} at {self._address} belong to the installation {owner}, and this"
            f" database is the installation {self._name}: give one of them another FLEXRUN_NAMESPACE or another vhost."
            f" If the other one is no more, delete the exchange {exchange}."
        )
