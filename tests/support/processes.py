"""Real processes of flexrun, that a test starts, kills, freezes and stops; their logs are kept for its failure."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from flexrun.embedded.launch import GuardedServer
from tests.support.forked import ForkedServer, StandardFiles
from tests.support.ports import free_port
from tests.support.waiting import DEADLINE_SECONDS

ROOT = Path(__file__).parents[2]

READY_SECONDS = 2 * DEADLINE_SECONDS
"""A loaded machine starts a Python process slowly; a process that has ended is noticed at once."""

_READY = re.compile(rb"flexrun [a-z, ]+ is ready(?:: (https?://[0-9.:]+))?")
_GRACE_SECONDS = 30.0


class ProcessFailed(AssertionError):
    """A process ended without being asked to, or was not ready in time; the message has the end of its log."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What the processes of one site have in common. `extra` are further `FLEXRUN_*` settings, without the prefix."""

    database_url: str
    broker_url: str = "postgres"
    namespace: str = field(default_factory=lambda: f"test-{secrets.token_hex(6)}")
    lease_seconds: float = 2.0
    extra: Mapping[str, str] = field(default_factory=dict[str, str])

    def environment(self) -> dict[str, str]:
        """The environment of this site's processes, with nothing of flexrun from the one of the tests."""
        told = {
            "DATABASE_URL": self.database_url,
            "BROKER_URL": self.broker_url,
            "NAMESPACE": self.namespace,
            "LEASE_SECONDS": str(self.lease_seconds),
            "STOP_NOTICE_SECONDS": "0",
            **self.extra,
        }
        return clean_environment() | {f"FLEXRUN_{name}": value for name, value in told.items()}


def clean_environment() -> dict[str, str]:
    """The environment for a `python -m flexrun` in any folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FLEXRUN_")}
    return {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "400", "NO_COLOR": "1"}


class FlexrunProcess:
    """One `python -m …`, which ends when the tests are gone, for any reason.

    It may be started again after its end; its log continues in the same file. With `fresh` it is a new interpreter
    under a guard, as a person would start it; without, it is forked, see forked.py.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        *,
        module: str = "flexrun",
        fresh: bool = False,
    ) -> None:
        self.name = name
        self.log_path = folder / f"{name}.log"
        self.url = ""
        self._module = module
        self._arguments = arguments
        self._environment = environment
        self._fresh = fresh
        self._server: GuardedServer | ForkedServer | None = None
        self._log_began = 0

    @property
    def pid(self) -> int:
        """The process itself, not its guard. Raises ProcessFailed where there is none."""
        if self._server is None:
            raise ProcessFailed(f"{self.name} was not started")
        return self._server.pid

    @property
    def running(self) -> bool:
        return self._server is not None and self._server.exit_status is None

    def launch(self) -> None:
        """Start it; see `ready`."""
        self._log_began = self.log_path.stat().st_size if self.log_path.exists() else 0
        if self._fresh:
            self._server = GuardedServer.launch(
                [sys.executable, "-m", self._module, *self._arguments],
                log_path=self.log_path,
                environment=self._environment,
            )
        else:
            files = StandardFiles(self.log_path)
            self._server = ForkedServer(self._module, self._arguments, self._environment, files)

    async def ready(self) -> None:
        """Wait until it reports that it is ready. Raises ProcessFailed."""
        deadline = time.monotonic() + READY_SECONDS
        while (said := _READY.search(self._log())) is None:
            self.require_running()
            if time.monotonic() > deadline:
                raise ProcessFailed(f"{self.name} is not ready after {READY_SECONDS} s:\n{self.last_words()}")
            await asyncio.sleep(0.05)
        self.url = said[1].decode() if said[1] else ""

    async def start(self) -> None:
        """Start it and wait until it is ready. Raises ProcessFailed."""
        self.launch()
        await self.ready()

    def require_running(self) -> None:
        """Raises ProcessFailed when it has ended by itself."""
        if self._server is not None and not self.running:
            raise ProcessFailed(f"{self.name} ended ({self._server.exit_status}):\n{self.last_words()}")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    async def ended(self) -> int:
        """Wait for its end; the exit status, 128 + n for signal n."""
        if self._server is None:
            raise ProcessFailed(f"{self.name} was not started")
        return await self._server.ended()

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.send(signal.SIGKILL)
        await self.ended()

    async def stop(self) -> int:
        """SIGTERM, and wait until it is gone; the exit status. A process that ignores it is killed in the end."""
        if self._server is None:
            return 0
        self._server.request_stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(_GRACE_SECONDS):
                return await self._server.ended()
        self._server.kill()
        return await self._server.ended()

    def last_words(self, size: int = 4000) -> str:
        """The end of its log."""
        return self._log()[-size:].decode(errors="replace")

    def _log(self) -> bytes:
        if not self.log_path.exists():
            return b""
        with self.log_path.open("rb") as log:
            log.seek(self._log_began)
            return log.read()


class Site:
    """Gateways, planners and executors as processes of their own, over one database and one broker.

    A gateway keeps its address when it is started again.
    """

    def __init__(self, setting: Setting, folder: Path) -> None:
        self.setting = setting
        self.folder = folder
        self.processes: dict[str, FlexrunProcess] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, role: str, name: str = "", **settings: str) -> FlexrunProcess:
        """A process of this role (`gateway`, `planner`, `executor`, `up`), not started yet.

        `settings` are `FLEXRUN_*` that it alone has, without the prefix.
        """
        name = name or f"{role}-{1 + sum(each.startswith(role) for each in self.processes)}"
        port = ["--port", str(free_port())] if role in ("gateway", "up") else []
        own = {f"FLEXRUN_{key}": value for key, value in settings.items()}
        process = FlexrunProcess(name, [role, *port], self.setting.environment() | own, self.folder)
        self.processes[name] = process
        return process

    def add_slow_executor(self, *arguments: str) -> FlexrunProcess:
        """An executor with slow capabilities, see slow_flexrun.py; not started yet."""
        name = f"executor-{1 + len(self.of_role('executor'))}"
        environment = self.setting.environment()
        module = "tests.support.slow_flexrun"
        process = FlexrunProcess(name, arguments, environment, self.folder, module=module)
        self.processes[name] = process
        return process

    def add_poisonous_executor(self) -> FlexrunProcess:
        """An executor whose capabilities can be told to end it, see poison_flexrun.py; not started yet."""
        return self._add_poisonous("executor")

    def add_poisonous_planner(self) -> FlexrunProcess:
        """The same for a planner."""
        return self._add_poisonous("planner")

    def _add_poisonous(self, role: str) -> FlexrunProcess:
        name = f"{role}-{1 + len(self.of_role(role))}"
        environment = self.setting.environment()
        module = "tests.support.poison_flexrun"
        process = FlexrunProcess(name, [role], environment, self.folder, module=module)
        self.processes[name] = process
        return process

    def add_all(self, **counts: int) -> None:
        """`add_all(gateway=2, planner=1)`."""
        for role, count in counts.items():
            for _ in range(count):
                self.add(role)

    def of_role(self, role: str) -> list[FlexrunProcess]:
        """The processes of a role, in the order in which they were added."""
        return [process for name, process in self.processes.items() if name.startswith(role)]

    @property
    def urls(self) -> list[str]:
        """The addresses of the gateways."""
        return [process.url for process in self.processes.values() if process.url]

    async def start(self) -> None:
        """Start them all, the first one ahead of the others, which find the database migrated. Raises ProcessFailed."""
        first, *others = self.processes.values()
        await first.start()
        for process in others:
            process.launch()
        for process in others:
            await process.ready()

    async def stop(self) -> dict[str, int]:
        """Stop all that still run, at the same time; the exit statuses."""
        running = [process for process in self.processes.values() if process.running]
        for process in running:
            process.send(signal.SIGCONT)
        statuses = await asyncio.gather(*(process.stop() for process in running))
        return dict(zip((process.name for process in running), statuses, strict=True))

    def last_words(self, size: int = 3000) -> str:
        """The end of each process's log."""
        return "\n".join(
            f"--- {process.name}\n{process.last_words(size)}" for process in self.processes.values()
        )

    async def __aenter__(self) -> Site:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            error.add_note(self.last_words())
        await self.stop()
