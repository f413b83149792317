"""`flexrun up` as its own supervisor: a parent that does nothing else, an engine, and the embedded Postgres.

The parent binds the socket and forks: a child that owns the embedded Postgres, and one with the whole engine. When the
engine dies (`kill -9`, out of memory), or is ended by its watchdog, it is forked anew, after a pause that grows.
Callers wait in the queue of the socket, for _CALLERS_WAIT_SECONDS; then the parent answers them (`flexrun/fallback.py`)
until an engine asks for the socket. The parent imports nothing that an engine needs, so that each engine starts from a
small process with a single thread.

An engine whose loop hangs where even its watchdog thread cannot run (a call that keeps the interpreter lock)
sends no more beats, and the parent kills it. Children end with their parent, however it ends.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import typer

from flexrun.fallback import FallbackServer
from flexrun.hangup import hangup_reloads

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0
"""It counts its own pauses: `eventstore.pause` would import asyncio into this process, and into each engine."""
_GOOD_LIFE_SECONDS = 30.0
_LOOK_SECONDS = 0.25
_MEMORY_BYTES = 64 * 1024
"""For notes of what an engine is working on: 1,024 of them, see `broker.journal`."""

_LATE_SECONDS = 1.0
"""How long after the watchdog's own time the parent waits for it, before it kills the engine."""

_CALLERS_WAIT_SECONDS = 3.0
"""How long callers wait for an engine that is down or silent. Most restarts take about one second."""

_TAKE_OVER_SECONDS = 5.0
"""How long an engine waits until it is given the socket; then it takes it."""

_BEAT, _ASK = b".", b"?"

_REFUSED = 2
_PR_SET_PDEATHSIG = 1
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(slots=True)
class _Child:
    pid: int
    pipe: int
    """What it writes: its address (the database); its beats, and that it wants the socket (the engine)."""

    letters: int
    """What it reads: the address of the database, and a line when the socket is its own (the engine)."""

    born_at: float
    has_spoken: bool = False
    wants_socket: bool = False
    has_socket: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """An engine's connection to its supervisor. `origin` and that of the engine before it name them in leases."""

    origin: str
    predecessor: str | None
    address: Callable[[], str]
    """Waits for the address of the embedded database."""

    beat: Callable[[], None]
    """Shows that the engine lives."""

    take_socket: Callable[[], None]
    """Waits until the supervisor answers no callers any more, _TAKE_OVER_SECONDS at most."""

    memory: mmap.mmap
    """Shared by all engines of the supervisor."""


class Supervisor:
    """Runs `engine` until it is told to stop.

    `database` owns the database and tells its address; None where there is one already.
    `stalled_seconds`: after so long without a turn the engine's watchdog calls its loop stalled. `silent_seconds`: how
    long the engine may be silent after its first sign of life (0: no limit). `say` writes an event and
    its fields to the log; `fallback` answers callers while no engine does.
    """

    def __init__(
        self,
        engine: Callable[[Line], None],
        database: Callable[[Callable[[str], None]], None] | None,
        stalled_seconds: float,
        silent_seconds: float,
        say: Callable[..., None],
        fallback: FallbackServer,
    ) -> None:
        self._run_engine = engine
        self._run_database = database
        self._say = say
        self._fallback = fallback
        self._silent_seconds = silent_seconds + _LATE_SECONDS if silent_seconds else 0.0
        self._hung_after_seconds = max(_CALLERS_WAIT_SECONDS, stalled_seconds)
        self._database: _Child | None = None
        self._database_url: str | None = None
        self._engine: _Child | None = None
        self._origin: str | None = None
        self._memory = mmap.mmap(-1, _MEMORY_BYTES)
        self._ready = False
        self._stopping = False
        self._silence = 0.0
        self._pause = _FIRST_PAUSE_SECONDS
        self._start_at = 0.0
        self._down_since = 0.0
        self._wake, self._waker = os.pipe()

    def run(self) -> int:
        """Supervise; the status to leave with."""
        os.set_blocking(self._waker, False)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, self._notice)
        reloads = hangup_reloads()
        for number in _SIGNALS:
            signal.signal(number, self._ask_to_stop)
        if reloads:
            signal.signal(signal.SIGHUP, self._pass_on)
        if self._run_database is not None:
            self._database = self._fork(self._database_child)
        try:
            while True:
                status = self._turn()
                if status is not None:
                    return status
        finally:
            self._end(self._engine, signal.SIGKILL)
            self._end(self._database, signal.SIGTERM)

    def _turn(self) -> int | None:
        if self._engine is None and self._may_start():
            self._start_engine()
        if self._stopping:
            # What this process kept open would keep callers waiting after the engine has stopped listening.
            self._fallback.close()
        self._listen()
        return self._reap()

    def _may_start(self) -> bool:
        return not self._stopping and time.monotonic() >= self._start_at

    def _start_engine(self) -> None:
        predecessor, self._origin = self._origin, os.urandom(4).hex()
        origin = self._origin

        def child(pipe: int, letters: int) -> None:
            parent = os.getppid()
            os.set_blocking(pipe, False)

            def beat() -> None:
                with suppress(OSError):
                    os.write(pipe, _BEAT)
                if os.getppid() != parent:
                    os._exit(1)

            def take_socket() -> None:
                with suppress(OSError):
                    os.write(pipe, _ASK)
                if select.select([letters], [], [], _TAKE_OVER_SECONDS)[0]:
                    os.read(letters, 4096)

            def address() -> str:
                return os.read(letters, 4096).decode().strip()

            self._run_engine(Line(origin, predecessor, address, beat, take_socket, self._memory))

        self._silence = 0.0
        self._engine = self._fork(child)
        self._tell_address()

    def _tell_address(self) -> None:
        if self._engine is not None and self._database_url is not None:
            with suppress(BrokenPipeError):
                os.write(self._engine.letters, self._database_url.encode() + b"\n")

    def _database_child(self, pipe: int, _letters: int) -> None:
        def tell(url: str) -> None:
            os.write(pipe, url.encode() + b"\n")

        assert self._run_database is not None  # noqa: S101 - tells pyright what holds here
        self._run_database(tell)

    def _listen(self) -> None:
        pipes = [
            self._wake,
            *(child.pipe for child in (self._engine, self._database) if child and child.pipe),
        ]
        before = time.monotonic()
        self._fallback.accepting = self._engine_is_away()
        readers, writers = self._fallback.watched()
        look_seconds = _LOOK_SECONDS if self._engine else 0.05
        ready, writable, _ = select.select([*pipes, *readers], writers, [], look_seconds)
        # Counted in this process's own checks, so that time in which it did not run is not counted.
        passed = min(time.monotonic() - before, 2 * _LOOK_SECONDS)
        if self._wake in ready:
            os.read(self._wake, 512)
        if self._database and self._database.pipe in ready:
            told = os.read(self._database.pipe, 4096)
            if told:
                self._database_url = told.decode().strip()
                self._tell_address()
            else:
                self._close_pipe(self._database)
        if self._engine is not None:
            self._hear(self._engine, self._engine.pipe in ready, passed)
        self._fallback.accepting = self._engine_is_away()
        self._fallback.turn(ready, writable)
        if self._engine is not None:
            self._give_socket(self._engine)

    def _engine_is_away(self) -> bool:
        """Whether callers are answered here: the engine has been down, or its loop has hung, for too long."""
        if self._stopping or not self._ready:
            return False
        if self._engine is not None and self._engine.has_socket:
            return self._silence >= self._hung_after_seconds
        if self._engine is not None and self._engine.wants_socket:
            return False
        return time.monotonic() - self._down_since >= _CALLERS_WAIT_SECONDS

    def _give_socket(self, engine: _Child) -> None:
        """Once the callers accepted here have their answers, so that none is 503 after the engine serves."""
        if engine.wants_socket and not engine.has_socket and engine.pipe and not self._fallback.is_answering:
            with suppress(BrokenPipeError):
                os.write(engine.letters, b"\n")
            engine.has_socket = True

    def _hear(self, engine: _Child, spoke: bool, passed: float) -> None:
        if spoke:
            told = os.read(engine.pipe, 4096)
            if not told:
                self._close_pipe(engine)
                return
            self._silence, engine.has_spoken = 0.0, True
            if _ASK in told:
                engine.wants_socket = self._ready = True
            return
        self._silence += passed if engine.has_spoken and not _is_stopped(engine.pid) else 0.0
        if 0 < self._silent_seconds <= self._silence and not self._stopping:
            self._say("engine_killed_for_silence", silent_seconds=round(self._silence, 1), pid=engine.pid)
            self._silence = 0.0
            os.kill(engine.pid, signal.SIGKILL)

    def _reap(self) -> int | None:
        """Reap ended children; the status to exit with, or None to continue."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                pid, status = 0, 0
            if pid == 0:
                return 0 if self._stopping and self._engine is None else None
            code = os.waitstatus_to_exitcode(status)
            if self._engine is not None and pid == self._engine.pid:
                leave = self._engine_ended(self._engine, code)
            elif self._database is not None and pid == self._database.pid:
                leave = self._database_ended(self._database, code)
            else:
                continue
            if leave is not None:
                return leave

    def _engine_ended(self, engine: _Child, code: int) -> int | None:
        self._close_pipe(engine)
        self._engine = None
        if engine.has_socket or not self._down_since:
            self._down_since = time.monotonic()
        if self._stopping and code in (-signal.SIGTERM, -signal.SIGHUP):
            return 0
        if self._stopping or code in (0, _REFUSED) or not self._ready:
            return code if code >= 0 else 128 - code
        if time.monotonic() - engine.born_at > _GOOD_LIFE_SECONDS:
            self._pause = _FIRST_PAUSE_SECONDS
        self._say("engine_ended", status=code, pid=engine.pid, next_start_in_seconds=self._pause)
        self._start_at = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, _LONGEST_PAUSE_SECONDS)
        return None

    def _database_ended(self, database: _Child, code: int) -> int | None:
        self._close_pipe(database)
        self._database = None
        if self._stopping:
            return None
        if not self._ready:
            return code if code > 0 else 1
        # Its address goes with it: the engine is started again as soon as there is another one.
        self._say("embedded_postgres_owner_ended", status=code, pid=database.pid)
        self._database_url = None
        if self._engine is not None:
            os.kill(self._engine.pid, signal.SIGKILL)
        self._database = self._fork(self._database_child)
        return None

    def _notice(self, *_: object) -> None:
        """Nothing to do: the wake-up pipe has been written to."""

    def _pass_on(self, number: int, *_: object) -> None:
        if self._engine is not None and not self._stopping:
            os.kill(self._engine.pid, number)

    def _ask_to_stop(self, number: int, *_: object) -> None:
        if not self._stopping:
            self._stopping = True
            if self._engine is not None:
                os.kill(self._engine.pid, number)

    def _fork(self, work: Callable[[int, int], None]) -> _Child:
        ours, theirs = os.pipe()
        letters, writer = os.pipe()
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            os.close(ours)
            os.close(writer)
            self._fallback.forget()
            _be_child(parent, lambda: work(theirs, letters))
        os.close(theirs)
        os.close(letters)
        return _Child(pid, ours, writer, time.monotonic())

    def _end(self, child: _Child | None, number: signal.Signals) -> None:
        if child is not None:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(child.pid, number)
                os.waitpid(child.pid, 0)

    def _close_pipe(self, child: _Child) -> None:
        if child.pipe:
            os.close(child.pipe)
            os.close(child.letters)
            child.pipe = 0


def _be_child(parent: int, work: Callable[[], None]) -> NoReturn:
    """The rest of a forked process: never returns into what its parent was doing."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, *_SIGNALS):
            signal.signal(number, signal.SIG_DFL)
        if hangup_reloads():  # as long as it has no handler of its own
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        work()
        status = 0
    except typer.Exit as left:
        status = left.exit_code
    except BaseException as error:  # noqa: BLE001 - logged here: no caller above is in this process
        sys.excepthook(type(error), error, error.__traceback__)  # a line of the log, where that is set up
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _is_stopped(pid: int) -> bool:
    """Whether a process was stopped (SIGSTOP, a debugger): then it is silent through no fault of its own."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("T", "t")
    except (OSError, IndexError):
        return False
