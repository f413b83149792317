"""The engine under test: the real command, in processes of its own."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from bench.services import Services
from flexrun.embedded.launch import GuardedServer

ROOT = Path(__file__).parents[1]

_READY = re.compile(rb"flexrun [a-z, \n]+ is\s+ready")
_ADDRESS = re.compile(rb"is\s+ready:\s+(http://[0-9.:]+)")
_READY_SECONDS = 60.0
_STOP_SECONDS = 15.0
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class EngineKind:
    """A way to run flexrun: which commands, over which broker."""

    name: str
    broker: str
    commands: tuple[str, ...]


KINDS = (
    EngineKind("postgres", "postgres", ("up",)),
    EngineKind("rabbitmq", "rabbitmq", ("up",)),
    EngineKind("rabbitmq-3", "rabbitmq", ("planner", "executor", "gateway")),
)
"""`rabbitmq-3`: planner, executor and gateway as processes of their own."""


class EngineFailed(Exception):
    """A process of flexrun did not start or ended by itself; the message has its last words."""


@dataclass(slots=True)
class MeasuredEngine:
    """A running engine. `gateway_pid` is the process that holds the streams."""

    kind: EngineKind
    database_url: str
    url: str = ""
    servers: dict[str, tuple[GuardedServer, Path]] = field(
        default_factory=dict[str, tuple[GuardedServer, Path]]
    )

    @property
    def pids(self) -> list[int]:
        return [server.pid for server, _ in self.servers.values()]

    @property
    def gateway_pid(self) -> int:
        return self.servers[self.kind.commands[-1]][0].pid

    def require_alive(self) -> None:
        """Raises EngineFailed when a process has ended."""
        for command, (server, log) in self.servers.items():
            if server.exit_status is not None:
                raise EngineFailed(f"flexrun {command} ended ({server.exit_status}):\n{_last_words(log)}")


@asynccontextmanager
async def running_engine(
    kind: EngineKind, services: Services, *, port: int = 0, environment: Mapping[str, str] = _NOTHING
) -> AsyncIterator[MeasuredEngine]:
    """`kind` on a fresh database, with the default settings; it ends with this process, however that ends.

    `port` is the gateway's, 0 for any that is free; `environment` is added to that of its processes.
    """
    with services.database() as database_url:
        engine = MeasuredEngine(kind, database_url)
        try:
            await _start(engine, services, port, environment)
            yield engine
        finally:
            for server, _ in engine.servers.values():
                server.request_stop()
            for server, _ in engine.servers.values():
                await server.ended()


async def _start(engine: MeasuredEngine, services: Services, port: int, extra: Mapping[str, str]) -> None:
    broker = "postgres" if engine.kind.broker == "postgres" else services.amqp_url or ""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FLEXRUN_")}
    # A namespace of its own: a queue that an engine before it left behind must not feed this one.
    environment |= {"FLEXRUN_NAMESPACE": f"bench-{secrets.token_hex(4)}", "PYTHONPATH": str(ROOT)}
    environment |= extra
    for command in engine.kind.commands:
        arguments = [command, "--database", engine.database_url, "--broker", broker]
        if command in ("up", "gateway"):
            arguments += ["--port", str(port)]
        log = services.folder / f"{engine.kind.name}-{command}.log"
        await asyncio.to_thread(log.write_bytes, b"")
        server = GuardedServer.launch(
            [sys.executable, "-m", "flexrun", *arguments],
            log_path=log,
            environment={**environment, "COLUMNS": "400"},
            grace_seconds=_STOP_SECONDS,
        )
        engine.servers[command] = (server, log)
        await _ready(engine, log)
        if found := _ADDRESS.search(await asyncio.to_thread(log.read_bytes)):
            engine.url = found[1].decode()


async def _ready(engine: MeasuredEngine, log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not await asyncio.to_thread(_says_ready, log):
        engine.require_alive()
        if time.monotonic() > deadline:
            raise EngineFailed(f"flexrun is not ready after {_READY_SECONDS} s:\n{_last_words(log)}")
        await asyncio.sleep(0.05)


def _says_ready(log: Path) -> bool:
    return _READY.search(log.read_bytes()) is not None


def _last_words(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]
