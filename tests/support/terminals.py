"""The `flexrun` command at a terminal of a given width."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import signal
import struct
import termios
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tests.support.forked import ForkedServer, StandardFiles
from tests.support.processes import ROOT, clean_environment
from tests.support.waiting import DEADLINE_SECONDS

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_SECONDS = 2 * DEADLINE_SECONDS


class Terminal:
    """A command whose standard output and standard error are one terminal. Its output is read as it comes."""

    def __init__(self, master: int, process: ForkedServer) -> None:
        self._master = master
        self._process = process
        self._shown = bytearray()
        self._came = asyncio.Event()
        asyncio.get_running_loop().add_reader(master, self._read)

    @property
    def text(self) -> str:
        """All that was shown so far, without colours and movements of the cursor."""
        return _ESCAPES.sub("", self._shown.decode(errors="replace")).replace("\r\n", "\n")

    async def shows(self, words: str) -> str:
        """Wait for these words; all output so far."""
        async with asyncio.timeout(_SECONDS):
            while words not in self.text:
                await self._wait()
        return self.text

    async def done(self) -> int:
        """Wait for its end; the exit status."""
        async with asyncio.timeout(_SECONDS):
            return await self._process.ended()

    def interrupt(self) -> None:
        """Ctrl-C."""
        os.kill(self._process.pid, signal.SIGINT)

    async def _wait(self) -> None:
        self._came.clear()
        await self._came.wait()

    def _read(self) -> None:
        with suppress(OSError):  # the other side is closed
            self._shown += os.read(self._master, 65536)
        self._came.set()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._master)
        if self._process.exit_status is None:
            self._process.kill()


@asynccontextmanager
async def at_terminal(
    *arguments: str, width: int = 100, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Terminal]:
    """`flexrun ARGUMENTS` in the root of the repository, at a terminal with `width` columns."""
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    environment = clean_environment() | {"TERM": "xterm-256color"}
    del environment["COLUMNS"]
    environment |= {f"FLEXRUN_{name}": value for name, value in (settings or {}).items()}
    files = StandardFiles(Path(os.ttyname(slave)), folder=ROOT)
    terminal = Terminal(master, ForkedServer("flexrun", arguments, environment, files))
    try:
        yield terminal
    finally:
        terminal.close()
        os.close(slave)
        os.close(master)
