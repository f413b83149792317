"""The processes of a simulation: started, ended at any await, stopped in good order, and started again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, TypeVar

from simulation.database.server import Server
from simulation.engine import EnginePart, Roles, Surroundings
from simulation.history import History
from simulation.loop import Process, SimulatedLoop

T = TypeVar("T")

_LONGEST_SILENCE_SECONDS = 8.0
"""How long a server may take to find out that a client is gone."""


class Unreachable(Exception):
    """A gateway has not answered: whether it did what it was asked is not known."""


class Machine:
    """A place where one process with these roles runs, again and again."""

    def __init__(
        self,
        name: str,
        roles: Roles,
        loop: SimulatedLoop,
        database: Server,
        around: Surroundings,
        history: History,
        random: Random,
    ) -> None:
        self.name = name
        self.roles = roles
        self._loop = loop
        self._database = database
        self._around = around
        self._history = history
        self._random = random
        self._starts = 0
        self._answers: dict[asyncio.Future[Any], None] = {}
        self.process: Process
        self.part: EnginePart
        self.ended: list[Process] = []
        self.start()

    @property
    def serves(self) -> bool:
        """Whether callers can be answered now."""
        return self.roles.serves and self.process.alive and self.part.ready

    def start(self) -> None:
        """Start a process, with a new name and clocks of its own."""
        self._starts += 1
        name = f"{self.name}{self._starts}"
        wrong_seconds = self._random.choice((0.0, 0.0, -3600.0, 5.0))
        self.process = Process(name, wrong_seconds=wrong_seconds)
        self.process.on_end = self._has_ended
        self.part = EnginePart(name, self.roles, self._around)
        self._note(f"starts as {self.roles.name}")
        self._loop.start(self.process, self.part.open())

    def kill(self, callbacks: int, down_seconds: float) -> None:
        """End the process so many callbacks from now, and start another one so much later."""
        if self.process.alive and self.process.callbacks_left is None:
            self.process.end_after(callbacks)
            self._loop.call_later(down_seconds, self._start_again, context=self._loop.world.context)

    def stop(self, down_seconds: float) -> None:
        """Stop the process in good order, and start another one so much later."""
        if self.process.alive and self.part.ready and self.process.callbacks_left is None:
            self._note("is stopped")
            self._loop.start(self.process, self._stop(self.process, self.part))
            self._loop.call_later(down_seconds + 20, self._start_again, context=self._loop.world.context)

    async def _stop(self, process: Process, part: EnginePart) -> None:
        await part.close()
        process.end()

    def _start_again(self) -> None:
        if self.process.alive:
            self.process.end()
        self.start()

    def stall(self, seconds: float) -> None:
        """Have the process stand still."""
        if self.process.alive:
            self._note(f"stands still for {seconds:.1f} s")
            self._loop.stall(self.process, seconds)

    def _has_ended(self) -> None:
        self._note("has ended")
        self.ended.append(self.process)
        for answer in self._answers:
            self._settle(answer, Unreachable(), None)
        self._answers.clear()
        seconds = self._random.random() ** 2 * _LONGEST_SILENCE_SECONDS
        context = self._loop.world.context
        self._loop.call_later(seconds, self._database.drop, self.process, context=context)
        self._loop.call_later(seconds, self.part.lost, context=context)

    async def ask(
        self, work: Callable[[EnginePart], Awaitable[T]], *, travel_seconds: float, lost: bool
    ) -> T:
        """What `work` returns or raises in the process. `lost`: the answer does not come.

        Raises Unreachable.
        """
        if not self.serves:
            raise Unreachable
        answer: asyncio.Future[T] = self._loop.create_future()
        self._answers[answer] = None
        process, part = self.process, self.part

        async def serve() -> None:
            result: T | None = None
            error: Exception | None = None
            try:
                result = await work(part)
            except Exception as raised:  # noqa: BLE001 - it is raised to the caller
                error = raised
            self._answers.pop(answer, None)
            self._loop.call_later(
                travel_seconds, self._settle, answer, Unreachable() if lost else error, result,
                context=self._loop.world.context,
            )  # fmt: skip

        self._loop.start(process, serve())
        return await answer

    @staticmethod
    def _settle(answer: asyncio.Future[Any], error: Exception | None, result: object) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)

    def _note(self, what: str) -> None:
        self._history.note(self._loop.time(), f"{self.process.name} {what}")
