"""One child process as its parent sees it: calls go in, replies come back in the same order, until it ends."""

import asyncio
import os
import signal
import sys
from collections import deque
from dataclasses import dataclass
from typing import Protocol, cast

import orjson

from sandbox.config import SandboxConfig
from sandbox.environment import child_environment
from sandbox.frames import Kind, Reply, ReplyReader

_LAST_LOOK_SECONDS = 0.05


@dataclass(slots=True, eq=False)
class Job:
    """A call on its way: its frame, and the future of the reply."""

    function: str
    frame: bytes
    deadline_seconds: float
    answer: asyncio.Future[Reply]
    deaths: int = 0
    """How many children have died over it."""


class Owner(Protocol):
    """The owner of child processes; called from the event loop."""

    def became_ready(self, process: "ChildProcess") -> None:
        """It has started, and answers from now on."""
        ...

    def answered(self, process: "ChildProcess", job: Job, reply: Reply) -> None:
        """The oldest call has its reply, and there is room for another."""
        ...

    def ended(self, process: "ChildProcess", unanswered: list[Job]) -> None:
        """It is gone; the first of `unanswered` is the one that it was working on."""
        ...


class ChildProcess(asyncio.SubprocessProtocol):
    """Made by `spawn`; `send` while there is `room`; the rest goes to the owner."""

    _transport: asyncio.SubprocessTransport
    _stdin: asyncio.WriteTransport

    def __init__(self, owner: Owner, config: SandboxConfig) -> None:
        self.is_ready = False
        self.is_stalled = False
        self.gone = asyncio.Event()
        self._owner = owner
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._reader = ReplyReader()
        self._in_flight: deque[Job] = deque()
        self._is_broken = False
        self._silent_since = self._loop.time()
        self._is_suspected = False
        self._watch: asyncio.TimerHandle | None = None

    @classmethod
    async def spawn(cls, owner: Owner, config: SandboxConfig) -> "ChildProcess":
        """Start a process; raises OSError. Calls may be sent before it is ready."""
        _, protocol = await asyncio.get_running_loop().subprocess_exec(
            lambda: cls(owner, config),
            sys.executable,
            "-P",  # without it Python looks for modules in the current folder first
            "-m",
            "sandbox.child",
            orjson.dumps([config.memory_bytes, config.preload]).decode(),
            stderr=None,
            env=_environment(),
            start_new_session=True,  # a Ctrl-C on the terminal is not for it, not even while it starts
        )
        return protocol

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._transport.get_pid()

    @property
    def exit_code(self) -> int | None:
        """As in `subprocess`: negative for a signal, None while it runs."""
        return self._transport.get_returncode()

    @property
    def used_up_its_time(self) -> bool:
        """Whether the kernel ended it because one call took more CPU time than allowed."""
        return self.exit_code == -signal.SIGPROF

    @property
    def room(self) -> int:
        """How many more calls may be sent now."""
        if self._is_broken or self._stdin.is_closing():  # uvloop closes the pipe before it says so
            return 0
        return self._config.in_flight - len(self._in_flight)

    def send(self, job: Job) -> None:
        """Put a call into the pipe."""
        if not self._in_flight:
            self._silent_since = self._loop.time()
        self._in_flight.append(job)
        if self._watch is None:
            self._look()
        self._stdin.write(job.frame)

    def kill(self) -> None:
        """End it now; the owner's `ended` follows when it is gone."""
        self._is_broken = True
        if self.exit_code is None:
            self._transport.kill()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """From asyncio: the process runs."""
        self._transport = cast("asyncio.SubprocessTransport", transport)
        self._stdin = cast("asyncio.WriteTransport", self._transport.get_pipe_transport(0))
        self._look()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """From asyncio: a piece of its stdout."""
        self._silent_since = self._loop.time()
        self._is_suspected = False
        for reply in self._reader.feed(data):
            if reply.kind is Kind.READY:
                self._has_started()
            else:
                self._owner.answered(self, self._in_flight.popleft(), reply)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """From asyncio: a pipe is closed, so it has exited or is about to; no kill, which would hide how it ended."""
        self._is_broken = True
        if self._watch is None:
            self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """From asyncio: it has exited, and everything that it wrote was read."""
        self._stop_looking()
        unanswered = list(self._in_flight)
        self._in_flight.clear()
        self.gone.set()
        self._owner.ended(self, unanswered)

    def _has_started(self) -> None:
        self.is_ready = True
        self._stop_looking()
        self._look()  # an answer is allowed less time than the start
        self._owner.became_ready(self)

    def _stop_looking(self) -> None:
        if self._watch is not None:
            self._watch.cancel()

    def _look(self) -> None:
        """Check a process that may be stopped or hung: it must start, and then answer, in time."""
        self._watch = None
        if self.is_ready and not self._in_flight and not self._is_broken:
            return
        remaining = self._silent_since + self._allowed_silence_seconds() - self._loop.time()
        if remaining <= 0 and self._is_suspected:
            self.is_stalled = True
            self.kill()
            return
        if remaining <= 0:
            # Perhaps this loop was late and not the process: one more turn of the loop reads an answer that waits.
            self._is_suspected = True
            remaining = _LAST_LOOK_SECONDS
        self._watch = self._loop.call_later(remaining, self._look)

    def _allowed_silence_seconds(self) -> float:
        """How many seconds it may be silent now."""
        if not self.is_ready:
            return self._config.startup_seconds
        deadline = self._in_flight[0].deadline_seconds if self._in_flight else 0.0
        return self._config.stall_seconds + deadline


def _environment() -> dict[str, str]:
    """Only what Python needs to start: a process that handles hostile input has no secret of flexrun."""
    return child_environment(PYTHONPATH=os.pathsep.join(path for path in sys.path if path))
