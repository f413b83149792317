"""What a soak runs on: a Postgres and a RabbitMQ that may be killed, and processes of flexrun over them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from eventstore.migrate import migrate
from tests.support import packages
from tests.support.postgres_server import PostgresServer
from tests.support.processes import Setting, Site
from tests.support.rabbit_server import RabbitServer, find_rabbitmq
from tests.support.tcp_proxy import TcpProxy
from tests.support.wrong_clock import WrongClock, available

LEASE_SECONDS = 2.0
SLOW_SECONDS = (0.15, 0.6)
"""How long a node takes at most, for each executor. The stubs take no time at all: what is killed must be at work."""

CLOCK_OFF_SECONDS = 3600

_SETTINGS = {
    "PING_SECONDS": "1",  # a reader of a frozen gateway notices soon
    "DRAIN_SECONDS": "2",
    "LOG_FORMAT": "json",
    "WEBHOOK_ALLOW_PRIVATE": "true",  # the soak's own receiver is on this machine
}


class RabbitMissing(Exception):
    """There is no RabbitMQ on this machine."""


@dataclass(frozen=True, slots=True)
class House:
    """`rabbit` is None on the Postgres broker. The processes reach database and broker through proxies.

    `clock` is that of the second planner and the third executor; None where there is no libfaketime.
    """

    postgres: PostgresServer
    postgres_proxy: TcpProxy
    rabbit: RabbitServer | None
    rabbit_proxy: TcpProxy | None
    clock: WrongClock | None
    site: Site

    @property
    def database_url(self) -> str:
        """The database itself, past the proxy."""
        return self.postgres.url


@asynccontextmanager
async def open_house(broker: str, folder: Path) -> AsyncIterator[House]:
    """Two gateways, two planners and three executors on `postgres` or `rabbitmq`, one of each with a wrong clock.

    Raises RabbitMissing, ProcessFailed.
    """
    async with AsyncExitStack() as stack:
        postgres = await stack.enter_async_context(PostgresServer())
        postgres_proxy = await stack.enter_async_context(TcpProxy("127.0.0.1", postgres.port))
        rabbit = rabbit_proxy = None
        if broker == "rabbitmq":
            if find_rabbitmq() is None and not (
                packages.can_install() and packages.install("rabbitmq-server")
            ):
                raise RabbitMissing("RabbitMQ is not installed; --broker postgres needs none")
            rabbit = await stack.enter_async_context(RabbitServer())
            rabbit_proxy = await stack.enter_async_context(TcpProxy("127.0.0.1", rabbit.port))
        await migrate(postgres.url)
        setting = Setting(
            postgres_proxy.url(postgres.url),
            rabbit_proxy.url(rabbit.url) if rabbit and rabbit_proxy else "postgres",
            namespace="soak",
            lease_seconds=LEASE_SECONDS,
            extra=_SETTINGS,
        )
        site = Site(setting, folder)
        site.add_all(gateway=2, planner=1)
        for seconds in SLOW_SECONDS:
            site.add_slow_executor("--seconds", str(seconds))
        clock = await asyncio.to_thread(_add_wrong_clocks, site, folder)
        await stack.enter_async_context(site)
        yield House(postgres, postgres_proxy, rabbit, rabbit_proxy, clock, site)


def _add_wrong_clocks(site: Site, folder: Path) -> WrongClock | None:
    """A planner and an executor whose clock is an hour ahead, until a fault makes it jump."""
    if not available():
        return None
    clock = WrongClock(folder, CLOCK_OFF_SECONDS)
    for role, name in (("planner", "planner-2"), ("executor", "executor-3")):
        site.processes[name] = clock.process(site.setting, name, [role], folder)
    return clock
