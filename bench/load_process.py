"""The measuring side of the client process."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson

from bench.engines import ROOT


class ClientFailed(Exception):
    """The client process could not do its job; the message is its own."""


class ClientProcess:
    """One job in a process of its own. Use as an async context manager."""

    def __init__(self, job: str, **parameters: Any) -> None:
        self._job = {"job": job, **parameters}
        self._process: asyncio.subprocess.Process | None = None
        self._stdin: Any = None
        self._stdout: Any = None

    async def __aenter__(self) -> ClientProcess:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.client",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT, start_new_session=True,
        )  # fmt: skip
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self._stdin.write(orjson.dumps(self._job) + b"\n")
        await self._stdin.drain()
        return self

    async def __aexit__(self, *_: object) -> None:
        process = self._process
        if process is not None:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
            await process.wait()

    async def until(self, event: str) -> dict[str, Any]:
        """Read until `event` is reported. Raises ClientFailed when the job fails before it."""
        while line := await self._stdout.readline():
            told = orjson.loads(line)
            if told["event"] == "failed":
                raise ClientFailed(told["reason"])
            if told["event"] == event:
                return told
        raise ClientFailed(f"the client ended before it said {event!r}; see its error output above")

    def finish(self) -> None:
        """Tell a job that waits that it may end."""
        self._stdin.close()


async def measured(client: ClientProcess, read: Callable[[], Any]) -> tuple[dict[str, Any], Any]:
    """The job's result, and the difference of `read()` between its `begin` and its `end`."""
    await client.until("begin")
    before = read()
    await client.until("end")
    after = read()
    return await client.until("result"), after - before
