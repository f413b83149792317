"""The parts of one process around a broker, and a planner that a test controls."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import uuid_utils

from broker.failures import FailureRule
from broker.interface import Broker, WorkHint
from broker.journal import Journal
from broker.keeper import Keeper, KeeperConfig
from broker.postgres import PostgresBroker
from broker.postgres.work import PostgresBrokerConfig
from broker.rabbitmq import RabbitBroker
from broker.rabbitmq.work import WorkConsumerConfig
from eventstore.batch import Lease
from eventstore.handler import RunHandler
from eventstore.listener import LogListener
from eventstore.store import EventStore
from runs.commands import RejectPlan, RequestPlan, StartRun
from runs.errors import RunError, RunFinished, StaleAttempt
from simulation.broker.broker import QueueBroker
from simulation.broker.consumers import QueueTimes
from simulation.broker.server import QueueServer
from tests.support.waiting import DEADLINE_SECONDS, eventually
from tests.support.wired_engine import BrokerAddress, WiredEngine, Wiring

ENVELOPE: dict[str, Any] = {"objective": "write", "outputContract": {"schema": True}}


def now() -> datetime:
    """The clock of commands."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Site:
    """Where a test's database and broker are. `broker_url` is `postgres`, an AMQP address, or `twin`: `queues`."""

    database_url: str
    broker_url: str
    namespace: str
    queues: QueueServer | None = None

    @property
    def kind(self) -> str:
        return self.broker_url.partition(":")[0]


@dataclass(frozen=True)
class BrokerTimes:
    """Settings that a test makes shorter than in production."""

    poll_seconds: float = 0.2
    claim_seconds: float = 15.0
    hidden_seconds: float = 60.0
    hand_on_seconds: float = 10.0
    acknowledge_seconds: float = 30.0
    check_seconds: float = 0.3
    publish_seconds: float = 5.0
    patience_seconds: float = 30.0
    fallback_after_seconds: float = 3.0
    fallback_poll_seconds: float = 1.0


class House:
    """Store, listener, notifier, broker, dispatcher and a keeper that a test runs by hand or starts."""

    store: EventStore
    handler: RunHandler
    broker: Broker
    keeper: Keeper
    journal: Journal | None
    """As an engine with a supervisor has one, unless `journal_bytes` is 0."""

    def __init__(
        self,
        site: Site,
        tempo: BrokerTimes | None = None,
        *,
        dispatches: bool = True,
        journal_bytes: int = 64 * 1024,
    ) -> None:
        self._journal_bytes = journal_bytes
        self.site = site
        self.tempo = tempo or BrokerTimes()
        self._dispatches = dispatches
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _open(self) -> None:
        wiring = Wiring(
            writers=2,
            readers=4,
            patience_seconds=self.tempo.patience_seconds,
            dispatches=self._dispatches,
            keeper=None,
            journal_bytes=self._journal_bytes,
            make_broker=self._make_broker,
        )
        broker_url = "postgres" if self.site.queues is not None else self.site.broker_url
        address = BrokerAddress(broker_url, self.site.namespace or "test")
        engine = WiredEngine(self.site.database_url, address, wiring)
        self.journal = engine.journal
        await self._stack.enter_async_context(engine)
        self.store, self.handler, self.broker = engine.store, engine.handler, engine.broker
        config = KeeperConfig(round_seconds=0.1, resend_seconds=0.1)
        self.keeper = Keeper(self.store, self.handler, self.broker, config)
        self._stack.push_async_callback(self.keeper.close)

    def _make_broker(self, engine: WiredEngine, listener: LogListener) -> Broker:
        tempo = self.tempo
        failures = FailureRule(engine.store, first_delay_seconds=0.01)
        if self.site.queues is not None:
            times = QueueTimes(tempo.acknowledge_seconds, tempo.hand_on_seconds, tempo.claim_seconds)
            return QueueBroker(self.site.queues, engine.store, times=times, failures=failures)
        if self.site.kind == "postgres":
            config = PostgresBrokerConfig(tempo.poll_seconds, tempo.claim_seconds, tempo.hidden_seconds)
            return PostgresBroker(
                engine.store, listener, config=config, failures=failures, journal=engine.journal
            )
        return RabbitBroker(
            self.site.broker_url,
            engine.store,
            namespace=self.site.namespace,
            publish_seconds=tempo.publish_seconds,
            config=WorkConsumerConfig(
                tempo.acknowledge_seconds,
                tempo.hand_on_seconds,
                tempo.check_seconds,
                tempo.fallback_after_seconds,
                tempo.fallback_poll_seconds,
            ),
            failures=failures,
        )

    async def start_run(self) -> str:
        """Accept a run, whose plan is outstanding work then; its id."""
        run_id = str(uuid_utils.uuid7())
        await self.handler.execute(run_id, StartRun(now=now(), envelope=ENVELOPE, schema_hash=None))
        return run_id

    async def start_runs(self, count: int) -> list[str]:
        """Accept runs, all at the same time."""
        return list(await asyncio.gather(*(self.start_run() for _ in range(count))))

    async def types(self, run_id: str) -> list[str]:
        """The types of a run's events, in order."""
        return [event.type for event in await self.store.read(run_id)]

    async def all_complete(self, run_ids: Sequence[str], timeout_seconds: float = DEADLINE_SECONDS) -> None:
        """Wait until each run has exactly one `complete`, at its end."""

        async def complete() -> bool:
            logs = await self.store.read_many(dict.fromkeys(run_ids, 0))
            endings = Counter(events[-1].type for events in logs.values())
            assert endings["complete"] == len(run_ids), (
                f"{endings['complete']} of {len(run_ids)} are complete"
            )
            return True

        await eventually(complete, timeout_seconds)


def plan_hint(run_id: str, attempt: int = 1) -> WorkHint:
    """The hint for a run's plan."""
    return WorkHint(run_id, "plan", "", attempt, "plan")


@dataclass
class Planner:
    """Claims plans as a planner does, and rejects them finally, which ends the run, as soon as `gate` is open."""

    house: House
    name: str = "planner"
    lease_seconds: float = 30.0
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    claimed: list[str] = field(default_factory=list)
    stale: int = 0
    at_work: int = 0
    most_at_work: int = 0

    async def handle(self, hint: WorkHint) -> asyncio.Task[None] | None:
        """The handler for the broker."""
        command = RequestPlan(now=now(), attempt=hint.attempt, planner=self.name, capability_count=1)
        try:
            await self.house.handler.execute(hint.run_id, command, lease=Lease(self.name, self.lease_seconds))
        except (StaleAttempt, RunFinished):
            self.stale += 1
            return None
        self.claimed.append(hint.run_id)
        return asyncio.create_task(self._work(hint))

    async def _work(self, hint: WorkHint) -> None:
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            await self.gate.wait()
            diagnostics = [{"code": "test", "message": "enough", "path": ""}]
            command = RejectPlan(now=now(), attempt=hint.attempt, diagnostics=diagnostics)
            await self.house.handler.execute(hint.run_id, command)
        except RunError:
            pass  # the keeper counted it as lost
        finally:
            self.at_work -= 1


def open_planner(house: House, **more: Any) -> Planner:
    """A planner whose gate is open: it ends each run at once."""
    planner = Planner(house, **more)
    planner.gate.set()
    return planner
