"""A process of the engine, wired as `flexrun.engine` does it, on the stand-ins."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from broker.dispatch import Dispatcher
from broker.interface import Broker
from broker.keeper import Keeper, KeeperConfig
from broker.postgres import PostgresBroker
from broker.postgres.work import PostgresBrokerConfig
from contracts.checker import ContractChecker
from eventstore.errors import StoreUnavailable
from eventstore.handler import RunHandler, Transact
from eventstore.listener import LogListener
from eventstore.notifier import Notifier
from eventstore.store import EventStore
from eventstore.tail import RunTail
from executor.config import ExecutorConfig
from executor.registry import CapabilityRegistry
from executor.worker import ExecutorWorker
from planner.config import PlannerConfig
from planner.sandboxed import SandboxedPlanner
from planner.worker import PlannerWorker
from runs.event import Event, JsonObject
from simulation.broker.broker import QueueBroker
from simulation.broker.consumers import QueueTimes
from simulation.broker.server import QueueServer
from simulation.capabilities import Drawn
from simulation.sandbox import SimulatedSandbox

LEASE_SECONDS = 6.0
_KEEPER = KeeperConfig(round_seconds=2.0, resend_seconds=3.0, grace_seconds=3.0)
_EXECUTOR = ExecutorConfig(
    slots=4,
    lease_seconds=LEASE_SECONDS,
    heartbeat_seconds=2.0,
    drain_seconds=1.0,
    report_seconds=40.0,
    register_seconds=60.0,
    serves_output=True,
)
_PLANNER = PlannerConfig(slots=2, lease_seconds=LEASE_SECONDS, heartbeat_seconds=2.0, drain_seconds=1.0)
_BROKER = PostgresBrokerConfig(poll_seconds=2.0, claim_seconds=LEASE_SECONDS)
_QUEUES = QueueTimes(acknowledge_seconds=8.0, hand_on_seconds=3.0, claim_seconds=LEASE_SECONDS)
_PATIENCE_SECONDS = 6.0
_AGAIN_SECONDS = 0.5

HandleMessage = Callable[["EnginePart", bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a process stands on. `queues` None: the Postgres broker carries the work."""

    database_url: str
    queues: QueueServer | None
    random: Random
    sandbox: Callable[[], SimulatedSandbox]
    capabilities: Callable[[], list[Drawn]]
    handle_message: HandleMessage


@dataclass(frozen=True, slots=True)
class Roles:
    """What a process does, beside carrying its commits and keeping."""

    plans: bool = False
    executes: bool = False
    serves: bool = False

    @property
    def name(self) -> str:
        named = {"planner": self.plans, "executor": self.executes, "gateway": self.serves}
        return "+".join(name for name, does in named.items() if does)


class EnginePart:
    """The parts of one process. `tail` follows runs for the readers at a gateway."""

    store: EventStore
    handler: RunHandler
    tail: RunTail[Event]
    broker: Broker

    def __init__(self, name: str, roles: Roles, around: Surroundings) -> None:
        self.name = name
        self.roles = roles
        self._around = around
        self._closing: list[Callable[[], Awaitable[None]]] = []
        self.ready = False

    async def open(self) -> None:
        """Start every part; a database that is away is waited for."""
        around = self._around
        self.store = await self._open_store()
        self._closing.append(self.store.close)
        self.handler = RunHandler(self.store)
        listener = LogListener(around.database_url, ignore_origin=self.store.origin, outage=self.store.outage)
        await listener.start()
        self._closing.append(listener.close)
        self.broker = self._make_broker(listener)
        await self.broker.start()
        self._closing.append(self.broker.close)
        notifier = Notifier(self.store, listener)
        dispatcher = Dispatcher(self.store, self.broker)
        keeper = Keeper(self.store, self.handler, self.broker, _KEEPER)
        for part in (notifier, dispatcher, keeper):
            await part.start()
            self._closing.append(part.close)
        self.tail = RunTail(self.store, listener, _as_it_is, poll_seconds=2.0)
        if self.roles.serves:
            await self.tail.start()
            self._closing.append(self.tail.close)
            reader = await self.broker.consume_messages("hitl", self._handle_message, prefetch=4)
            self._closing.append(lambda: reader.cancel(drain_seconds=1))
        await self._start_workers(listener)
        self.ready = True

    async def close(self) -> None:
        """Stop in good order."""
        self.ready = False
        while self._closing:
            await self._closing.pop()()

    def lost(self) -> None:
        """The process has ended; the servers have found out."""
        if isinstance(broker := getattr(self, "broker", None), QueueBroker):
            broker.lost()

    async def _open_store(self) -> EventStore:
        while True:
            with suppress(StoreUnavailable):
                return await EventStore.open(
                    self._around.database_url,
                    writers=1,
                    readers=2,
                    patience_seconds=_PATIENCE_SECONDS,
                    origin=self.name,
                )
            await asyncio.sleep(_AGAIN_SECONDS)

    def _make_broker(self, listener: LogListener) -> Broker:
        if self._around.queues is None:
            return PostgresBroker(self.store, listener, config=_BROKER)
        return QueueBroker(self._around.queues, self.store, times=_QUEUES)

    async def _handle_message(self, body: bytes) -> None:
        await self._around.handle_message(self, body)

    async def _start_workers(self, listener: LogListener) -> None:
        append_plan: Transact = self.handler.transact
        if self.roles.executes:
            executor = ExecutorWorker(
                self.store,
                self.handler,
                self.broker,
                ContractChecker(sandbox=self._around.sandbox()),
                CapabilityRegistry(self._around.capabilities()),
                f"worker:{self.name}",
                _EXECUTOR,
                listener=listener,
                jitter=self._around.random.random,
            )
            await executor.start()
            self._closing.append(executor.close)
            append_plan = executor.append_plan_and_start_node
        if self.roles.plans:
            planner = PlannerWorker(
                self.store,
                self.handler,
                self.broker,
                SandboxedPlanner(self._around.sandbox()),
                f"worker:{self.name}",
                _PLANNER,
                listener=listener,
                jitter=self._around.random.random,
                append_plan=append_plan,
            )
            await planner.start()
            self._closing.append(planner.close)


def _as_it_is(event: Event) -> Event:
    return event


def begun_of(bundle: JsonObject) -> tuple[str, str, int]:
    """The attempt that a bundle is for."""
    return bundle["runId"], bundle["nodeId"], bundle["attempt"]
