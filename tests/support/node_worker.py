"""A worker and a client of the SDK for Node, as processes of their own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.support.node_packages import NODE
from tests.support.processes import ROOT, clean_environment
from tests.support.waiting import eventually

SDK = ROOT / "sdk/typescript"
COMMAND = str(SDK / "src/command.js")
CAPABILITIES = str(ROOT / "tests/support/sdk_worker.mjs")
_CLIENT = str(ROOT / "tests/support/sdk_client.mjs")
_STOP_SECONDS = 20
_CLIENT_SECONDS = 60


class NodeWorker:
    """The process, and what it has written so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.written = ""
        self.signalled = False

    async def follow(self) -> None:
        """Read what it writes until it ends."""
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            self.written += line.decode()

    async def says(self, words: str) -> None:
        """Wait until it has written these words."""

        def said() -> bool:
            assert words in self.written, self.written
            return True

        await eventually(said, describe=f"the worker says {words!r}")

    def send(self, number: signal.Signals) -> None:
        """Signal it."""
        self.signalled = True
        os.kill(self.process.pid, number)


@asynccontextmanager
async def node_worker(
    *urls: str, worker: str = "node-1", token: str | None = None, drain_seconds: float = 10
) -> AsyncIterator[NodeWorker]:
    """A worker for the capabilities of the tests, which has begun; it is stopped at the end, and must end well."""
    process = await asyncio.create_subprocess_exec(
        NODE,
        COMMAND,
        CAPABILITIES,
        f"--url={','.join(urls)}",
        f"--worker-id={worker}",
        f"--drain-seconds={drain_seconds}",
        stderr=asyncio.subprocess.PIPE,
        env=clean_environment() | ({"FLEXRUN_TOKEN": token} if token else {}),
    )
    running = NodeWorker(process)
    reading = asyncio.create_task(running.follow())
    try:
        yield running
        if not running.signalled and process.returncode is None:
            process.terminate()
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


async def sdk_client(what: str, url: str, *more: str) -> Any:
    """What a client has seen that does this; see sdk_client.mjs."""
    process = await asyncio.create_subprocess_exec(
        NODE, _CLIENT, what, url, *more, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(_CLIENT_SECONDS):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()
    return json.loads(out)
