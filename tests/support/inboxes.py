"""The queue `hitl` at a gateway, on either broker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from broker.factory import open_broker
from broker.interface import Broker, DeadLetter
from eventstore.listener import LogListener
from gateway.people.inbox import QUEUE, HitlInbox
from tests.support.gateways import RunningGateway
from tests.support.waiting import eventually
from tests.support.wired_engine import BrokerAddress


@dataclass(frozen=True)
class Inbox:
    """A consuming inbox, and a test's methods for the sender's side."""

    broker: Broker

    async def send(self, message: Any, *, times: int = 1) -> None:
        """Post a message (a document or raw bytes) so many times."""
        raw = message if isinstance(message, bytes) else orjson.dumps(message)
        for _ in range(times):
            await self.broker.publish_message(QUEUE, raw)

    async def dead(self, count: int = 1) -> list[DeadLetter]:
        """The dead letters, once there are that many."""

        async def enough() -> list[DeadLetter]:
            letters = await self.broker.dead_letters(QUEUE)
            assert len(letters) >= count, [letter.reason for letter in letters]
            return letters

        return await eventually(enough)


@asynccontextmanager
async def open_inbox(gateway: RunningGateway, broker_address: BrokerAddress) -> AsyncIterator[Inbox]:
    """An inbox over a gateway's parts, as the engine makes it."""
    listener = LogListener(gateway.database_url, ignore_origin=gateway.store.origin)
    await listener.start()
    broker = open_broker(
        broker_address.broker_url, gateway.store, listener, namespace=broker_address.namespace
    )
    await broker.start()
    await eventually(lambda: broker.healthy)
    inbox = HitlInbox.over(gateway.gateway.deps, broker)
    await inbox.start()
    try:
        yield Inbox(broker)
    finally:
        await inbox.close()
        await broker.close()
        await listener.close()
