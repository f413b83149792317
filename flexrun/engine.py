"""The one place where the parts are wired together: a process of flexrun with the roles it was asked for.

Each role is wired in its own module of `flexrun.roles`, imported only for that role: a planner needs no routes.
"""

from __future__ import annotations

import mmap
import os
import secrets
import socket
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

import psycopg
import structlog

from broker.dispatch import Dispatcher
from broker.factory import open_broker
from broker.interface import Broker
from broker.journal import Journal
from broker.parked import ParkedWork
from broker.readiness import ReadinessProbe
from broker.telling import tellings
from eventstore import leases
from eventstore.adopt import require_own_log
from eventstore.capability_cache import CapabilityCache
from eventstore.commit_spans import record_commit
from eventstore.connection import named
from eventstore.errors import StoreUnavailable, brief, is_unreachable
from eventstore.facet_cache import FacetCache
from eventstore.handler import RunHandler, Transact
from eventstore.lifecycle import refuse_second_start
from eventstore.listener import LogListener
from eventstore.migrate import migrate
from eventstore.notifier import Notifier
from eventstore.outage import Outage
from eventstore.pause import DoublingPause
from eventstore.processes import ProcessBeat
from eventstore.store import CACHED_RUNS, EventStore
from flexrun import __version__
from flexrun.keeping import checkpoint_schedule, keeper_of
from flexrun.logs import know_runs
from flexrun.metrics.service import Metrics
from flexrun.payload_keys import use_payload_keys
from flexrun.roles import ROLES, Role
from flexrun.roles.parts import RoleParts
from flexrun.secrets import check_addresses, know_settings
from flexrun.settings import Settings
from flexrun.shutdown import Shutdown
from flexrun.trace_sampling import sampler_of
from flexrun.traces_wanted import traces_wanted
from telemetry.tracing import sample_by

if TYPE_CHECKING:
    from executor.capability import Capability
    from flexrun.health import HealthServer
    from flexrun.roles.gateway import GatewayRole
    from flexrun_sdk import CapabilityFunction
    from gateway.serve import GatewayServer

_log = structlog.get_logger("flexrun")

_START = "start"
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0


def worker_name(origin: str) -> str:
    """Names this process in leases: host, pid and its origin, which is random; a restart is another worker."""
    return f"{socket.gethostname()}:{os.getpid()}:{origin}"


@dataclass(frozen=True, slots=True)
class Supervised:
    """What a supervisor gives to the engine that it starts.

    `predecessor` is the origin of the engine that died before this one: its leases are taken over at once. `memory`
    is shared by all engines of a supervisor, see `broker.journal`.
    """

    origin: str
    predecessor: str | None = None
    database_url: str | None = None
    listening: socket.socket | None = None
    take_socket: Callable[[], None] | None = None
    """Waits, for seconds at most, until the supervisor accepts no callers on `listening` any more."""
    memory: mmap.mmap | None = None


class Engine:
    """A running process. Parts are started in the order of their dependencies; those that work are
    stopped concurrently, the others closed in reverse.

    `server` is the listening gateway, where that role was asked for. `capabilities` are what its executor can do, the
    stubs by default. Use as an async context manager.
    """

    def __init__(
        self,
        settings: Settings,
        roles: frozenset[Role],
        capabilities: Sequence[Capability] | None = None,
        supervised: Supervised | None = None,
    ) -> None:
        know_settings(settings)
        self.settings = settings
        self.roles = roles
        self.capabilities = capabilities
        self.supervised = supervised or Supervised(secrets.token_hex(4))
        memory = self.supervised.memory
        self.journal = Journal(memory) if memory is not None else None
        self.worker = worker_name(self.supervised.origin)
        self.database_url = self.supervised.database_url or settings.database_url or ""
        self.server: GatewayServer | None = None
        self._role: GatewayRole | None = None
        self.health: HealthServer | None = None
        self.metrics = Metrics(self.name)
        self._loaded: Sequence[CapabilityFunction] = ()
        self._started = False
        self._outage = Outage("database")
        self._stack = AsyncExitStack()
        self._shutdown = Shutdown(settings.drain_seconds)

    async def __aenter__(self) -> Self:
        refuse_second_start(self, started=self._started)
        self._started = True
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    def apply(self, settings: Settings) -> list[str]:
        """Use what can change while this process runs; the names of what has. See `flexrun.reloading`."""
        changed = self._role.apply(settings) if self._role is not None else []
        for name in ("log_level", "stop_notice_seconds"):
            if getattr(settings, name) != getattr(self.settings, name):
                changed.append(name)
        self.settings = settings
        return changed

    def note_reload(self, changed: list[str], refused: str | None = None) -> None:
        """Have the operations log say that settings were read again, where this process has a gateway."""
        if self._role is not None:
            self._role.note_reload(changed, refused)

    def give_notice(self) -> None:
        """Let a gateway answer 503 for `stop_notice_seconds` before it stops listening; called before the stop."""
        if "gateway" in self.roles:
            self._shutdown.notice_seconds = self.settings.stop_notice_seconds

    async def _stop(self) -> None:
        if self.health is not None and self.health.readiness is not None:
            self.health.readiness.stopping = True
        try:
            await self._shutdown.work()
        finally:
            await self._stack.aclose()

    async def _start(self) -> None:
        check_addresses(self.settings)
        use_payload_keys(self.settings)
        gateway = self._role = self._gateway() if "gateway" in self.roles else None
        if gateway is not None:
            self._stack.callback(gateway.bind().close)
        await self._start_health()
        await self._load_code()
        await self._open_database()
        self.parts = await self._open_parts()
        self.parts.gateway_url = gateway.url if gateway is not None else None
        await self._read_descriptors(self.parts)
        await self._start_workers(self.parts)
        if gateway is not None:
            self.server = await gateway.start(self.parts)
        await self._start_beat()

    async def _open_parts(self) -> RoleParts:
        """Open what all roles share: store, listener, broker, and what carries commits to others."""
        # pg_stat_activity shows this process's connections as flexrun planner writer, flexrun planner reader, …
        database_url = named(self.database_url, f"flexrun {self.name}")
        self.store = await self._open_store(database_url)
        self._stack.push_async_callback(self._shutdown.foundation, "store", self.store.close)
        self.metrics.count(self.store, checkpoint_schedule(self.settings))
        know_runs(self.store.correlation_id_of)
        self._export_spans()
        self._stack.push_async_callback(self._shutdown.foundation, "metrics", self.metrics.close)
        self.handler = RunHandler(self.store)
        self.listener = listener = LogListener(
            database_url,
            ignore_origin=self.store.origin,
            roles=sorted(self.roles),
            outage=self.store.outage,
        )
        listener.on_erased(self.store.forget)
        await listener.start()
        self._stack.push_async_callback(self._shutdown.foundation, "listener", listener.close)
        self.broker = await self._open_broker(listener)
        self.metrics.ask_too(self.broker)
        await self._start_carriers(listener)
        self.readiness = ReadinessProbe(
            self.store, self.broker, roles=self.roles, checkpoints=checkpoint_schedule(self.settings)
        )
        self._stack.push_async_callback(self._shutdown.foundation, "readiness", self.readiness.close)
        self.metrics.ask_state(self.readiness)
        if self.health is not None:
            self.health.readiness = self.readiness
        capabilities = CapabilityCache(self.store, listener=listener)
        self._stack.push_async_callback(self._shutdown.foundation, "capabilities", capabilities.close)
        parked = ParkedWork(self.store, self.broker, capabilities)
        self._stack.push_async_callback(self._shutdown.foundation, "parked", parked.close)
        return RoleParts(
            self.store,
            self.handler,
            listener,
            self.broker,
            self.readiness,
            self.worker,
            self.roles,
            capabilities,
            FacetCache(self.store, listener=listener),
            self._stack,
            self._shutdown,
            self.metrics,
        )

    def _export_spans(self) -> None:
        """Make spans and send them, where a place to send them to is set.."""
        if not traces_wanted(self.settings.traces_endpoint):
            return
        from flexrun.tracing import SpanExport  # noqa: PLC0415 - libraries that are optional

        sample_by(sampler_of(os.environ))
        export = SpanExport(self.settings.traces_endpoint, self.name, self.worker)
        self.store.on_commit(record_commit)
        self._stack.push_async_callback(self._shutdown.foundation, "spans", export.close)

    async def _load_code(self) -> None:
        """Import the modules of authors, before anything else is opened. Raises LoadFailed."""
        if "executor" in self.roles:
            from flexrun.roles.loaded import load_functions  # noqa: PLC0415 - see the module's docstring

            self._loaded = await load_functions(self.settings)

    @property
    def name(self) -> str:
        """The roles of this process in one word: `planner`, `executor+gateway`, `up` for all of them."""
        return "up" if self.roles == frozenset(ROLES) else "+".join(sorted(self.roles))

    def _cached_runs(self) -> int:
        """A process that only plans seldom sees a run again: it caches only those that it may be planning."""
        return self.settings.planner_slots if self.roles <= {"planner"} else CACHED_RUNS

    async def _open_database(self) -> None:
        if not self.settings.database_url:
            from flexrun.embedded.variables import drop_libpq_variables  # noqa: PLC0415 - see below

            drop_libpq_variables()  # the supervisor's other child, which owns the database, did so for itself only
        if not self.database_url:
            # Imported here: a process with a database URL needs no embedded one.
            from flexrun.embedded.app_role import served_url  # noqa: PLC0415 - see above
            from flexrun.embedded.postgres import EmbeddedPostgres  # noqa: PLC0415 - see above

            postgres = EmbeddedPostgres(self.settings.data)
            owner_url = await postgres.start()
            self._stack.push_async_callback(postgres.stop)
            self.database_url = await served_url(owner_url)

    async def _open_store(self, database_url: str) -> EventStore:
        """Migrate and connect. An unavailable database is waited for, as it is while the process serves.

        Raises psycopg.Error and DatabaseUnsuitable for errors that waiting does not end.
        """
        pause = DoublingPause(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        while True:
            try:
                store = await self._open_store_once(database_url)
            except StoreUnavailable as error:
                self._outage.failed(_START, error.reason)
            except psycopg.Error as error:
                if not is_unreachable(error):
                    raise
                self._outage.failed(_START, brief(error))
            else:
                self._outage.worked(_START)
                return store
            await pause.wait()

    async def _open_store_once(self, database_url: str) -> EventStore:
        for name in await migrate(database_url):
            _log.info("migration applied", migration=name)
        store = await EventStore.open(
            database_url,
            cache_runs=self._cached_runs(),
            origin=self.supervised.origin,
            outage=self._outage,
            erasable=self.settings.erasable,
        )
        try:
            await require_own_log(store)
            if self.supervised.predecessor is not None:
                await self._take_over(store, self.supervised.predecessor)
        except BaseException:
            await store.close()
            raise
        return store

    async def _take_over(self, store: EventStore, predecessor: str) -> None:
        """End all leases of the engine before this one, and count the loss against the work that was in flight."""
        if self.journal is not None:
            for work in self.journal.left_behind():
                await leases.take(store, work, f"claim:{predecessor}", 0)
            self.journal.clear()
        await leases.lapse(store, predecessor)

    async def waits_for(self) -> list[str]:
        """What keeps this process from taking work or passing it on, in words; empty where it is ready."""
        return await self.broker.troubles()

    async def _start_health(self) -> None:
        if self.settings.health_port is not None:
            from flexrun.health import serve_health  # noqa: PLC0415 - aiohttp, for a process that is asked to

            self.health = await serve_health(
                self.settings.health_host, self.settings.health_port, self.metrics.answer
            )
            self._stack.push_async_callback(self.health.close)

    async def _open_broker(self, listener: LogListener) -> Broker:
        broker = self._make_broker(listener)
        await broker.start()
        self._stack.push_async_callback(self._shutdown.foundation, "broker", broker.close)
        return broker

    def _make_broker(self, listener: LogListener) -> Broker:
        return open_broker(
            self.settings.broker_url,
            self.store,
            listener,
            namespace=self.settings.namespace,
            claim_seconds=self.settings.lease_seconds,
            journal=self.journal,
        )

    async def _start_carriers(self, listener: LogListener) -> None:
        """Start what sends a commit's wake-ups and hints to other processes, and what re-sends those that were lost."""
        notifier = Notifier(self.store, listener)
        await notifier.start()
        self._stack.push_async_callback(self._shutdown.foundation, "notifier", notifier.close)
        await self._start_dispatcher()
        await self._start_keeper()

    async def _start_beat(self) -> None:
        beat = ProcessBeat(self.store, self.worker, __version__, lambda: tellings(self.roles, self.broker))
        await beat.start()
        self._stack.push_async_callback(self._shutdown.foundation, "beat", beat.close)

    async def _start_dispatcher(self) -> None:
        dispatcher = Dispatcher(self.store, self.broker)
        await dispatcher.start()
        self._stack.push_async_callback(self._shutdown.foundation, "dispatcher", dispatcher.close)

    async def _start_keeper(self) -> None:
        keeper = keeper_of(self.store, self.handler, self.broker, self.settings, __version__)
        await keeper.start()
        self._stack.push_async_callback(self._shutdown.foundation, "keeper", keeper.close)

    async def _read_descriptors(self, parts: RoleParts) -> None:
        if self.settings.capabilities and self.roles & {"gateway", "executor"}:
            from flexrun.roles.descriptor_files import start_files  # noqa: PLC0415 - where files are named

            await start_files(self.settings, parts)

    async def _start_workers(self, parts: RoleParts) -> None:
        # An executor in the same process appends a plan together with the start of its first node.
        append_plan: Transact = self.handler.transact
        if "executor" in self.roles:
            from flexrun.roles.executor import start_executor  # noqa: PLC0415 - see the module's docstring

            executor = await start_executor(self.settings, parts, self.capabilities, self._loaded)
            append_plan = executor.append_plan_and_start_node
        if "planner" in self.roles:
            from flexrun.roles.planner import start_planner  # noqa: PLC0415 - see the module's docstring

            await start_planner(self.settings, parts, append_plan)

    def _gateway(self) -> GatewayRole:
        from flexrun.roles.gateway import GatewayRole  # noqa: PLC0415 - see the module's docstring

        return GatewayRole(
            self.settings,
            alone=self.roles == frozenset(ROLES),
            listening=self.supervised.listening,
            take_socket=self.supervised.take_socket,
        )
