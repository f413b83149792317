"""The one place where the parts meet: a process of flexrun with the roles it was asked for."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import structlog

from broker.dispatch import Dispatcher
from broker.keeper import Keeper
from broker.seam import open_broker
from eventstore.handler import RunHandler
from eventstore.migrate import migrate
from eventstore.notify import LogListener, Notifier
from eventstore.store import EventStore
from eventstore.tail import RunTail
from executor.capability import Capability
from executor.config import ExecutorConfig
from executor.people import people
from executor.registry import CapabilityRegistry
from executor.stubs import stub_capabilities
from executor.worker import ExecutorWorker
from flexrun import __version__
from flexrun.embedded import EmbeddedPostgres
from flexrun.settings import ROLES, Role, Settings
from gateway.app import create_app
from gateway.auth import Tokens, check_bind, is_loopback
from gateway.config import GatewayConfig
from gateway.deps import GatewayDeps
from gateway.hitl.inbox import HitlInbox
from gateway.serve import Server, serve
from gateway.sse import encode_frame
from planner.skeleton import SkeletonPlanner
from planner.worker import PlannerConfig, PlannerWorker
from schemas.contracts.door import ContractDoor
from webhooks.config import WebhooksConfig
from webhooks.service import Webhooks

_log = structlog.get_logger("flexrun")


def worker_name() -> str:
    """Names this process in leases: host, pid and a random part; a restart is somebody else."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


class Engine:
    """A running process. Parts are started in the order in which they stand on each other, and closed in reverse.

    `server` is the listening gateway, where that role was asked for. `capabilities` are what its executor can do, the
    stubs by default. Use as an async context manager.
    """

    def __init__(
        self,
        settings: Settings,
        roles: frozenset[Role],
        capabilities: Sequence[Capability] | None = None,
    ) -> None:
        self.settings = settings
        self.roles = roles
        self.capabilities = stub_capabilities() if capabilities is None else capabilities
        self.worker = worker_name()
        self.database_url = settings.database_url or ""
        self.server: Server | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        settings = self.settings
        tokens = Tokens.parse(settings.tokens.get_secret_value() if settings.tokens else None)
        if "gateway" in self.roles:
            check_bind(settings.host, tokens)
        await self._open_database()
        self.store = await EventStore.open(self.database_url)
        self._stack.push_async_callback(self.store.close)
        self.handler = RunHandler(self.store)
        self.listener = LogListener(self.database_url, ignore_origin=self.store.origin)
        await self.listener.start()
        self._stack.push_async_callback(self.listener.close)
        self.contracts = await self._stack.enter_async_context(ContractDoor())
        self.broker = open_broker(
            settings.broker_url,
            self.store,
            self.listener,
            namespace=settings.namespace,
            claim_seconds=settings.lease_seconds,
        )
        await self.broker.start()
        self._stack.push_async_callback(self.broker.close)
        await self._start_carriers()
        if "executor" in self.roles:
            await self._start_executor()
        if "planner" in self.roles:
            await self._start_planner()
        if "gateway" in self.roles:
            await self._start_gateway(tokens)

    async def _open_database(self) -> None:
        if not self.database_url:
            postgres = EmbeddedPostgres(self.settings.data)
            self.database_url = await postgres.start()
            self._stack.push_async_callback(postgres.stop)
        for name in await migrate(self.database_url):
            _log.info("migration applied", migration=name)

    async def _start_carriers(self) -> None:
        """What takes a commit's consequences to other processes and picks up what was dropped on the way."""
        notifier = Notifier(self.store)
        await notifier.start()
        self._stack.push_async_callback(notifier.close)
        dispatcher = Dispatcher(self.store, self.broker)
        await dispatcher.start()
        self._stack.push_async_callback(dispatcher.close)
        keeper = Keeper(self.store, self.handler, self.broker)
        await keeper.start()
        self._stack.push_async_callback(keeper.close)

    async def _start_executor(self) -> None:
        settings = self.settings
        config = ExecutorConfig(
            slots=settings.executor_slots,
            lease_seconds=settings.lease_seconds,
            heartbeat_seconds=settings.lease_seconds / 5,
            drain_seconds=settings.drain_seconds,
            serves_output=True,
        )
        worker = ExecutorWorker(
            self.store,
            self.handler,
            self.broker,
            self.contracts,
            CapabilityRegistry(self.capabilities, people()),
            self.worker,
            config,
            listener=self.listener,
        )
        await worker.start()
        self._stack.push_async_callback(worker.close)

    async def _start_planner(self) -> None:
        config = PlannerConfig(
            slots=self.settings.planner_slots,
            lease_seconds=self.settings.lease_seconds,
            heartbeat_seconds=self.settings.lease_seconds / 5,
            drain_seconds=self.settings.drain_seconds,
        )
        worker = PlannerWorker(self.store, self.handler, self.broker, SkeletonPlanner(), self.worker, config)
        await worker.start()
        self._stack.push_async_callback(worker.close)

    async def _start_gateway(self, tokens: Tokens) -> None:
        settings = self.settings
        tail = RunTail(self.store, self.listener, encode_frame)
        await tail.start()
        self._stack.push_async_callback(tail.close)
        config = GatewayConfig(
            ping_seconds=settings.ping_seconds,
            backlog_limit=settings.backlog_limit,
            cors_origins=tuple(settings.cors_origins),
            webhook_allow_private=self._webhooks_may_be_private(tokens),
            public_url=settings.public_url,
        )
        deps = GatewayDeps(
            store=self.store,
            handler=self.handler,
            tail=tail,
            contracts=self.contracts,
            tokens=tokens,
            broker=self.broker,
            config=config,
            link_secret=settings.link_secret.get_secret_value() if settings.link_secret else None,
            version=__version__,
        )
        await self._start_webhooks(config.webhook_allow_private)
        self.server = await serve(create_app(deps), settings.host, settings.port)
        self._stack.push_async_callback(self.server.close)
        inbox = HitlInbox.over(deps, self.broker)
        await inbox.start()
        self._stack.push_async_callback(inbox.close)

    async def _start_webhooks(self, allow_private: bool) -> None:
        config = WebhooksConfig(allow_private=allow_private, drain_seconds=self.settings.drain_seconds)
        webhooks = Webhooks(self.store, self.listener, self.worker, config)
        await webhooks.start()
        self._stack.push_async_callback(webhooks.close)

    def _webhooks_may_be_private(self, tokens: Tokens) -> bool:
        """Where it is not said: whoever can reach an engine that is all on this machine is on this machine anyway."""
        told = self.settings.webhook_allow_private
        if told is not None:
            return told
        whole = self.roles == frozenset(ROLES)
        return whole and not tokens.configured and is_loopback(self.settings.host)
