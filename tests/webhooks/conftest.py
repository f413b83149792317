"""Runs, webhooks on a receiver, and the deliverers of several processes."""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import psycopg
import pytest
from psycopg import sql
from uuid_utils import uuid7

from eventstore import webhook_lanes
from eventstore.handler import RunHandler
from eventstore.listener import LogListener
from eventstore.notifier import Notifier
from eventstore.store import EventStore
from eventstore.webhooks import DeliveryRow, NewWebhook, add_webhook, list_deliveries
from tests.support.by_hand import ByHand
from tests.support.receivers import Receiver, receiving
from tests.support.started_runs import started_run
from tests.support.waiting import eventually
from webhooks.config import WebhooksConfig
from webhooks.service import Webhooks

AddHook = Callable[..., Awaitable[str]]
StartWebhooks = Callable[..., Awaitable[Webhooks]]
StartRun = Callable[[], Awaitable[ByHand]]

QUICK: dict[str, Any] = {
    "allow_private": True,
    "backoff_seconds": (0.01,) * 10,
    "request_seconds": 4.0,
    "lease_seconds": 5.0,
    "poll_seconds": 0.05,
    "quiet_seconds": 0.001,
    "tidy_seconds": 0.1,
    "drain_seconds": 1.0,
}


def new_secret() -> tuple[bytes, str]:
    """A secret as the sender stores it, and as its receiver gets it."""
    secret = secrets.token_bytes(32)
    return secret, "whsec_" + base64.b64encode(secret).decode()


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[EventStore]:
    """The store of the process in which the runs happen."""
    store = await EventStore.open(database_url, patience_seconds=10)
    yield store
    await store.close()


@pytest.fixture
async def start_run(store: EventStore) -> StartRun:
    """Start a run: one event, `start`."""

    async def start() -> ByHand:
        return await started_run(RunHandler(store))

    return start


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def add_hook(store: EventStore, receiver: Receiver) -> AddHook:
    """Add a webhook on the receiver's `/{name}`; its id."""

    async def add(name: str, *event_types: str, url: str | None = None) -> str:
        return await hook_on(store, receiver, name, *event_types, url=url)

    return add


@pytest.fixture
async def start_webhooks(database_url: str, store: EventStore) -> AsyncIterator[StartWebhooks]:
    """Start a deliverer, on a store and a listener of its own, as in another process."""
    async with AsyncExitStack() as stack:
        notifier = Notifier(store)
        await notifier.start()
        stack.push_async_callback(notifier.close)

        async def start(
            worker: str = "one",
            *,
            url: str = database_url,
            clock: Callable[[], float] | None = None,
            **config: Any,
        ) -> Webhooks:
            own = await EventStore.open(url, patience_seconds=10)
            stack.push_async_callback(own.close)
            listener = LogListener(url, ignore_origin=own.origin)
            await listener.start()
            stack.push_async_callback(listener.close)
            webhooks = Webhooks(own, listener, worker, WebhooksConfig(**{**QUICK, **config}), clock=clock)
            await webhooks.start()
            stack.push_async_callback(webhooks.close)
            return webhooks

        yield start


async def deliveries(store: EventStore, hook_id: str) -> list[DeliveryRow]:
    """The deliveries of one webhook, oldest run and first event first."""
    return list(reversed(await list_deliveries(store, hook_id, limit=1000)))


async def statuses(store: EventStore, hook_id: str) -> list[str]:
    """The statuses of a webhook's deliveries."""
    return [row.status for row in await deliveries(store, hook_id)]


async def hook_on(
    store: EventStore, receiver: Receiver, name: str, *event_types: str, url: str | None = None
) -> str:
    """Add a webhook, on the receiver's `/{name}` unless another `url` is given; its id."""
    secret, receiver.secrets[name] = new_secret()
    hook = NewWebhook(
        hook_id=str(uuid7()),
        url=url or f"{receiver.url}/{name}",
        event_types=event_types,
        secret=secret,
    )
    assert await add_webhook(store, hook)
    return hook.hook_id


async def tables(database_url: str, hook_id: str) -> dict[str, int]:
    """The number of rows of a webhook, by table."""
    counts: dict[str, int] = {}
    keys = {"flex_webhooks": "id", "flex_webhook_lanes": "hook_id", "flex_webhook_deliveries": "hook_id"}
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        for table, key in keys.items():
            query = sql.SQL("select count(*) from {} where {} = %s")
            found = await connection.execute(
                query.format(sql.Identifier(table), sql.Identifier(key)), (hook_id,)
            )
            row = await found.fetchone()
            counts[table] = row[0] if row else -1
    return counts


async def feed_all(store: EventStore, limit: int = 1000) -> int:
    """Feed until nothing is left; how many deliveries were written.

    The watermark is that of the whole server, so a transaction of another test may delay it for a moment.
    """
    written = 0

    async def caught_up() -> bool:
        nonlocal written
        fed = await webhook_lanes.feed(store, limit)
        written += fed.written
        return not fed.more and not fed.held_back

    await eventually(caught_up)
    return written


async def all_are(store: EventStore, hook: str, status: str, count: int) -> bool:
    """Whether there are `count` deliveries, all with this status."""
    return await statuses(store, hook) == [status] * count


async def first_failed(store: EventStore, hook: str) -> DeliveryRow:
    """The first delivery, once an attempt has failed. Raises AssertionError."""
    rows = await deliveries(store, hook)
    assert rows
    assert rows[0].error is not None
    assert rows[0].status == "pending"
    return rows[0]
