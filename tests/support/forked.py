"""Processes of flexrun forked from one that has imported everything.

A quarter of the CPU of a test run would go into importing the same modules again for each of some hundred processes.
What is forked is a process like any other (a session, a standard output, an environment and an exit status of its own,
to be killed and frozen), only its imports are done. It ends with the process that asked for it.
"""

from __future__ import annotations

import asyncio
import ctypes
import multiprocessing
import os
import runpy
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from pathlib import Path

PRELOADED = (
    "broker.postgres",
    "broker.rabbitmq",
    "flexrun.cli.running",
    "flexrun.client",
    "flexrun.roles.executor",
    "flexrun.roles.gateway",
    "flexrun.roles.planner",
    "contracts.checker",
    "tests.support.forked",
)

_PR_SET_PDEATHSIG = 1


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    return context


@dataclass(frozen=True, slots=True)
class StandardFiles:
    """Where a process reads and writes. `errors` are appended to `output` where no file is named for them."""

    output: Path
    errors: Path | None = None
    given: Path = Path(os.devnull)
    folder: Path = Path("/")

    def take_over(self) -> None:
        """Make them those of this process."""
        os.dup2(os.open(self.given, os.O_RDONLY), 0)
        os.dup2(_open_to_append(self.output), 1)
        os.dup2(_open_to_append(self.errors or self.output), 2)
        os.chdir(self.folder)


def _open_to_append(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


class ForkedServer:
    """The same to its owner as a GuardedServer: see flexrun/embedded/launch.py."""

    def __init__(
        self, module: str, arguments: Sequence[str], environment: Mapping[str, str], files: StandardFiles
    ) -> None:
        self._process = _context().Process(
            target=_become, args=(module, list(arguments), dict(environment), files)
        )
        self._process.start()

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    @property
    def exit_status(self) -> int | None:
        """None while it runs; the exit status (128 + n for signal n) afterwards."""
        code = self._process.exitcode
        return 128 - code if code is not None and code < 0 else code

    async def ended(self) -> int:
        """Wait, without a thread, until it is gone; the exit status."""
        loop = asyncio.get_running_loop()
        while (status := self.exit_status) is None:
            gone = asyncio.Event()
            # Turns readable when the fork server writes the status, or is gone itself.
            loop.add_reader(self._process.sentinel, gone.set)
            try:
                await gone.wait()
            finally:
                loop.remove_reader(self._process.sentinel)
        return status

    def request_stop(self) -> None:
        """SIGTERM; returns at once."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.exit_status is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def _become(module: str, arguments: list[str], environment: dict[str, str], files: StandardFiles) -> None:
    """`python -m module arguments`, in a process that was forked for it."""
    os.setsid()
    _end_with_the_fork_server()
    files.take_over()
    # multiprocessing has closed what was there.
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - open until the process ends
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with_the_fork_server() -> None:
    if sys.platform != "linux":
        return
    fork_server = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != fork_server:
        os._exit(1)
