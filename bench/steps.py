"""All that is to be measured, in order, as steps that a progress line can count."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from bench.append_measure import CLIENTS, measure_append
from bench.dispatch import HOMES, measure_home
from bench.engines import EngineKind, MeasuredEngine, running_engine
from bench.machine import Neighbours
from bench.measures import measure_approve, measure_fan_out, measure_idle, measure_load, measure_streams
from bench.services import Services
from bench.sizes import Sizes

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One figure or one row of figures; `engine` is empty for what needs none."""

    engine: str
    measure: str
    title: str
    run: Callable[[MeasuredEngine], Awaitable[Figures]]


@dataclass(frozen=True, slots=True)
class Done:
    """What a step came to."""

    engine: str
    measure: str
    figures: Figures


def engine_steps(kind: EngineKind, measures: Sequence[str], sizes: Sizes) -> list[Step]:
    """The steps of one engine; the same for each, so that the rows can be compared."""
    steps: list[Step] = []
    # First of all: later measures leave free memory behind, in which these streams would seem to cost nothing.
    if "streams" in measures:
        title = f"{sizes.idle_streams} idle streams"
        steps.append(Step(kind.name, "streams", title, lambda engine: measure_streams(engine, sizes)))
    if "idle" in measures:
        steps.append(Step(kind.name, "idle", "idle", lambda engine: measure_idle(engine, sizes)))
    if "approve" in measures:
        title = f"{sizes.approvals} approvals"
        steps.append(Step(kind.name, "approve", title, lambda engine: measure_approve(engine, sizes)))
    if "load" in measures:
        steps += [_load_step(kind, sizes, concurrency) for concurrency in sizes.concurrency]
    if "fan-out" in measures:
        title = f"{sizes.subscribers} subscribers"
        steps.append(Step(kind.name, "fan-out", title, lambda engine: measure_fan_out(engine, sizes)))
    return steps


def _load_step(kind: EngineKind, sizes: Sizes, concurrency: int) -> Step:
    title = f"{concurrency} concurrent runs"
    return Step(kind.name, "load", title, lambda engine: measure_load(engine, sizes, concurrency))


async def run_steps(
    kinds: Sequence[EngineKind],
    measures: Sequence[str],
    sizes: Sizes,
    services: Services,
    announce: Callable[[str], None],
) -> AsyncIterator[Done]:
    """Measure; what is done is given at once, so that an interrupted run keeps what it has.

    Raises TimeoutError for a step that exceeds `step_limit_seconds`, and what a step raises.
    """
    if "append" in measures:
        for clients in CLIENTS:
            announce(f"append/s, {clients} at a time")
            figures = await _beside_others(measure_append(services, sizes, clients), sizes)
            yield Done("", "append", figures)
    if "dispatch" in measures:
        for broker, home in _dispatches(kinds):
            announce(f"dispatch over {broker}: {home}")
            size = (sizes.dispatch_runs, sizes.dispatch_nodes)
            folder = services.folder / f"dispatch-{broker}-{home}"
            figures = await _beside_others(measure_home(broker, home, size, services, folder), sizes)
            yield Done(broker, "dispatch", figures)
    for kind in kinds:
        steps = engine_steps(kind, measures, sizes)
        if not steps:
            return
        announce(f"{kind.name}: starting")
        async with running_engine(kind, services) as engine:
            for step in steps:
                announce(f"{kind.name}: {step.title}")
                figures = await _beside_others(step.run(engine), sizes)
                engine.require_alive()
                yield Done(kind.name, step.measure, figures)


def _dispatches(kinds: Sequence[EngineKind]) -> list[tuple[str, str]]:
    """(broker, home), over the brokers of these engines."""
    return list(product(dict.fromkeys(kind.broker for kind in kinds), HOMES))


async def _beside_others(measure: Awaitable[Figures], sizes: Sizes) -> Figures:
    """The figures, and how much of the machine others used meanwhile."""
    neighbours = Neighbours()
    async with asyncio.timeout(sizes.step_limit_seconds):
        figures = await measure
    return {**figures, "others_cpu_percent": neighbours.percent()}


def count_steps(kinds: Sequence[EngineKind], measures: Sequence[str], sizes: Sizes) -> int:
    """How many `Done`s `run_steps` gives."""
    appends = len(CLIENTS) if "append" in measures else 0
    dispatches = len(_dispatches(kinds)) if "dispatch" in measures else 0
    return appends + dispatches + sum(len(engine_steps(kind, measures, sizes)) for kind in kinds)
