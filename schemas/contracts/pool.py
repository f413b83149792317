"""Keeps checkers at work and a spare warm; sees that every question is answered whatever becomes of a process.

A checker works in order, so when it dies the oldest unanswered question is the guilty one, or was unlucky: it gets
one more chance, unless the kernel says that it used up its time. The others are simply asked again.
"""

import asyncio
from collections import deque
from collections.abc import Iterable

import structlog

from schemas.contracts.frames import Reply
from schemas.contracts.problems import CheckCrashed, CheckerUnavailable, CheckFailed, CheckTimedOut
from schemas.contracts.process import CheckerProcess, Job
from schemas.contracts.settings import DoorSettings

MAX_DEATHS = 2
MAX_FAILED_STARTS = 3

log = structlog.get_logger(__name__)


class CheckerPool:
    """`start` once, `ask` as often and as concurrently as you like, `close`."""

    def __init__(self, settings: DoorSettings) -> None:
        self._settings = settings
        self._processes: list[CheckerProcess] = []
        self._waiting: deque[Job] = deque()
        self._spawning: set[asyncio.Task[None]] = set()
        self._failed_starts = 0
        self._is_open = False
        self._started = asyncio.Event()

    @property
    def pids(self) -> list[int]:
        """The process ids: those at work first, then the spare."""
        return [process.pid for process in sorted(self._processes, key=lambda process: not process.is_ready)]

    async def start(self) -> None:
        """Return when a checker is ready; raises CheckerUnavailable when none can be started."""
        self._is_open = True
        self._started.clear()
        self._staff()
        await self._started.wait()
        if not self._processes:
            await self.close()
            raise CheckerUnavailable(_cannot_start())

    async def close(self) -> None:
        """End every open question and every process; no child is left when this returns."""
        self._is_open = False
        _fail(self._waiting, CheckerUnavailable, "The contract door was closed.")
        self._waiting.clear()
        self._started.set()
        await asyncio.gather(*self._spawning)
        processes = list(self._processes)
        for process in processes:
            process.kill()
        for process in processes:
            await process.gone.wait()

    async def ask(self, schema_hash: str, schema_text: bytes, document: bytes | None) -> Reply:
        """A checker's reply; raises CheckTimedOut, CheckCrashed or CheckerUnavailable."""
        if not self._is_open:
            msg = "The contract door is not open."
            raise CheckerUnavailable(msg)
        if not self._processes and not self._spawning:
            self._failed_starts = (
                0  # nobody is left and nobody was coming: this question is reason to try again
            )
            self._staff()
        job = Job(schema_hash, schema_text, document, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        self._hand_out()
        return await job.answer

    def became_ready(self, process: CheckerProcess) -> None:
        """From a process: it has started, and takes its place behind those that had before."""
        self._processes.sort(key=lambda other: not other.is_ready or other is process)
        self._failed_starts = 0
        self._started.set()
        self._hand_out()

    def answered(self, process: CheckerProcess, job: Job, reply: Reply) -> None:
        """From a process: one question is answered, or has to be asked again with its schema."""
        if reply.get("unknown"):
            process.forget(job.schema_hash)
            self._waiting.appendleft(job)
        elif not job.answer.done():
            job.answer.set_result(reply)
        self._hand_out()

    def ended(self, process: CheckerProcess, unanswered: list[Job]) -> None:
        """From a process: it is gone. Say who did it, ask the others again, start another."""
        if process in self._processes:  # one that died at once may not have come so far
            self._processes.remove(process)
        if not self._is_open:
            _fail(unanswered, CheckerUnavailable, "The contract door was closed.")
            return
        log.warning("contract_checker_ended", exit_code=process.exit_code, stalled=process.is_stalled)
        if not process.is_ready:
            self._failed_starts += 1
        elif unanswered:
            self._judge(process, unanswered[0])
        self._waiting.extendleft(job for job in reversed(unanswered) if not job.answer.done())
        self._staff()
        self._hand_out()

    def _judge(self, process: CheckerProcess, suspect: Job) -> None:
        suspect.deaths += 1
        if process.used_up_its_time or (process.is_stalled and suspect.deaths >= MAX_DEATHS):
            seconds = self._settings.checker.deadline_seconds
            _fail([suspect], CheckTimedOut, f"Checking took more than {seconds:g} s and was stopped.")
        elif suspect.deaths >= MAX_DEATHS:
            _fail([suspect], CheckCrashed, "Checking needed more memory or stack than there is for it.")

    def _hand_out(self) -> None:
        ready = [process for process in self._processes if process.is_ready]
        at_work = ready[: self._settings.checkers]
        while self._waiting:
            process = max(at_work, key=lambda process: process.room, default=None)
            if process is None or process.room <= 0:
                return
            job = self._waiting.popleft()
            if not job.answer.done():  # whoever asked may have gone
                process.send(job)

    def _staff(self) -> None:
        """Have as many processes as wanted, running or on their way; give up after several failures in a row."""
        if self._failed_starts < MAX_FAILED_STARTS:
            wanted = self._settings.checkers + self._settings.spares
            while len(self._processes) + len(self._spawning) < wanted:
                task = asyncio.create_task(self._spawn())
                self._spawning.add(task)
                task.add_done_callback(self._spawned)
        elif not self._processes and not self._spawning:
            _fail(self._waiting, CheckerUnavailable, _cannot_start())
            self._waiting.clear()
            self._started.set()

    async def _spawn(self) -> None:
        try:
            process = await CheckerProcess.spawn(self, self._settings)
        except OSError as error:
            log.warning("contract_checker_cannot_start", error=str(error))
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
    return f"No contract checker could be started, {MAX_FAILED_STARTS} times in a row; see the log for why."


def _fail(jobs: Iterable[Job], failure: type[CheckFailed], message: str) -> None:
    for job in jobs:
        if not job.answer.done():
            job.answer.set_exception(failure(message))
