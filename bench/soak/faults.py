"""What is done to the processes, the broker and the database while customers are served."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from random import Random
from time import monotonic

import psutil
import psycopg

from bench.soak.house import CLOCK_OFF_SECONDS, LEASE_SECONDS, House
from tests.support.processes import FlexrunProcess, ProcessFailed
from tests.support.tcp_proxy import TcpProxy
from tests.support.wrong_clock import WrongClock

Fault = Callable[[], Awaitable[None]]

_ROLES = ("planner", "executor", "gateway")
_DOWN_SECONDS = 1.0
_GOOD_ORDER_SECONDS = 15.0
_COME_BACK_SECONDS = 90.0

_CUT_ALL = """
select count(pg_terminate_backend(pid))
from pg_stat_activity
where application_name like 'flexrun %' and pid <> pg_backend_pid()
"""


# A worker is named host:pid:random.
_AT_WORK = "select from flex_work where started and worker like %s limit 1"
_AT_WORK_SECONDS = 10.0
_LOOK_SECONDS = 0.02
_COMMIT_SECONDS = 0.05


class GoodOrderBroken(Exception):
    """A process that was asked to stop did not stop gracefully."""


class Faults:
    """Each fault begins with everything it needs running, and leaves it running again.

    `done` counts them by name; `times` says of each when it began and ended (seconds, monotonic).
    Faults may overlap; those with the same target wait for each other.
    """

    def __init__(self, house: House, chance: Random) -> None:
        self._house = house
        self._chance = chance
        self._busy: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.done: Counter[str] = Counter()
        self.times: list[tuple[str, float, float]] = []

    @property
    def by_name(self) -> dict[str, Fault]:
        """All faults that this house can have."""
        faults: dict[str, Fault] = {}
        for role in _ROLES:
            faults[f"kill {role}"] = self._on(role, self._kill)
            faults[f"stop {role}"] = self._on(role, self._stop)
            faults[f"freeze {role}"] = self._on(role, self._freeze)
        faults["kill postgres"] = self._kill_postgres
        faults["restart postgres"] = self._restart_postgres
        faults["cut postgres"] = self._cut_postgres
        faults["freeze postgres"] = self._freeze_postgres
        if self._house.clock is not None:
            faults["jump clock"] = partial(self._jump_clock, self._house.clock)
        if self._house.rabbit is not None:
            faults["kill rabbitmq"] = self._kill_rabbit
            faults["restart rabbitmq"] = self._restart_rabbit
            faults["freeze rabbitmq"] = self._freeze_rabbit
        for server, proxy in (
            ("postgres", self._house.postgres_proxy),
            ("rabbitmq", self._house.rabbit_proxy),
        ):
            if proxy is not None:
                faults[f"cut link to {server}"] = partial(self._cut_link, proxy)
                faults[f"stall link to {server}"] = partial(self._stall_link, proxy)
                faults[f"refuse link to {server}"] = partial(self._refuse_link, proxy)
        return faults

    async def commit(self, name: str) -> None:
        """Do one, and wait until everything runs again. Raises ProcessFailed, GoodOrderBroken."""
        began = monotonic()
        await self.by_name[name]()
        self.done[name] += 1
        self.times.append((name, began, monotonic()))

    def _on(self, role: str, harm: Callable[[FlexrunProcess], Awaitable[None]]) -> Fault:
        async def fault() -> None:
            process = self._chance.choice(self._house.site.of_role(role))
            async with self._busy[process.name]:
                process.require_running()
                if role == "executor":
                    await self._suspend_at_work(process)
                await harm(process)

        return fault

    async def _suspend_at_work(self, process: FlexrunProcess) -> None:
        """Suspend it in the middle of a node, or where it is after 10 s without work.

        It is suspended before each look, so that what is seen is still true when the signal that follows arrives.
        """
        suspended = psutil.Process(process.pid)
        suspended.suspend()
        with suppress(psycopg.Error, TimeoutError):  # an unavailable database cannot tell
            async with (
                asyncio.timeout(_AT_WORK_SECONDS),
                await psycopg.AsyncConnection.connect(
                    self._house.database_url, autocommit=True
                ) as connection,
            ):
                while not await self._is_at_work(connection, process):
                    suspended.resume()
                    await asyncio.sleep(_LOOK_SECONDS)
                    suspended.suspend()

    async def _is_at_work(
        self, connection: psycopg.AsyncConnection[tuple[object, ...]], process: FlexrunProcess
    ) -> bool:
        """Whether it has work in flight, also after what it had already sent was committed."""
        worker = [f"%:{process.pid}:%"]
        if (await connection.execute(_AT_WORK, worker)).rowcount == 0:
            return False
        await asyncio.sleep(_COMMIT_SECONDS)
        return (await connection.execute(_AT_WORK, worker)).rowcount > 0

    async def _kill(self, process: FlexrunProcess) -> None:
        await process.kill()
        await self._pause()
        await _bring_back(process)

    async def _stop(self, process: FlexrunProcess) -> None:
        """SIGTERM, with all streams and work in flight."""
        process.send(signal.SIGCONT)
        disorder = await _stop_in_good_order(process)
        await self._pause()
        await _bring_back(process)
        if disorder:
            raise GoodOrderBroken(disorder)

    async def _freeze(self, process: FlexrunProcess) -> None:
        await self._stand_still(process.pid)

    async def _stand_still(self, *pids: int) -> None:
        """Suspend them for longer than a lease, then resume them."""
        stopped: list[psutil.Process] = []
        try:
            for pid in pids:
                with suppress(psutil.NoSuchProcess):
                    process = psutil.Process(pid)
                    process.suspend()
                    stopped.append(process)
            await asyncio.sleep(LEASE_SECONDS * self._chance.uniform(1.0, 2.5))
        finally:
            for process in stopped:
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    async def _kill_postgres(self) -> None:
        async with self._busy["postgres"]:
            await self._house.postgres.kill()
            await self._pause()
            await self._house.postgres.start()

    async def _restart_postgres(self) -> None:
        async with self._busy["postgres"]:
            await self._house.postgres.restart()

    async def _cut_postgres(self) -> None:
        """End every connection that flexrun has, while the server itself stays."""
        async with (
            self._busy["postgres"],
            await psycopg.AsyncConnection.connect(self._house.database_url, autocommit=True) as connection,
        ):
            await connection.execute(_CUT_ALL)

    async def _freeze_postgres(self) -> None:
        """The database does not answer while all leases expire, whose workers are alive."""
        async with self._busy["postgres"]:
            postmaster = self._house.postgres.pid
            backends = psutil.Process(postmaster).children()
            await self._stand_still(postmaster, *(backend.pid for backend in backends))

    async def _freeze_rabbit(self) -> None:
        assert self._house.rabbit is not None  # noqa: S101 - `by_name` offers this only where there is one
        async with self._busy["rabbitmq"]:
            await self._stand_still(self._house.rabbit.pid)

    async def _kill_rabbit(self) -> None:
        assert self._house.rabbit is not None  # noqa: S101 - `by_name` offers this only where there is one
        async with self._busy["rabbitmq"]:
            await self._house.rabbit.kill()
            await self._pause()
            await self._house.rabbit.start()

    async def _restart_rabbit(self) -> None:
        assert self._house.rabbit is not None  # noqa: S101 - `by_name` offers this only where there is one
        async with self._busy["rabbitmq"]:
            await self._house.rabbit.restart()

    async def _jump_clock(self, clock: WrongClock) -> None:
        """The clock of some processes is put an hour ahead, an hour back, or right."""
        clock.set(self._chance.choice((CLOCK_OFF_SECONDS, -CLOCK_OFF_SECONDS, 0)))
        await self._pause()

    async def _cut_link(self, proxy: TcpProxy) -> None:
        """Reset every connection at once; new ones are taken."""
        proxy.cut()
        await self._pause()

    async def _stall_link(self, proxy: TcpProxy) -> None:
        """Connections stay open and carry nothing for longer than a lease."""
        async with self._busy[f"link {proxy.port}"]:
            proxy.stalled = True
            try:
                await asyncio.sleep(LEASE_SECONDS * self._chance.uniform(1.0, 2.0))
            finally:
                proxy.stalled = False

    async def _refuse_link(self, proxy: TcpProxy) -> None:
        """Accept and close, as a balancer without a server behind it does."""
        async with self._busy[f"link {proxy.port}"]:
            proxy.refusing = True
            try:
                proxy.cut()
                await asyncio.sleep(LEASE_SECONDS * self._chance.uniform(0.5, 1.5))
            finally:
                proxy.refusing = False

    async def _pause(self) -> None:
        await asyncio.sleep(self._chance.uniform(0, _DOWN_SECONDS))


async def _stop_in_good_order(process: FlexrunProcess) -> str:
    """Stop it; what was wrong about its end, '' for nothing."""
    try:
        async with asyncio.timeout(_GOOD_ORDER_SECONDS):
            status = await process.stop()
    except TimeoutError:
        await process.kill()
        return f"{process.name} was still there {_GOOD_ORDER_SECONDS} s after SIGTERM"
    return f"{process.name} ended with {status} after SIGTERM:\n{process.last_words(1500)}" if status else ""


async def _bring_back(process: FlexrunProcess) -> None:
    """As a supervisor would: repeatedly, since another fault may have made the database unavailable."""
    deadline = asyncio.get_running_loop().time() + _COME_BACK_SECONDS
    while True:
        try:
            return await process.start()
        except ProcessFailed:
            if process.running or asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(0.2)
