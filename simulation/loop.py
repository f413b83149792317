"""An event loop with simulated time for several processes, of which a seed says which one runs next.

Each callback belongs to the process in whose context it was made. Within a process callbacks run in the order in which
they became due, as asyncio promises; between processes the order is drawn. Time passes only when no process can run.
A process may stand still for a while, and may end after any callback: what it had set going never runs.

simloop does the like, and needs Python 3.12; looptime has one process.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextvars import Context, ContextVar, copy_context
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any, ClassVar, TypeVar

from simulation.clockwork import EPOCH_SECONDS

T = TypeVar("T")

MAX_CALLBACKS = 2_000_000
"""A simulation that makes more of them than this does not come to its end."""

_current: ContextVar[Process] = ContextVar("process")


class NothingLeft(Exception):
    """No process has anything to do, now or later, and the simulation is not at its end."""


class TooLong(Exception):
    """The simulation does not come to its end."""


class Process:
    """What runs on the loop as one operating system process would. Its clocks are wrong by an amount of its own."""

    def __init__(self, name: str, *, wrong_seconds: float = 0.0) -> None:
        self.name = name
        self.alive = True
        self.stalled = False
        self.wrong_seconds = wrong_seconds
        self.ready: deque[asyncio.Handle] = deque()
        self.tasks: list[asyncio.Task[Any]] = []
        self.callbacks_left: int | None = None
        self.on_end: Callable[[], None] | None = None
        self.context = copy_context()
        self.context.run(_current.set, self)

    def end(self) -> None:
        """As `kill -9` does: nothing of it runs any more, and nothing is cleaned up."""
        self.alive = False
        self.ready.clear()
        if self.on_end is not None:
            self.on_end()

    def end_after(self, callbacks: int) -> None:
        """End between two awaits, so many callbacks from now."""
        self.callbacks_left = callbacks


def current() -> Process:
    """The process that runs now."""
    return _current.get()


class _Task(asyncio.Task[Any]):
    """A task whose hash does not depend on where it is in memory, so that a set of tasks has one order."""

    numbers: ClassVar[Iterator[int]] = count()
    """Of all tasks and futures of a loop, in the order of their making."""

    number: int

    def __new__(cls, *args: Any, **more: Any) -> _Task:
        made = super().__new__(cls)
        made.number = next(_Task.numbers)
        return made

    def __hash__(self) -> int:
        return self.number


class _Future(asyncio.Future[Any]):
    """The same for futures."""

    def __init__(self, *, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self.number = next(_Task.numbers)

    def __hash__(self) -> int:
        return self.number


class SimulatedLoop(asyncio.BaseEventLoop):
    """Runs the callbacks of all processes. `time` is the same for all of them."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        _Task.numbers = count()
        self._random = random
        self._seconds = 0.0
        self._order = count()
        self._timers: list[tuple[float, int, asyncio.TimerHandle, Process]] = []
        self._runnable: list[Process] = []
        self.callbacks = 0
        self.world = Process("world")
        self.set_task_factory(_make_task)
        self.set_exception_handler(self._unforeseen)
        self.unforeseen: list[str] = []

    def time(self) -> float:
        """Simulated seconds since the beginning."""
        return self._seconds

    def monotonic(self) -> float:
        """The monotonic clock of the process that runs now."""
        return self._seconds + 1_000.0

    def system(self) -> float:
        """The wall clock of the process that runs now."""
        return EPOCH_SECONDS + self._seconds + _current.get(self.world).wrong_seconds

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Run `callback` behind what its process has to do."""
        handle = asyncio.Handle(callback, args, self, context)
        self._put(handle._context.get(_current, self.world), handle)  # type: ignore[attr-defined]
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]  # there are no threads

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run `callback` in so many simulated seconds."""
        return self.call_at(self._seconds + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run `callback` at a simulated time."""
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        process = timer._context.get(_current, self.world)  # type: ignore[attr-defined]
        if process.alive:
            heappush(self._timers, (when, next(self._order), timer, process))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is dropped when its time has come."""

    def create_future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return _Future(loop=self)

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        """What a thread would do is done now, and its result is there a moment later."""
        future: asyncio.Future[T] = self.create_future()
        done: concurrent.futures.Future[T] = concurrent.futures.Future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it is raised to the caller
            done.set_exception(error)
        self.call_soon(_pass_on, done, future)
        return future

    def start(self, process: Process, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run `work` as the main task of a process."""
        return process.context.run(self.create_task, work)

    def stall(self, process: Process, seconds: float) -> None:
        """A process does nothing for so long, as one that was stopped, swapped out or moved."""
        process.stalled = True
        if process in self._runnable:
            self._runnable.remove(process)
        self.call_later(seconds, self._go_on, process, context=self.world.context)

    def _go_on(self, process: Process) -> None:
        process.stalled = False
        if process.ready and process.alive:
            self._runnable.append(process)

    def _put(self, process: Process, handle: asyncio.Handle) -> None:
        if not process.alive:
            return
        if not process.ready and not process.stalled:
            self._runnable.append(process)
        process.ready.append(handle)

    def run_forever(self) -> None:
        """Run callbacks until stopped. Raises NothingLeft, TooLong."""
        asyncio.events._set_running_loop(self)  # type: ignore[attr-defined]
        try:
            while not self._stopping:  # type: ignore[has-type]
                self._run_one()
        finally:
            self._stopping = False
            asyncio.events._set_running_loop(None)  # type: ignore[attr-defined]

    def _run_one(self) -> None:
        runnable = self._runnable
        while not runnable:
            self._let_time_pass()
        place = int(self._random.random() * len(runnable)) if len(runnable) > 1 else 0
        process = runnable[place]
        if not process.ready:  # it has ended
            del runnable[place]
            return
        handle = process.ready.popleft()
        if not process.ready:
            del runnable[place]
        self.callbacks += 1
        if self.callbacks > MAX_CALLBACKS:
            raise TooLong(f"{MAX_CALLBACKS:,} callbacks in {self._seconds:.0f} simulated seconds")
        if not handle.cancelled():
            handle._run()
        if process.callbacks_left is not None and process.alive:
            process.callbacks_left -= 1
            if process.callbacks_left < 0:
                process.end()

    def _let_time_pass(self) -> None:
        """Go to the next time at which something is due."""
        timers = self._timers
        while timers:
            when, _, timer, process = heappop(timers)
            if timer.cancelled() or not process.alive:
                continue
            self._seconds = max(self._seconds, when)
            self._put(process, timer)
            while timers and timers[0][0] <= self._seconds:
                _, _, timer, process = heappop(timers)
                if not timer.cancelled():
                    self._put(process, timer)
            return
        raise NothingLeft(f"nothing is left to do after {self._seconds:.0f} simulated seconds")

    def _unforeseen(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not self.is_closed() and "was destroyed but it is pending" not in context["message"]:
            self.unforeseen.append(f"{context['message']}: {context.get('exception')!r}")


def _make_task(
    loop: asyncio.AbstractEventLoop, work: Generator[Any, None, T] | Coroutine[Any, Any, T], **more: Any
) -> asyncio.Task[T]:
    task = _Task(work, loop=loop, **more)
    process = _current.get(None)
    if process is not None:
        # A task that nobody holds would be ended by the collector of garbage, in the middle of another process.
        process.tasks.append(task)
    return task


def _pass_on(done: concurrent.futures.Future[T], future: asyncio.Future[T]) -> None:
    error = done.exception()
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(done.result())
