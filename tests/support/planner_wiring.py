"""The parts of a planner process, wired in the test's own process, on a real Postgres and a real broker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import psycopg
from uuid_utils import uuid7

from broker.dispatch import Dispatcher
from broker.factory import open_broker
from broker.interface import WorkHint
from broker.keeper import Keeper, KeeperConfig
from eventstore.capabilities import register
from eventstore.listener import LogListener
from planner.config import PlannerConfig
from planner.planner import Planner
from planner.skeleton import SkeletonPlanner
from planner.worker import PlannerWorker
from runs.commands import StartRun
from tests.support.linkedin import REGISTERED
from tests.support.wiring import BrokerAddress, StoreWiring, now

QUICK = PlannerConfig(
    slots=8,
    lease_seconds=10,
    heartbeat_seconds=9,
    timeout_seconds=10,
    drain_seconds=0.2,
    patience_seconds=0,
    look_again_seconds=0.02,
    fresh_seconds=0,
)
"""Heartbeats that a test makes itself, and short waits."""


class PlannerWiring(StoreWiring):
    """Store, handler and notifier, with listener, broker, dispatcher, keeper and planner."""

    def __init__(
        self,
        database_url: str,
        planner: Planner | None = None,
        *,
        broker_address: BrokerAddress | None = None,
        config: PlannerConfig = QUICK,
        keeps: bool = True,
        consumes: bool = True,
        registered: Sequence[dict[str, Any]] = REGISTERED,
    ) -> None:
        super().__init__(database_url)
        self.planner = planner or SkeletonPlanner()
        self._broker_address = broker_address or BrokerAddress()
        self._config = config
        self._keeps = keeps
        self._consumes = consumes
        self._registered = registered

    async def open(self) -> None:
        """Start every part, the worker last."""
        await super().open()
        await register(self.store, self._registered, "elsewhere")
        listener = LogListener(self.database_url, ignore_origin=self.store.origin)
        await listener.start()
        self.stack.push_async_callback(listener.close)
        await listener.listening()
        broker = open_broker(
            self._broker_address.broker_url, self.store, listener, namespace=self._broker_address.namespace
        )
        await broker.start()
        self.stack.push_async_callback(broker.close)
        if self._consumes:
            dispatcher = Dispatcher(self.store, broker)
            await dispatcher.start()
            self.stack.push_async_callback(dispatcher.close)
        if self._keeps:
            rounds = KeeperConfig(round_seconds=0.2, resend_seconds=1)
            keeper = Keeper(self.store, self.handler, broker, rounds)
            await keeper.start()
            self.stack.push_async_callback(keeper.close)
        name = f"worker-{uuid4().hex[:8]}"
        self.worker = PlannerWorker(self.store, self.handler, broker, self.planner, name, self._config)
        if self._consumes:
            await self.worker.start()
        self.stack.push_async_callback(self.worker.close)

    async def start(self, envelope: dict[str, Any], house: dict[str, Any] | None = None) -> str:
        """Accept an envelope, under this policy of the house; the run's id."""
        run_id = str(uuid7())
        applied = {"policy": house, "applied": []} if house is not None else None
        await self.execute(run_id, StartRun(now=now(), envelope=envelope, schema_hash="h", house=applied))
        return run_id

    async def types(self, run_id: str) -> list[str]:
        """The types of the run's events, in order."""
        return [event.type for event in await self.events(run_id)]

    async def commits(self, run_id: str) -> list[str]:
        """The transaction that each event was stored in, in order."""
        async with await psycopg.AsyncConnection.connect(self.database_url) as connection:
            cursor = await connection.execute(
                "select xid::text from flex_events where run_id = %s order by seq", [run_id]
            )
            return [row[0] for row in await cursor.fetchall()]


def hint_for(run_id: str, attempt: int = 1) -> WorkHint:
    """The hint of this planning attempt."""
    return WorkHint(run_id, "plan", "", attempt, "plan")
