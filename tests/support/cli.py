"""The `flexrun` command as a person runs it: a process with a standard output and a standard error.

`running` starts a new interpreter, `run` forks one that has imported everything, see forked.py.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.forked import ForkedServer, StandardFiles
from tests.support.processes import ROOT, clean_environment
from tests.support.waiting import DEADLINE_SECONDS

_SECONDS = 2 * DEADLINE_SECONDS


@dataclass(frozen=True)
class Done:
    """The result of a command."""

    status: int
    out: str
    err: str

    @property
    def frames(self) -> list[dict[str, Any]]:
        """Standard output as one JSON document for each line."""
        return [json.loads(line) for line in self.out.splitlines()]


class Command:
    """A command that is running. Its standard output can be read line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._lines: list[str] = []

    async def line(self) -> str:
        """The next line of standard output; '' at its end."""
        assert self.process.stdout is not None
        async with asyncio.timeout(_SECONDS):
            line = (await self.process.stdout.readline()).decode()
        self._lines.append(line)
        return line

    async def until_frame(self, frame_type: str) -> dict[str, Any]:
        """Read on to a frame of this type."""
        while line := await self.line():
            frame = json.loads(line)
            if frame["type"] == frame_type:
                return frame
        raise AssertionError(f"no {frame_type} came: {self._lines}\n{(await self.done()).err}")

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    async def done(self) -> Done:
        """Wait for its end; standard output from the beginning."""
        async with asyncio.timeout(_SECONDS):
            out, err = await self.process.communicate()
        status = self.process.returncode
        assert status is not None
        return Done(status, "".join(self._lines) + out.decode(), err.decode())


@asynccontextmanager
async def running(
    *arguments: str, settings: Mapping[str, str] | None = None, given: bytes | None = None
) -> AsyncIterator[Command]:
    """`flexrun ARGUMENTS` in the root of the repository, killed at the end if it still runs.

    `settings` are `FLEXRUN_*` variables without the prefix; `given` is its standard input.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "flexrun",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env=_environment(settings),
        limit=1 << 24,
    )
    assert process.stdin is not None
    process.stdin.write(given or b"")
    process.stdin.close()
    try:
        yield Command(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def run(*arguments: str, settings: Mapping[str, str] | None = None, given: bytes | None = None) -> Done:
    """Run a command to its end, in the root of the repository; the parameters are those of `running`."""
    with TemporaryDirectory() as scratch:
        out, err, entered = (Path(scratch, name) for name in ("out", "err", "in"))
        entered.write_bytes(given or b"")
        files = StandardFiles(out, err, entered, ROOT)
        process = ForkedServer("flexrun", arguments, _environment(settings), files)
        try:
            async with asyncio.timeout(_SECONDS):
                status = await process.ended()
        finally:
            process.kill()
        return Done(status, out.read_bytes().decode(), err.read_bytes().decode())


def _environment(settings: Mapping[str, str] | None) -> dict[str, str]:
    return clean_environment() | {f"FLEXRUN_{name}": value for name, value in (settings or {}).items()}
