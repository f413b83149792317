"""The parts of an executor process, wired in the test's own process, on a real Postgres and a real broker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import psycopg
from uuid_utils import uuid7

from contracts.checker import ContractChecker
from eventstore.store import PATIENCE_SECONDS, Lease
from executor.capability import Capability
from executor.config import ExecutorConfig
from executor.homes import open_homes
from executor.homes.parts import HomeParts
from executor.registry import CapabilityRegistry
from executor.remote import RemoteCapabilities
from executor.worker import ExecutorWorker
from runs.commands import AcceptPlan, Command, RequestPlan, StartNode, StartRun
from runs.event import Event
from runs.state import RunState
from tests.support.no_spare import NO_SPARE
from tests.support.waiting import DEADLINE_SECONDS, eventually
from tests.support.wired_engine import POSTGRES, QUICK_KEEPER, BrokerAddress, WiredEngine, Wiring

QUICK = ExecutorConfig(
    slots=16,
    lease_seconds=10,
    heartbeat_seconds=9,
    grace_seconds=0.1,
    drain_seconds=0.2,
    register_seconds=60,
)
"""Short waits, with heartbeats and registrations made by the test itself."""

REMOTE = replace(QUICK, serves_output=True)
"""For an executor that has loaded nothing, and calls what is registered."""

NOTHING_CARRIED = Wiring(dispatches=False, keeper=None)
"""For a process that changes runs, and leaves the hints of their work to others."""


def now() -> datetime:
    return datetime.now(UTC)


class StoreWiring:
    """A store, a handler and a notifier, to start, change and read runs. No worker."""

    def __init__(
        self,
        database_url: str,
        *,
        broker_address: BrokerAddress = POSTGRES,
        wiring: Wiring = NOTHING_CARRIED,
    ) -> None:
        self.database_url = database_url
        self.engine = WiredEngine(database_url, broker_address, wiring)
        self.stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self.open()
        except BaseException:
            await self.stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stack.aclose()

    async def open(self) -> None:
        """Open the parts; other processes are notified of the store's commits."""
        await self.stack.enter_async_context(self.engine)
        self.store, self.handler = self.engine.store, self.engine.handler

    async def submit(
        self, *nodes: dict[str, Any], plan: dict[str, Any] | None = None, **envelope: Any
    ) -> str:
        """Start a run and give it a plan of these nodes; its id."""
        run_id = str(uuid7())
        whole = {"objective": "test", "outputContract": {"schema": True}, **envelope}
        graph = {"nodes": list(nodes), "edges": [], **(plan or {})}
        await self.handler.execute(
            run_id,
            StartRun(now=now(), envelope=whole, schema_hash="h", correlation_id=f"c-{run_id[-4:]}"),
            RequestPlan(now=now(), attempt=1, planner="test", capability_count=1),
            AcceptPlan(now=now(), attempt=1, plan=graph),
        )
        return run_id

    async def execute(self, run_id: str, *commands: Command) -> None:
        await self.handler.execute(run_id, *commands)

    async def take(self, run_id: str, node_id: str, worker: str, lease_seconds: float = 30) -> None:
        """Start a node under a lease of this worker."""
        await self.handler.execute(
            run_id,
            StartNode(now=now(), node_id=node_id, attempt=1),
            lease=Lease(worker, lease_seconds),
        )

    async def connection(self) -> psycopg.AsyncConnection:
        """A connection of its own to the database, which commits each statement."""
        return await psycopg.AsyncConnection.connect(self.database_url, autocommit=True)

    async def state(self, run_id: str) -> RunState:
        return await self.store.load(run_id, fresh=True)

    async def events(self, run_id: str, *types: str) -> list[Event]:
        """The run's events, of these types if any are given."""
        events = await self.store.read(run_id)
        return [event for event in events if not types or event.type in types]

    async def commits_of(self, run_id: str) -> list[str]:
        """The events of each commit of the run, such as `node_complete a, node_start b`."""
        async with await psycopg.AsyncConnection.connect(self.database_url) as connection:
            cursor = await connection.execute(
                "select string_agg(type || coalesce(' ' || node_id, ''), ', ' order by seq) from flex_events"
                " where run_id = %s group by xid order by min(seq)",
                [run_id],
            )
            return [row[0] for row in await cursor.fetchall()]

    async def ended(self, run_id: str, timeout_seconds: float = DEADLINE_SECONDS) -> RunState:
        """The run's state when it has ended."""
        return await self.reached(run_id, lambda state: state.finished, timeout_seconds)

    async def reached(
        self, run_id: str, condition: Callable[[RunState], object], timeout_seconds: float = DEADLINE_SECONDS
    ) -> RunState:
        """The run's state as soon as `condition` holds for it."""

        async def look() -> RunState | None:
            state = await self.state(run_id)
            assert condition(state), (
                f"{state.status}; nodes: {[(n.id, n.status) for n in state.nodes.values()]}"
            )
            return state

        found = await eventually(look, timeout_seconds)
        assert found is not None
        return found


class ExecutorWiring(StoreWiring):
    """The same with a worker: broker, dispatcher, keeper, contract checker, executor."""

    def __init__(
        self,
        database_url: str,
        capabilities: Sequence[Capability],
        *,
        broker_address: BrokerAddress = POSTGRES,
        config: ExecutorConfig = QUICK,
        keeps: bool = True,
        listens: bool = True,
        patience_seconds: float = PATIENCE_SECONDS,
        homes: HomeParts | None = None,
        callback_url: str = "http://127.0.0.1:9",
    ) -> None:
        wiring = Wiring(keeper=QUICK_KEEPER if keeps else None, patience_seconds=patience_seconds)
        super().__init__(database_url, broker_address=broker_address, wiring=wiring)
        self._homes = homes
        self._callback_url = callback_url
        self._capabilities = capabilities
        self._config = config
        self._listens = listens
        self.worker_id = f"worker-{uuid4().hex[:8]}"

    async def open(self) -> None:
        """Start every part, the worker last."""
        await super().open()
        self.contracts = await self.stack.enter_async_context(ContractChecker(NO_SPARE))
        self.broker = self.engine.broker
        self.worker = ExecutorWorker(
            self.store,
            self.handler,
            self.broker,
            self.contracts,
            CapabilityRegistry(self._capabilities, remote=self._remote()),
            self.worker_id,
            self._config,
            listener=self.engine.listener if self._listens else None,
            callback_url=lambda: self._callback_url,
        )
        await self.worker.start()
        self.stack.push_async_callback(self.worker.close)

    def _remote(self) -> RemoteCapabilities | None:
        if self._homes is None:
            return None
        self.stack.push_async_callback(self._homes.stack.aclose)
        return RemoteCapabilities(self.engine.parts.capabilities, open_homes(self._homes))
