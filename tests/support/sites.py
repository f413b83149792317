"""Requests and commands of tests to real processes."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from flexrun.client import API, GatewayClient, GatewayUnreachableError
from tests.support.forked import ForkedServer, StandardFiles
from tests.support.processes import ROOT, Site, clean_environment
from tests.support.waiting import DEADLINE_SECONDS, eventually

EXAMPLES = ROOT / "examples"


def envelope(name: str, **policies: Any) -> bytes:
    """One of the examples, with these policies laid over its own."""
    document = orjson.loads((EXAMPLES / f"{name}.json").read_bytes())
    document["policies"] = {**document.get("policies", {}), **policies}
    return orjson.dumps(document)


async def status_of(client: GatewayClient, run_id: str) -> str:
    return (await client.call("GET", f"{API}/runs/{run_id}"))["status"]


async def reached(
    client: GatewayClient, run_id: str, *statuses: str, timeout_seconds: float = DEADLINE_SECONDS
) -> str:
    """Wait until the run is in one of these statuses. A gateway that is just starting counts as "not yet"."""

    async def there() -> str:
        try:
            status = await status_of(client, run_id)
        except GatewayUnreachableError as error:
            raise AssertionError(str(error)) from error
        assert status in statuses, status
        return status

    return await eventually(there, timeout_seconds)


async def only_request(client: GatewayClient, run_id: str) -> dict[str, Any]:
    """The one request that the run waits for."""
    (request,) = (await client.call("GET", f"/api/hitl/pending?runId={run_id}"))["requests"]
    return request


async def decide(
    client: GatewayClient, request: dict[str, Any], response_type: str = "approval", **more: Any
) -> dict[str, Any]:
    """Post one response to a request; the gateway's answer."""
    response = {"responseType": response_type, **more}
    body = {"runId": request["runId"], "requestId": request["requestId"], "responses": [response]}
    return await client.call("POST", "/api/hitl/resume", body)


async def log_of(client: GatewayClient, run_id: str) -> list[dict[str, Any]]:
    """The run's events so far."""
    return (await client.call("GET", f"{API}/runs/{run_id}/events?limit=1000"))["events"]


async def types_of(client: GatewayClient, run_id: str) -> list[str]:
    return [event["type"] for event in await log_of(client, run_id)]


async def kill_all(site: Site) -> None:
    """SIGKILL every process of the site at the same time."""
    await asyncio.gather(*(process.kill() for process in site.processes.values() if process.running))


@dataclass(frozen=True)
class Said:
    """The result of a command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return orjson.loads(self.out)


class CommandLine:
    """`flexrun …` against one gateway, in processes of its own."""

    def __init__(self, url: str, folder: Path, token: str | None = None, **environment: str) -> None:
        self.folder = folder
        self._environment = clean_environment() | {"FLEXRUN_URL": url} | environment
        if token is not None:
            self._environment["FLEXRUN_TOKEN"] = token

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """A command, as a person starts it, whose output the test reads while it runs."""
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "flexrun",
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment,
            cwd=self.folder,
        )

    async def run(self, *arguments: str, stdin: Any = None) -> Said:
        """A command from start to end, forked (see forked.py); `stdin` is a document."""
        with TemporaryDirectory() as scratch:
            out, err, given = (Path(scratch, name) for name in ("out", "err", "in"))
            given.write_bytes(orjson.dumps(stdin) if stdin is not None else b"")
            files = StandardFiles(out, err, given, self.folder)
            process = ForkedServer("flexrun", arguments, self._environment, files)
            async with asyncio.timeout(2 * DEADLINE_SECONDS):
                code = await process.ended()
            return Said(code, out.read_text(), err.read_text())
