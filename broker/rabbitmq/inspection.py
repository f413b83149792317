"""Looks into queues, and settles dead letters by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256

from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import ChannelNotFoundEntity

from broker.dead import Fate, Judge, Keep, Requeue
from broker.interface import BrokerUnavailable, DeadLetter
from broker.rabbitmq.publisher import Outgoing
from broker.rabbitmq.server import RabbitNamespace
from broker.rabbitmq.settling import QUEUE_HEADER, REASON_HEADER
from broker.rabbitmq.topology import DELIVERY_LIMIT, Topology
from eventstore.errors import StoreError

_MOST_LOOKED_AT = 5_000
_SETTLING_SECONDS = 30.0
_ID_DIGITS = 24

_SERVER_REASONS = {
    "delivery_limit": f"delivered {DELIVERY_LIMIT} times, and each time its consumer died or gave it back",
    "rejected": "refused while the reason could not be published",
    "expired": "too old",
    "maxlen": "the queue was full",
}


async def queue_depth(server: RabbitNamespace, name: str) -> int:
    """How many messages wait in a queue; 0 where there is no such queue. Raises BrokerUnavailable."""
    try:
        async with asyncio.timeout(server.answer_seconds):
            connection = await server.consuming.connection()
            async with connection.channel(publisher_confirms=False) as channel:
                queue = await channel.declare_queue(server.topology.queue(name), passive=True)
                return queue.declaration_result.message_count or 0
    except ChannelNotFoundEntity:
        return 0
    except Exception as trouble:
        raise BrokerUnavailable(f"the queue {name} cannot be looked at: {trouble!r}") from trouble


async def dead_letters(server: RabbitNamespace, name: str, limit: int) -> list[DeadLetter]:
    """The oldest dead letters of the queue `name`, or of all queues for ''. Raises BrokerUnavailable."""
    found: list[DeadLetter] = []
    try:
        async with asyncio.timeout(server.answer_seconds):
            connection = await server.consuming.connection()
            # Closing the channel returns all messages to the queue.
            async with connection.channel(publisher_confirms=False) as channel:
                dead = await server.topology.declare_dead(channel)
                for _ in range(_MOST_LOOKED_AT):
                    message = await dead.get(no_ack=False, fail=False)
                    if message is None or len(found) >= limit:
                        break
                    letter = _letter(message, server.topology)
                    if name in ("", letter.queue):
                        found.append(letter)
    except Exception as trouble:
        raise BrokerUnavailable(f"the dead letters cannot be looked at: {trouble!r}") from trouble
    return found


async def settle_dead_letters(
    server: RabbitNamespace, ids: Sequence[str], judge: Judge
) -> dict[str, Keep | None]:
    """Requeue, drop or keep letters; see `broker.interface.Broker`. Of the oldest five thousand.

    A letter is published before it is acknowledged: a crash between both leaves it twice, and never nowhere.
    """
    found: dict[str, Keep | None] = {}
    wanted = set(ids)
    try:
        async with asyncio.timeout(_SETTLING_SECONDS):
            connection = await server.consuming.connection(server.answer_seconds)
            # Closing the channel returns all messages that were not settled to the queue.
            async with connection.channel(publisher_confirms=False) as channel:
                dead = await server.topology.declare_dead(channel)
                for _ in range(_MOST_LOOKED_AT):
                    message = await dead.get(no_ack=False, fail=False) if wanted else None
                    if message is None:
                        break
                    letter = _letter(message, server.topology)
                    if letter.id in wanted:
                        wanted.discard(letter.id)
                        found[letter.id] = await _settle(server, message, letter, await judge(letter))
    except (BrokerUnavailable, StoreError):
        raise
    except Exception as trouble:
        raise BrokerUnavailable(f"the dead letters cannot be settled: {trouble!r}") from trouble
    return found


async def _settle(
    server: RabbitNamespace, message: AbstractIncomingMessage, letter: DeadLetter, fate: Fate
) -> Keep | None:
    if isinstance(fate, Keep):
        return fate
    if isinstance(fate, Requeue):
        await server.publisher.publish([Outgoing(letter.queue, letter.body)])
    await message.ack()
    return None


def _id(queue: str, message: AbstractIncomingMessage, reason: str, at: datetime) -> str:
    """AMQP numbers no messages: what is the same in every respect has the same id."""
    parts = (queue.encode(), reason.encode(), at.isoformat().encode(), message.body)
    return sha256(b"\0".join(parts)).hexdigest()[:_ID_DIGITS]


def _letter(message: AbstractIncomingMessage, topology: Topology) -> DeadLetter:
    headers = message.headers
    queue, reason = headers.get(QUEUE_HEADER), headers.get(REASON_HEADER)
    if reason is None:
        server_reason = str(headers.get("x-first-death-reason"))
        queue = topology.name(str(headers.get("x-first-death-queue")))
        reason = _SERVER_REASONS.get(server_reason, server_reason)
    at = _died_at(message)
    return DeadLetter(str(queue), message.body, str(reason), at, _id(str(queue), message, str(reason), at))


def _died_at(message: AbstractIncomingMessage) -> datetime:
    deaths = message.headers.get("x-death")
    if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict):
        at = deaths[0].get("time")
        if isinstance(at, datetime):
            return at.astimezone(UTC)
    return message.timestamp or datetime.fromtimestamp(0, UTC)
