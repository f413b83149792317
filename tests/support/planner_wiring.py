"""The parts of a planner process, wired in the test's own process, on a real Postgres and a real broker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import psycopg
from uuid_utils import uuid7

from broker.interface import WorkHint
from eventstore.capabilities import register
from planner.config import PlannerConfig
from planner.planner import Planner
from planner.skeleton import SkeletonPlanner
from planner.worker import PlannerWorker
from runs.commands import StartRun
from tests.support.linkedin import REGISTERED
from tests.support.wired_engine import POSTGRES, QUICK_KEEPER, BrokerAddress, Wiring
from tests.support.wiring import StoreWiring, now

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
    """The same with a planner: broker, dispatcher, keeper, planner."""

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
        wiring = Wiring(dispatches=consumes, keeper=QUICK_KEEPER if keeps else None)
        super().__init__(database_url, broker_address=broker_address or POSTGRES, wiring=wiring)
        self.planner = planner or SkeletonPlanner()
        self._config = config
        self._consumes = consumes
        self._registered = registered

    async def open(self) -> None:
        """Start every part, the worker last."""
        await super().open()
        await register(self.store, self._registered, "elsewhere")
        name = f"worker-{uuid4().hex[:8]}"
        self.worker = PlannerWorker(
            self.store, self.handler, self.engine.broker, self.planner, name, self._config
        )
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
