"""How a consumer settles a message: acknowledge, requeue, dead-letter."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import structlog
from aio_pika.abc import AbstractIncomingMessage, HeadersType

from broker.interface import BrokerUnavailable, KeepOfMessage, keep_all
from broker.rabbitmq.publisher import Outgoing, Publisher
from broker.rabbitmq.topology import DEAD
from schemas.redaction import redact
from telemetry.catalogue import DEAD_LETTERED

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)

REASON_HEADER = "x-flexrun-reason"
QUEUE_HEADER = "x-flexrun-queue"
_LONGEST_REASON = 2_000
_BURIALS = 60
_BURIAL_PAUSE_SECONDS = 1.0


async def acknowledge(message: AbstractIncomingMessage) -> None:
    """Acknowledge it. On a channel that is gone the message comes again, which is harmless."""
    with suppress(Exception):
        await message.ack()


async def give_back(message: AbstractIncomingMessage) -> None:
    """Requeue it; this counts as a delivery."""
    with suppress(Exception):
        await message.nack(requeue=True)


async def hand_on(publisher: Publisher, name: str, messages: Sequence[AbstractIncomingMessage]) -> None:
    """Put messages at the end of their queue, as new ones. Raises BrokerUnavailable; they stay ours then."""
    await publisher.publish([Outgoing(name, message.body) for message in messages])
    for message in messages:
        await acknowledge(message)


async def bury(
    publisher: Publisher,
    name: str,
    message: AbstractIncomingMessage,
    reason: str,
    *,
    kept: KeepOfMessage = keep_all,
) -> None:
    """Make it a dead letter with its reason, without secrets.

    Where it cannot be published the server can dead-letter it by itself, but with the reason "rejected" and the whole
    body: so not where `kept` leaves something out. Such a message stays unacknowledged until it can be published.
    """
    reason = redact(reason)
    DEAD_LETTERED.add(name)
    _log.error("dead_letter", queue=name, reason=reason)
    headers: HeadersType = {REASON_HEADER: reason[:_LONGEST_REASON], QUEUE_HEADER: name}
    letter = Outgoing(DEAD, await kept(message.body), headers)
    for _ in range(1 if kept is keep_all else _BURIALS):
        try:
            await publisher.publish([letter])
        except BrokerUnavailable:
            await asyncio.sleep(0 if kept is keep_all else _BURIAL_PAUSE_SECONDS)
        else:
            await acknowledge(message)
            return
    with suppress(Exception):
        await message.reject(requeue=kept is not keep_all)
