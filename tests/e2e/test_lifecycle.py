"""The contract of everything that is started and closed; see `eventstore/lifecycle.py`."""

from __future__ import annotations

import ast
import asyncio
import inspect
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from broker.dispatch import Dispatcher
from broker.factory import open_broker
from broker.interface import Broker
from broker.keeper import Keeper
from broker.parked import ParkedWork
from broker.postgres import PostgresBroker
from broker.rabbitmq.link import RabbitLink
from broker.readiness import ReadinessProbe
from broker.waiting import WaitingWork
from contracts.checker import ContractChecker
from eventstore.capability_cache import CapabilityCache
from eventstore.facet_cache import FacetCache
from eventstore.handler import RunHandler
from eventstore.heartbeat import Heartbeat
from eventstore.listener import LogListener
from eventstore.notifier import Notifier
from eventstore.operations import Operation, new_operation_id
from eventstore.partial_outputs import PartialOutputs
from eventstore.processes import ProcessBeat, Telling
from eventstore.registry_copy import RegistryCopy
from eventstore.store import EventStore, Lease
from eventstore.tail import RunTail
from eventstore.token_copy import TokenCopy
from executor.homes.http_exchange import HttpClients
from executor.homes.mcp_server import McpServer
from executor.in_flight import InFlightTasks
from executor.registry import CapabilityRegistry
from executor.worker import ExecutorWorker
from flexrun.client import GatewayClient
from flexrun.engine import Engine
from flexrun.health import serve_health
from flexrun.metrics.service import Metrics
from flexrun.roles import ROLES
from flexrun.roles.descriptor_files import DescriptorFiles
from flexrun.settings import Settings
from flexrun.tracing import SpanExport
from flexrun.worker_beside import WorkerBeside
from gateway.app import create_app
from gateway.auth import Tokens
from gateway.deps import GatewayDeps
from gateway.identity.config import OidcConfig
from gateway.identity.issuer_keys import IssuerKeys
from gateway.operations_log import OperationsLog
from gateway.people.inbox import HitlInbox
from gateway.serve import serve
from gateway.streams.sse import encode_frame
from outbound.models.client import ModelClient
from planner.planner import Planner
from planner.skeleton import SkeletonPlanner
from planner.worker import PlannerWorker
from registry.facet_registrar import FacetRegistrar
from registry.folder import DescriptorFolder
from registry.registrar import Registrar
from sandbox.config import SandboxConfig
from sandbox.pool import ChildPool
from sandbox.sandbox import Sandbox
from schemas.homes import McpHome
from tests.support.capabilities import returns
from tests.support.no_spare import NO_SPARE
from tests.support.started_runs import started_run
from tests.support.waiting import eventually
from webhooks.service import Webhooks

ROOT = Path(__file__).parents[2]
TOOLS = frozenset({"bench", "simulation"})
"""They measure and try the engine; no process that serves has their parts."""

PACKAGES = [path.parent.name for path in sorted(ROOT.glob("*/__init__.py")) if path.parent.name not in TOOLS]


class TakesItsTime(SkeletonPlanner):
    """A planner whose worker keeps leases."""

    instant = False


@dataclass(frozen=True)
class Foundation:
    """What the parts under test use; it is open throughout."""

    database_url: str
    store: EventStore
    handler: RunHandler
    listener: LogListener
    broker: Broker
    checker: ContractChecker

    @property
    def deps(self) -> GatewayDeps:
        tail = RunTail(self.store, self.listener, encode_frame)
        return GatewayDeps(
            store=self.store,
            handler=self.handler,
            tail=tail,
            contracts=self.checker,
            tokens=Tokens.parse(None),
            clock=self.store.clock,
        )

    def planner_worker(self, planner: Planner) -> PlannerWorker:
        return PlannerWorker(self.store, self.handler, self.broker, planner, "planner-1")


Make = Callable[[Foundation], Any]

STARTED: dict[str, Make] = {
    "ChildPool": lambda f: ChildPool(SandboxConfig(spares=0)),
    "ContractChecker": lambda f: ContractChecker(NO_SPARE),
    "DescriptorFiles": lambda f: DescriptorFiles(_folder(f)),
    "Dispatcher": lambda f: Dispatcher(f.store, f.broker),
    "Engine": lambda f: Engine(Settings(database_url=f.database_url, port=0), frozenset(ROLES)),
    "ExecutorWorker": lambda f: ExecutorWorker(
        f.store,
        f.handler,
        f.broker,
        f.checker,
        CapabilityRegistry([returns("test.a", 1)]),
        "executor-1",
        listener=f.listener,
    ),
    "GatewayClient": lambda f: GatewayClient("http://127.0.0.1:1"),
    "Heartbeat": lambda f: Heartbeat(
        f.store, f.handler, InFlightTasks(f.store.clock), Lease("executor-1", 30), 0.01, "executor"
    ),
    "HitlInbox": lambda f: HitlInbox.over(f.deps, f.broker),
    "IssuerKeys": lambda f: IssuerKeys(OidcConfig(issuer="https://127.0.0.1:1", audience=("a",))),
    "Keeper": lambda f: Keeper(f.store, f.handler, f.broker),
    "LogListener": lambda f: LogListener(f.database_url),
    "Notifier": lambda f: Notifier(f.store),
    "ProcessBeat": lambda f: ProcessBeat(f.store, "planner-1", "1.0", lambda: [Telling("planner")]),
    "PlannerWorker": lambda f: f.planner_worker(TakesItsTime()),
    "PostgresBroker": lambda f: PostgresBroker(f.store, f.listener),
    "RabbitBroker": lambda f: None,
    "RabbitLink": lambda f: None,
    "RunTail": lambda f: RunTail(f.store, f.listener, encode_frame),
    "Sandbox": lambda f: Sandbox(SandboxConfig(spares=0)),
    "WorkerBeside": lambda f: WorkerBeside([str(ROOT / "examples/mcp_words.py")], "http://127.0.0.1:1"),
    "WaitingWork": lambda f: WaitingWork(f.store, list),
    "TokenCopy": lambda f: TokenCopy(f.store),
    "Webhooks": lambda f: Webhooks(f.store, f.listener, "webhooks-1"),
}
"""Parts with `start` and `close` (or an async context)."""

OPENED: dict[str, Callable[[Foundation], Awaitable[Any]]] = {
    "EventStore": lambda f: EventStore.open(f.database_url),
    "GatewayServer": lambda f: serve(create_app(f.deps), "127.0.0.1", 0),
    "HealthServer": lambda f: serve_health("127.0.0.1", 0),
    "HttpClients": lambda f: _made(lambda: HttpClients(allow_private=True)),
    "McpServer": lambda f: _connected(
        McpServer(McpHome(command=[sys.executable, str(ROOT / "examples/mcp_words.py")], tool="shout"))
    ),
    "Metrics": lambda f: _scraped(f.store),
    "ModelClient": lambda f: _made(ModelClient),
    "ParkedWork": lambda f: _made(lambda: ParkedWork(f.store, f.broker, CapabilityCache(f.store))),
    "OperationsLog": lambda f: _made(lambda: _recording(f)),
    "PartialOutputs": lambda f: _made(lambda: _storing(f)),
    "ReadinessProbe": lambda f: _asked(ReadinessProbe(f.store, f.broker)),
    "SpanExport": lambda _: _made(lambda: SpanExport("http://127.0.0.1:9", "up", "test")),
    "RegistryCopy": lambda f: _made(lambda: _fetching(CapabilityCache(f.store))),
}
"""Parts that run from the moment they are made."""

INNER = {
    "Checkpoints": "Keeper",
    "Claims": "PostgresBroker",
    "Fallback": "RabbitBroker",
    "Admissions": "ExecutorWorker",
    "Gateway": "GatewayServer",
    "Heartbeats": "GatewayServer",
    "JsonFetcher": "IssuerKeys",
    "Matcher": "GatewayServer",
    "Presence": "GatewayServer",
    "Publisher": "RabbitBroker",
    "QueueSubscription": "RabbitBroker",
    "Reader": "EventStore",
    "RemoteWork": "GatewayServer",
    "Retention": "Keeper",
    "RunWatch": "ExecutorWorker",
    "Sender": "Webhooks",
    "ServerSample": "Metrics",
    "ThreadResolver": "Webhooks",
}
"""Parts that only their owner makes and closes."""

ELSEWHERE = {"EmbeddedPostgres": "test_starting_twice_and_stopping_twice_is_harmless"}
"""A second start of the embedded Postgres returns its address, which does not change."""


async def _scraped(store: EventStore) -> Metrics:
    metrics = Metrics("up")
    metrics.count(store)
    await metrics.answer("")
    return metrics


async def _asked(probe: ReadinessProbe) -> ReadinessProbe:
    await probe.found()
    return probe


async def _connected(server: McpServer) -> McpServer:
    await server.connection()
    return server


def _folder(f: Foundation) -> DescriptorFolder:
    facets = FacetCache(f.store)
    registrars = Registrar(f.store, facets, f.checker), FacetRegistrar(f.store, facets, f.checker)
    return DescriptorFolder([ROOT / "docs/schemas"], *registrars, "worker-1")


def _fetching(copy: RegistryCopy) -> RegistryCopy:
    copy.freshen()
    return copy


def _recording(f: Foundation) -> OperationsLog:
    log, now = OperationsLog(f.store), f.store.clock()
    log.end(Operation(new_operation_id(now), now, "ada", "abortRun", "run", outcome="done", finished_at=now))
    return log


def _storing(f: Foundation) -> PartialOutputs:
    partial = PartialOutputs(f.store)
    partial.add(("01900000-0000-7000-8000-000000000001", "a", 1), "some")
    return partial


async def _made(make: Callable[[], Any]) -> Any:
    return make()


@pytest.fixture
async def foundation(database_url: str) -> AsyncIterator[Foundation]:
    store = await EventStore.open(database_url, writers=1, readers=1)
    handler = RunHandler(store)
    await started_run(handler)  # so that the writer has its connection
    broker = open_broker("postgres", store, None)
    listener = LogListener(database_url)
    async with ContractChecker(NO_SPARE) as checker:
        yield Foundation(database_url, store, handler, listener, broker, checker)
    await broker.close()
    await store.close()


@pytest.fixture
def make(request: pytest.FixtureRequest) -> Make:
    """Makes the part of this name; RabbitMQ runs only for those that need it."""
    name: str = request.param
    if name == "RabbitBroker":
        url, namespace = request.getfixturevalue("amqp_url"), request.getfixturevalue("broker_namespace")
        return lambda f: open_broker(url, f.store, f.listener, namespace=namespace)
    if name == "RabbitLink":
        url = request.getfixturevalue("amqp_url")
        return lambda _: RabbitLink(url, "test")
    return STARTED[name]


async def _call(part: Any, *names: str) -> None:
    """Call the first of these methods that the part has, and await it where it is to be awaited."""
    method = next(getattr(part, name) for name in names if hasattr(part, name))
    arguments = (None, None, None) if method.__name__ == "__aexit__" else ()
    answer = method(*arguments)
    if inspect.isawaitable(answer):
        await answer


async def start(part: Any) -> None:
    await _call(part, "start", "__aenter__")


async def close(part: Any) -> None:
    await _call(part, "close", "__aexit__")


def running() -> set[object]:
    """The tasks of this loop, the sockets of this process, and its children."""
    return {*asyncio.all_tasks(), *_sockets(), *_children()}


def assert_nothing_is_left(before: set[object]) -> None:
    left = running() - before
    assert not left, [str(each) for each in left]


def _sockets() -> Iterator[str]:
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the descriptor that lists them is closed
            target = str(descriptor.readlink())
            if target.startswith("socket:"):
                yield target


def _children() -> Iterator[str]:
    for thread in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # a thread that has ended
            yield from (thread / "children").read_text(encoding="ascii").split()


@pytest.mark.parametrize("make", sorted(STARTED), indirect=True)
async def test_every_part_keeps_the_contract_of_start_and_close(foundation: Foundation, make: Make) -> None:
    before = running()
    part = make(foundation)
    await close(part)
    await start(part)
    with pytest.raises(RuntimeError, match="is started already"):
        await start(part)
    await close(part)
    await eventually(lambda: assert_nothing_is_left(before) or True)
    await close(part)
    assert_nothing_is_left(before)


@pytest.mark.parametrize("name", sorted(OPENED))
async def test_every_part_that_runs_when_it_is_made_may_be_closed_twice(
    foundation: Foundation, name: str
) -> None:
    before = running()
    part = await OPENED[name](foundation)
    await close(part)
    await eventually(lambda: assert_nothing_is_left(before) or True)
    await close(part)
    assert_nothing_is_left(before)


def test_the_contract_is_tested_for_every_part() -> None:
    found = {name for package in PACKAGES for name in _parts_in(package)}
    assert found == {*STARTED, *OPENED, *INNER, *ELSEWHERE}
    assert {*INNER.values()} <= {*STARTED, *OPENED}
    embedded = (ROOT / "tests/embedded/test_embedded_postgres.py").read_text(encoding="utf-8")
    assert all(f"def {test}(" in embedded for test in ELSEWHERE.values())


def _parts_in(package: str) -> Iterator[str]:
    """Classes that are closed or stopped asynchronously, or started and closed in any way."""
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and "Protocol" not in map(ast.unparse, node.bases):
                methods = [
                    each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
                ]
                names = {each.name for each in methods}
                waits = {each.name for each in methods if isinstance(each, ast.AsyncFunctionDef)}
                if waits & {"close", "stop", "__aexit__"} or names >= {"start", "close"}:
                    yield node.name
