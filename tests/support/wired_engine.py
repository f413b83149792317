"""The parts of a process as `Engine` wires them, in the test's own process: real database, real broker, no role yet."""

from __future__ import annotations

import mmap
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from broker.interface import Broker
from broker.keeper import Keeper, KeeperConfig
from eventstore.listener import LogListener
from eventstore.store import PATIENCE_SECONDS, EventStore
from flexrun.engine import Engine, Supervised
from flexrun.roles import Role
from flexrun.settings import IsolatedSettings

QUICK_KEEPER = KeeperConfig(round_seconds=0.2, resend_seconds=1)
NO_ROLES: frozenset[Role] = frozenset()


@dataclass(frozen=True)
class BrokerAddress:
    """Which broker carries the hints: its address and the namespace of its queues."""

    broker_url: str = "postgres"
    namespace: str = "test"


POSTGRES = BrokerAddress()


@dataclass(frozen=True)
class Wiring:
    """What a test wires otherwise than production does.

    `keeper` None: none is started. `journal_bytes`: as an engine with a supervisor has one; 0 is none. `make_broker`
    makes a broker with waits of its own.
    """

    writers: int = 1
    readers: int = 2
    patience_seconds: float = PATIENCE_SECONDS
    dispatches: bool = True
    keeper: KeeperConfig | None = QUICK_KEEPER
    journal_bytes: int = 0
    erasable: bool = False
    make_broker: Callable[[WiredEngine, LogListener], Broker] | None = None


class WiredEngine(Engine):
    """An engine without a role: a test starts workers, or a gateway, on its `parts`. The database is migrated."""

    def __init__(self, database_url: str, address: BrokerAddress, wiring: Wiring) -> None:
        settings = IsolatedSettings(
            database_url=database_url,
            broker_url=address.broker_url,
            namespace=address.namespace,
            drain_seconds=0,
        )
        memory = mmap.mmap(-1, wiring.journal_bytes) if wiring.journal_bytes else None
        super().__init__(settings, NO_ROLES, supervised=Supervised(secrets.token_hex(4), memory=memory))
        self._wiring = wiring

    async def _start(self) -> None:
        await super()._start()
        await self.listener.listening()

    async def _open_store_once(self, database_url: str) -> EventStore:
        wiring = self._wiring
        return await EventStore.open(
            database_url,
            writers=wiring.writers,
            readers=wiring.readers,
            patience_seconds=wiring.patience_seconds,
            erasable=wiring.erasable,
        )

    def _make_broker(self, listener: LogListener) -> Broker:
        make = self._wiring.make_broker
        return super()._make_broker(listener) if make is None else make(self, listener)

    async def _start_dispatcher(self) -> None:
        if self._wiring.dispatches:
            await super()._start_dispatcher()

    async def _start_keeper(self) -> None:
        if self._wiring.keeper is not None:
            keeper = Keeper(self.store, self.handler, self.broker, self._wiring.keeper)
            await keeper.start()
            self._stack.push_async_callback(self._shutdown.foundation, "keeper", keeper.close)
