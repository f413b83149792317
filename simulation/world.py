"""One simulation from its beginning to its end: `simulate(seed)`."""

from __future__ import annotations

import asyncio
import gc
import sys
import warnings
from collections.abc import Coroutine
from dataclasses import dataclass
from random import Random
from typing import Any

from runs.event import Json, JsonObject
from simulation import callers, clockwork
from simulation.broker.server import QueueServer
from simulation.capabilities import FACET_NAMES, capabilities, facet
from simulation.database.connection import forget, url_of
from simulation.database.server import Server
from simulation.engine import EnginePart, Surroundings, begun_of
from simulation.history import PEOPLE, History
from simulation.loop import NothingLeft, Process, SimulatedLoop, TooLong, current
from simulation.machines import Machine
from simulation.plan_of_faults import DrawnFaults
from simulation.promises import check
from simulation.sandbox import SimulatedSandbox
from simulation.scenario import Hands, Scenario, drawn, drawn_faults

MOST_SECONDS = 240.0
"""How long after the trouble every run must have come to its end."""

MOST_DEADLINE_SECONDS = 10.0
"""No call of the engine may ask for more CPU time than this."""

_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Report:
    """What a seed came to. `broken` is empty where all promises were kept; `trace_hash` names all that happened."""

    seed: int
    broken: list[str]
    trace_hash: str
    simulated_seconds: float
    callbacks: int
    facts: dict[str, int]
    lines: list[str]


class World:
    """The servers, the machines and those outside, on one loop."""

    def __init__(self, seed: int, *, keeps_lines: bool) -> None:
        self.scenario: Scenario = drawn(Random(f"{seed} scenario"))
        self.loop = SimulatedLoop(Random(f"{seed} order"))
        self.history = History(keeps_lines=keeps_lines)
        self._random = Random(f"{seed} faults")
        self.faults = DrawnFaults(self._random, self.is_over, rough=self.scenario.rough)
        servers = Process("servers")
        self.database = Server(
            self.faults,
            clock=self._clock,
            context=servers.context,
            on_commit=lambda append: self.history.committed(self.loop.time(), append),
            owner=current,
        )
        self.queues = QueueServer(self.faults, clock=self._clock, context=servers.context)
        self._name = str(seed)
        self._work = Random(f"{seed} work")
        url = url_of(self.database, self._name)
        around = Surroundings(
            url,
            self.queues if self.scenario.queues else None,
            self._work,
            self._sandbox,
            lambda: capabilities(self._work, self.faults.trouble, self._begun, self._made),
            self._handle_message,
        )
        now = self.database.now()
        self.database.tables.facets += [
            (each.name, each.version, each.description, each.schema, each.many, "api", now)
            for each in map(facet, FACET_NAMES)
        ]
        asyncio.events._set_running_loop(self.loop)  # type: ignore[attr-defined]
        self.machines = [
            Machine(name, roles, self.loop, self.database, around, self.history, self._random)
            for name, roles in self.scenario.machines
        ]
        asyncio.events._set_running_loop(None)  # type: ignore[attr-defined]

    def is_over(self) -> bool:
        """Whether the time of trouble is over."""
        return self.scenario.calm or self.loop.time() >= self.scenario.trouble_seconds

    def run(self) -> None:
        """Run the simulation to its end and check the promises."""
        try:
            self.loop.run_until_complete(self.loop.start(self.loop.world, self._run()))
        except (NothingLeft, TooLong) as stuck:
            self.history.break_promise(1, str(stuck))
        for unforeseen in self.loop.unforeseen:
            self.history.broken.append(f"unforeseen: {unforeseen}")
        check(self.database.tables, self.history)

    async def _run(self) -> None:
        for at, happen in drawn_faults(self._random, self.scenario, self._hands()):
            self.loop.call_later(at, happen)
        reading = self._start_those_outside()
        until = self.scenario.trouble_seconds + MOST_SECONDS
        while not self._at_its_end(reading) and self.loop.time() < until:  # noqa: ASYNC110 - no event says all of that
            await asyncio.sleep(_LOOK_SECONDS)
        for task in reading:
            if task.done() and task.exception() is not None:
                self.history.broken.append(f"unforeseen: {task.exception()!r}")

    def _start_those_outside(self) -> list[asyncio.Task[Any]]:
        random = self._random
        outside = callers.Outside(
            self.machines, random, self.history, self.is_over, self.scenario.lost_answers
        )
        reading: list[asyncio.Task[Any]] = []
        for run in self.scenario.runs:
            reading.append(
                self._outside("caller", callers.call(outside, run.id, run.envelope, run.after_seconds))
            )
            reading += [
                self._outside("reader", callers.follow(outside, run.id, f"reader {number}"))
                for number in range(run.readers)
            ]
            for what, at in run.orders:
                self._outside("operator", callers.control(outside, run.id, what, run.after_seconds + at))
        for name in PEOPLE:
            self._outside(name, callers.decide(outside, name))
        self._outside("operator", callers.wake_up(outside))
        self._outside("log reader", callers.read_whole_log(outside))
        return reading

    def _outside(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self.loop.start(Process(name), work)

    def _at_its_end(self, reading: list[asyncio.Task[Any]]) -> bool:
        all_ended = all(task.done() for task in reading)
        return all_ended and len(self.history.followed) >= len(self.database.tables.log)

    def _hands(self) -> Hands:
        return Hands(
            tuple(self.machines),
            self._database_down,
            self._database_jumps,
            self._queues_down,
            self._clock_jumps,
        )

    def _database_down(self, seconds: float) -> None:
        if not self.database.is_down:
            self._note(f"the database is down for {seconds:.1f} s")
            self.database.go_down()
            self.loop.call_later(seconds, self.database.come_up)

    def _database_jumps(self, seconds: float) -> None:
        self._note(f"the clock of the database jumps by {seconds:.1f} s")
        self.database.jumped_seconds += seconds

    def _queues_down(self, seconds: float) -> None:
        if not self.queues.is_down:
            self._note(f"the queues are down for {seconds:.1f} s")
            self.queues.go_down()
            self.loop.call_later(seconds, self.queues.come_up)

    def _clock_jumps(self, machine: Machine, seconds: float) -> None:
        machine.process.wrong_seconds += seconds

    def _clock(self) -> float:
        return clockwork.EPOCH_SECONDS + self.loop.time()

    def _sandbox(self) -> SimulatedSandbox:
        return SimulatedSandbox(self._work, self.faults.sandbox_trouble, self._calls)

    def _calls(self, function: str, deadline_seconds: float | None) -> None:
        self.history.sandboxed[function] += 1
        if deadline_seconds is None or not 0 < deadline_seconds <= MOST_DEADLINE_SECONDS:
            self.history.break_promise(8, f"{function} may take {deadline_seconds} s in a child")

    def _begun(self, bundle: JsonObject) -> None:
        self.history.begun[begun_of(bundle)] += 1

    def _made(self, bundle: JsonObject, output: Json) -> None:
        self.history.made[begun_of(bundle)] = output

    async def _handle_message(self, part: EnginePart, body: bytes) -> None:
        await callers.handle_message(part, body, self.history)

    def _note(self, what: str) -> None:
        self.history.note(self.loop.time(), what)

    def close(self) -> None:
        """Forget all of it. What was under way is dropped, and what it would do at its end is not heard of."""
        forget(self._name)
        self.loop.close()


def simulate(seed: int, *, keeps_lines: bool = False) -> Report:
    """Run one seed. `clockwork.install` must have been called before the engine was imported."""
    hook, sys.unraisablehook = sys.unraisablehook, _nothing
    warnings.simplefilter("ignore", RuntimeWarning)  # what was dropped was never awaited
    gc.disable()
    world = World(seed, keeps_lines=keeps_lines)
    clockwork.begin(world.loop, seed)
    try:
        world.run()
        history = world.history
        return Report(
            seed,
            history.broken,
            history.trace_hash,
            round(world.loop.time(), 3),
            world.loop.callbacks,
            dict(history.facts),
            history.lines,
        )
    finally:
        clockwork.end()
        world.close()
        del world
        gc.collect()
        gc.enable()
        sys.unraisablehook = hook


def _nothing(_: object) -> None:
    """What is dropped at the end of a simulation may say what it likes."""
