"""The parts of an executor process, wired in the test's own process, on a real Postgres and a real broker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import psycopg
from uuid_utils import uuid7

from broker.dispatch import Dispatcher
from broker.factory import open_broker
from broker.keeper import Keeper, KeeperConfig
from contracts.checker import ContractChecker
from eventstore.handler import RunHandler
from eventstore.listener import LogListener
from eventstore.notifier import Notifier
from eventstore.store import EventStore
from executor.config import ExecutorConfig
from executor.registry import CapabilityRegistry
from executor.worker import ExecutorWorker
from runs.commands import AcceptPlan, Command, RequestPlan, StartRun
from runs.event import Event
from runs.state import RunState
from tests.support.capabilities import FunctionCapability
from tests.support.no_spare import NO_SPARE
from tests.support.waiting import DEADLINE_SECONDS, eventually

QUICK = ExecutorConfig(
    slots=16,
    lease_seconds=10,
    heartbeat_seconds=9,
    grace_seconds=0.1,
    drain_seconds=0.2,
    register_seconds=60,
)
"""Short waits, with heartbeats and registrations made by the test itself."""


@dataclass(frozen=True)
class BrokerAddress:
    """Which broker carries the hints: its address and the namespace of its queues."""

    broker_url: str = "postgres"
    namespace: str = "test"


def now() -> datetime:
    return datetime.now(UTC)


class StoreWiring:
    """A store, a handler and a notifier, to start, change and read runs. No worker."""

    def __init__(self, database_url: str, *, patience_seconds: float = 30) -> None:
        self.database_url = database_url
        self.stack = AsyncExitStack()
        self._patience_seconds = patience_seconds

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
        """Open the store, and notify other processes of its commits."""
        self.store = await EventStore.open(
            self.database_url, writers=1, readers=2, patience_seconds=self._patience_seconds
        )
        self.stack.push_async_callback(self.store.close)
        self.handler = RunHandler(self.store)
        notifier = Notifier(self.store)
        await notifier.start()
        self.stack.push_async_callback(notifier.close)

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
    """The same with a worker: listener, broker, dispatcher, keeper, contract checker, executor."""

    def __init__(
        self,
        database_url: str,
        capabilities: Sequence[FunctionCapability],
        *,
        broker_address: BrokerAddress = BrokerAddress(),
        config: ExecutorConfig = QUICK,
        keeps: bool = True,
        listens: bool = True,
        patience_seconds: float = 30,
    ) -> None:
        super().__init__(database_url, patience_seconds=patience_seconds)
        self._capabilities = capabilities
        self._broker_address = broker_address
        self._config = config
        self._keeps = keeps
        self._listens = listens
        self.worker_id = f"worker-{uuid4().hex[:8]}"

    async def open(self) -> None:
        """Start every part, the worker last."""
        await super().open()
        listener = LogListener(self.database_url, ignore_origin=self.store.origin)
        await listener.start()
        self.stack.push_async_callback(listener.close)
        await listener.listening()
        self.contracts = await self.stack.enter_async_context(ContractChecker(NO_SPARE))
        self.broker = open_broker(
            self._broker_address.broker_url, self.store, listener, namespace=self._broker_address.namespace
        )
        await self.broker.start()
        self.stack.push_async_callback(self.broker.close)
        dispatcher = Dispatcher(self.store, self.broker)
        await dispatcher.start()
        self.stack.push_async_callback(dispatcher.close)
        if self._keeps:
            keeper = Keeper(
                self.store, self.handler, self.broker, KeeperConfig(round_seconds=0.2, resend_seconds=1)
            )
            await keeper.start()
            self.stack.push_async_callback(keeper.close)
        self.worker = ExecutorWorker(
            self.store,
            self.handler,
            self.broker,
            self.contracts,
            CapabilityRegistry(self._capabilities),
            self.worker_id,
            self._config,
            listener=listener if self._listens else None,
        )
        await self.worker.start()
        self.stack.push_async_callback(self.worker.close)
