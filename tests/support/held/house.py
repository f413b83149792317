"""The processes of an engine and of capabilities with every home, each to be killed and started again by its name."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from flexrun.client import API, GatewayClient
from flexrun.embedded.launch import GuardedServer
from tests.support.forked import ForkedServer, StandardFiles
from tests.support.held.steps import FOLDER_VARIABLE, Steps
from tests.support.node_packages import NODE
from tests.support.node_worker import COMMAND
from tests.support.ports import free_port
from tests.support.processes import ROOT, FlexrunProcess, Setting
from tests.support.waiting import eventually

TEXT = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}
TOOL = [sys.executable, "-m", "tests.support.held.mcp_tools"]


class Helper:
    """A process that is not of the engine: a service, a worker. `kill` and `start` it as often as it takes."""

    def __init__(self, launch: Callable[[Path], ForkedServer | GuardedServer], log: Path) -> None:
        self._launch = launch
        self.log_path = log
        self._server: ForkedServer | GuardedServer | None = None

    def start(self) -> None:
        """Start it; it need not be ready yet."""
        self._server = self._launch(self.log_path)

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone; nothing where it does not run."""
        if self._server is not None:
            self._server.kill()
            await self._server.ended()
            self._server = None


class House:
    """A gateway, a planner and an executor on the brokers of `setting`, a worker in Node and a service.

    Each process is started by the test; those that run are ended with the house.
    """

    def __init__(self, setting: Setting, folder: Path) -> None:
        self.steps = Steps(folder)
        gateway_port, self._service_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{gateway_port}"
        environment = {**setting.environment(), FOLDER_VARIABLE: str(folder)}
        environment |= {
            "FLEXRUN_PUBLIC_URL": self.url,
            "FLEXRUN_CAPABILITY_ALLOW_PRIVATE": "true",
            "FLEXRUN_MCP_COMMANDS": shlex.join(TOOL),
        }
        load = ["--load", "tests.support.held.function"]
        arguments = {
            "gateway": ["gateway", "--port", str(gateway_port)],
            "planner": ["planner"],
            "executor": ["executor", *load],
        }
        self.engine = {
            name: FlexrunProcess(name, words, environment, folder) for name, words in arguments.items()
        }
        worker = [NODE, COMMAND, str(ROOT / "tests/support/held/worker.mjs"), "--url", self.url]
        self.worker = Helper(
            lambda log: GuardedServer.launch(worker, log_path=log, environment=environment),
            folder / "worker.log",
        )
        service = ("tests.support.held.service", [str(self._service_port)], environment)
        self.service = Helper(lambda log: ForkedServer(*service, StandardFiles(log)), folder / "service.log")
        self.client = GatewayClient(self.url)

    async def __aenter__(self) -> Self:
        await self.client.__aenter__()
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(self._last_words())
        await self._stop()

    async def _start(self) -> None:
        first, *others = self.engine.values()
        await first.start()
        for each in others:
            each.launch()
        self.worker.start()
        self.service.start()
        for each in others:
            await each.ready()

    async def _stop(self) -> None:
        await self.client.__aexit__(None, None, None)
        await self.worker.kill()
        await self.service.kill()
        for process in self.engine.values():
            if process.running:
                await process.kill()

    async def kill(self, name: str) -> None:
        """SIGKILL for a process of the engine, and start it again."""
        await self.engine[name].kill()
        await self.engine[name].start()

    async def called(self, name: str, times: int) -> int:
        """Wait until a capability was called so often; the process of the last call."""

        def as_often() -> list[int]:
            calls = self.steps.calls(name)
            assert len(calls) >= times, calls
            return calls

        return (await eventually(as_often, 60, describe=f"call {times} of {name}"))[-1]

    async def register(self, *capabilities: Mapping[str, Any]) -> None:
        """Register capabilities and their facets, as soon as the executor and the worker have registered theirs."""

        async def all_there() -> bool:
            listed = (await self.client.call("GET", f"{API}/capabilities"))["capabilities"]
            return {"held.function", "held.worker"} <= {each["id"] for each in listed}

        await eventually(all_there, 60)
        known = {each["name"] for each in (await self.client.call("GET", f"{API}/facets"))["facets"]}
        for facet in {name for each in capabilities for name in each["facetsOut"]} - known:
            body = {"name": facet, "version": "1.0.0", "description": facet, "schema": TEXT}
            await self.client.call("POST", f"{API}/facets", body)
        await self.client.call("POST", f"{API}/capabilities/register", list(capabilities))

    def service_home(self, path: str) -> dict[str, Any]:
        """The home of a capability that the service does."""
        return {"type": "http", "url": f"http://127.0.0.1:{self._service_port}{path}"}

    def tool_home(self) -> dict[str, Any]:
        """The home of the tool."""
        environment = {"PYTHONPATH": str(ROOT), FOLDER_VARIABLE: str(self.steps.folder)}
        return {"type": "mcp", "command": TOOL, "tool": "measure", "env": environment}

    async def submit(self, *facets: str, **policies: Any) -> str:
        """A task that wants these facets of a ticket; its run."""
        envelope = {
            "objective": "Answer the ticket",
            "inputs": {"facets": {"ticket": {"text": "It rains in"}}},
            "policies": policies,
            "outputContract": {"mode": "facets", "facets": list(facets)},
        }
        return await self.client.start_run(orjson.dumps(envelope))

    async def frames(self, run_id: str) -> list[dict[str, Any]]:
        """Every frame of the run, to its end; the gateway may be away meanwhile."""
        return [frame async for frame in self.client.frames(run_id)]

    def _last_words(self) -> str:
        logs = [process.log_path for process in self.engine.values()]
        logs += [self.worker.log_path, self.service.log_path]
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in logs if path.exists()
        )
