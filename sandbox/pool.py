"""Keeps child processes at work and a spare warm; every call is answered, also when a process dies or hangs.

A child works in order, so when it dies the oldest unanswered call caused it, or was only running: it gets one more
try, unless the kernel says that it used up its time. The others are simply sent again. Calls that wait are handed out
in turn of those in whose name they are made (`sandbox.sharing`).
"""

import asyncio
from collections.abc import Iterable

import structlog

from sandbox.config import SandboxConfig
from sandbox.errors import SandboxCrashed, SandboxFailed, SandboxTimedOut, SandboxUnavailable
from sandbox.frames import Reply
from sandbox.process import ChildProcess, Job
from sandbox.sharing import FairQueue, current_share
from telemetry.catalogue import SANDBOX_ENDS

MAX_DEATHS = 2
MAX_FAILED_STARTS = 3

log = structlog.get_logger(__name__)


class ChildPool:
    """`start` once, `ask` any number of times, also concurrently, `close`."""

    def __init__(self, config: SandboxConfig) -> None:
        self._config = config
        self._processes: list[ChildProcess] = []
        self._waiting = FairQueue()
        self._spawning: set[asyncio.Task[None]] = set()
        self._failed_starts = 0
        self._is_open = False
        self._started = asyncio.Event()
        self._spares = 0
        self._spares_due: asyncio.TimerHandle | None = None

    @property
    def pids(self) -> list[int]:
        """The process ids: those at work first, then the spare."""
        return [process.pid for process in sorted(self._processes, key=lambda process: not process.is_ready)]

    async def start(self) -> None:
        """Return when a child is ready; raises SandboxUnavailable when none can be started."""
        if self._is_open:
            raise RuntimeError("Sandbox is started already")
        self._is_open = True
        self._started.clear()
        if self._config.spare_after_seconds > 0:
            loop = asyncio.get_running_loop()
            self._spares_due = loop.call_later(self._config.spare_after_seconds, self._add_spares)
        else:
            self._spares = self._config.spares
        self._staff()
        await self._started.wait()
        if not self._processes:
            await self.close()
            raise SandboxUnavailable(_cannot_start())

    async def close(self) -> None:
        """End every open call and every process; no child is left when this returns."""
        self._is_open = False
        if self._spares_due is not None:
            self._spares_due.cancel()
        _fail(self._waiting, SandboxUnavailable, "The sandbox was closed.")
        self._waiting.clear()
        self._started.set()
        await asyncio.gather(*self._spawning)
        processes = list(self._processes)
        for process in processes:
            process.kill()
        for process in processes:
            await process.gone.wait()

    async def ask(self, function: str, frame: bytes, deadline_seconds: float) -> Reply:
        """A child's reply to a call; raises SandboxTimedOut, SandboxCrashed or SandboxUnavailable."""
        if not self._is_open:
            raise SandboxUnavailable("The sandbox is not open.")
        if not self._processes and not self._spawning:
            self._failed_starts = (
                0  # no child is left and none is on its way: this call is reason to try again
            )
            self._staff()
        job = Job(function, frame, deadline_seconds, asyncio.get_running_loop().create_future())
        self._waiting.append(job, current_share())
        self._hand_out()
        return await job.answer

    def became_ready(self, process: ChildProcess) -> None:
        """From a process: it has started, and is placed behind those that started before."""
        self._processes.sort(key=lambda other: not other.is_ready or other is process)
        self._failed_starts = 0
        self._started.set()
        self._hand_out()

    def answered(self, process: ChildProcess, job: Job, reply: Reply) -> None:
        """From a process: one call is answered."""
        if not job.answer.done():
            job.answer.set_result(reply)
        self._hand_out()

    def ended(self, process: ChildProcess, unanswered: list[Job]) -> None:
        """From a process: it is gone. Say which call did it, send the others again, start another."""
        if process in self._processes:  # one that died at once may not be in it yet
            self._processes.remove(process)
        if not self._is_open:
            _fail(unanswered, SandboxUnavailable, "The sandbox was closed.")
            return
        guilty = unanswered[0].function if unanswered and process.is_ready else None
        log.warning(
            "sandbox_child_ended",
            exit_code=process.exit_code,
            stalled=process.is_stalled,
            function=guilty,
        )
        if not process.is_ready:
            self._failed_starts += 1
        elif unanswered:
            self._judge(process, unanswered[0])
        self._waiting.send_again(job for job in unanswered if not job.answer.done())
        self._add_spares()
        self._hand_out()

    def _judge(self, process: ChildProcess, suspect: Job) -> None:
        suspect.deaths += 1
        SANDBOX_ENDS.add(
            "cpu_deadline" if process.used_up_its_time else "stalled" if process.is_stalled else "crashed"
        )
        if process.used_up_its_time or (process.is_stalled and suspect.deaths >= MAX_DEATHS):
            message = f"This took more than {suspect.deadline_seconds:g} s of CPU time and was stopped."
            _fail([suspect], SandboxTimedOut, message)
        elif suspect.deaths >= MAX_DEATHS:
            _fail([suspect], SandboxCrashed, "This needed more memory or stack than there is for it.")

    def _hand_out(self) -> None:
        ready = [process for process in self._processes if process.is_ready]
        at_work = ready[: self._config.processes]
        while self._waiting:
            process = max(at_work, key=lambda process: process.room, default=None)
            if process is None or process.room <= 0:
                return
            job = self._waiting.take()
            if not job.answer.done():  # the caller may have gone
                process.send(job)

    def _add_spares(self) -> None:
        self._spares = self._config.spares
        self._staff()

    def _staff(self) -> None:
        """Have as many processes as wanted, running or on their way; give up after several failures in a row."""
        if self._failed_starts < MAX_FAILED_STARTS:
            wanted = self._config.processes + self._spares
            while len(self._processes) + len(self._spawning) < wanted:
                task = asyncio.create_task(self._spawn())
                self._spawning.add(task)
                task.add_done_callback(self._spawned)
        elif not self._processes and not self._spawning:
            _fail(self._waiting, SandboxUnavailable, _cannot_start())
            self._waiting.clear()
            self._started.set()

    async def _spawn(self) -> None:
        try:
            process = await ChildProcess.spawn(self, self._config)
        except OSError as error:
            log.warning("sandbox_child_cannot_start", error=str(error))
            self._failed_starts += 1
        else:
            if not process.gone.is_set():
                self._processes.append(process)

    def _spawned(self, task: asyncio.Task[None]) -> None:
        self._spawning.discard(task)
        if self._is_open:
            self._staff()
            self._hand_out()


def _cannot_start() -> str:
    return f"No child process could be started, {MAX_FAILED_STARTS} times in a row; see the log for why."


def _fail(jobs: Iterable[Job], failure: type[SandboxFailed], message: str) -> None:
    for job in jobs:
        if not job.answer.done():
            job.answer.set_exception(failure(message))
