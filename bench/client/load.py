"""Runs, so many at a time, for so long: each posted, read to its `complete`, and followed by the next."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import orjson

from bench.client.report import cpu_seconds, percentiles_ms, say
from bench.client.wire import CallFailed, RunCall, address, post

_DATA = b"\ndata: "


@dataclass(slots=True)
class Tally:
    """What ended within the measured window."""

    counting: bool = False
    stopping: bool = False
    first_seconds: list[float] = field(default_factory=list[float])
    complete_seconds: list[float] = field(default_factory=list[float])
    enough: asyncio.Event = field(default_factory=asyncio.Event)


async def run_load(job: dict[str, Any]) -> None:
    """`url`, `path`, `envelope`, `concurrency`, `warm_up_seconds`, `seconds`, `max_runs`, `pause_seconds`, `nodes`."""
    request = post(job["url"], job["path"], job["envelope"].encode())
    where = address(job["url"])
    await _require_nodes(where, request, job["nodes"])
    tally = Tally()
    async with asyncio.TaskGroup() as group:
        for _ in range(job["concurrency"]):
            group.create_task(_keep_running(where, request, tally, job["max_runs"], job["pause_seconds"]))
        await asyncio.sleep(job["warm_up_seconds"])
        cpu, began, tally.counting = cpu_seconds(), perf_counter(), True
        say("begin")
        await _either(tally.enough, job["seconds"])
        tally.counting = False
        seconds, cpu = perf_counter() - began, cpu_seconds() - cpu
        say("end")
        tally.stopping = True
    say(
        "result",
        runs=len(tally.complete_seconds),
        seconds=seconds,
        client_cpu_seconds=cpu,
        first_ms=percentiles_ms(tally.first_seconds),
        complete_ms=percentiles_ms(tally.complete_seconds),
    )


async def one_run(where: tuple[str, int], request: bytes) -> RunCall:
    """Post and read to the end. Raises CallFailed or OSError."""
    call = RunCall(request)
    await asyncio.get_running_loop().create_connection(lambda: call, *where)
    await call.done
    return call


async def _keep_running(
    where: tuple[str, int], request: bytes, tally: Tally, max_runs: int, pause_seconds: float
) -> None:
    while not tally.stopping:
        call = await one_run(where, request)
        if tally.counting:
            tally.first_seconds.append(call.first_seconds)
            tally.complete_seconds.append(call.complete_seconds)
            if len(tally.complete_seconds) >= max_runs:
                tally.enough.set()
        if pause_seconds:
            await asyncio.sleep(pause_seconds)


async def _either(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


async def _require_nodes(where: tuple[str, int], request: bytes, nodes: int) -> None:
    """Raise unless the measured run has so many nodes."""
    call = await one_run(where, request)
    lines = (line for line in bytes(call.received).split(b"\n") if line.startswith(b"data: "))
    frames = [orjson.loads(line.removeprefix(b"data: ")) for line in lines]
    done = sum(frame["type"] == "node_complete" for frame in frames)
    if done != nodes:
        raise CallFailed(f"the run has {done} nodes, not {nodes}: {[frame['type'] for frame in frames]}")
