"""What is measured, one function each: an engine in, figures out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from bench.approvals import WaitingRun, measure_approvals
from bench.cpu import CpuSeconds, read_cpu, unshared_bytes
from bench.engines import MeasuredEngine
from bench.envelopes import NODES, three_nodes, waiting_for_approval
from bench.load_process import ClientProcess, measured
from bench.sizes import Sizes
from flexrun.client import GatewayClient

Figures = dict[str, Any]
Measure = Callable[[MeasuredEngine, Sizes], Awaitable[Figures]]

RUN_STREAM = "/api/v1/flex/run.stream"
MEASURES = ("idle", "approve", "load", "fan-out", "streams", "append", "dispatch")
"""The names for `--only`."""


async def measure_idle(engine: MeasuredEngine, sizes: Sizes) -> Figures:
    """One run after the other, with a pause between them: first frame and `complete`."""
    figures, _ = await _load(
        engine,
        concurrency=1,
        warm_up_seconds=sizes.load_warm_up_seconds,
        seconds=sizes.step_limit_seconds / 4,
        max_runs=sizes.idle_runs,
        pause_seconds=sizes.idle_pause_seconds,
    )
    return {"runs": figures["runs"], "first_ms": figures["first_ms"], "complete_ms": figures["complete_ms"]}


async def measure_approve(engine: MeasuredEngine, sizes: Sizes) -> Figures:
    """One approval after the other over HTTP: how soon a follower of the run reads the next frame."""
    runs = await _waiting_runs(engine, sizes.approvals)
    return await measure_approvals(engine.url, runs, pause_seconds=sizes.idle_pause_seconds)


async def measure_load(engine: MeasuredEngine, sizes: Sizes, concurrency: int) -> Figures:
    """So many runs at a time: runs/s, and what one of them costs."""
    figures, cpu = await _load(
        engine,
        concurrency=concurrency,
        warm_up_seconds=sizes.load_warm_up_seconds,
        seconds=sizes.load_seconds,
        max_runs=sizes.load_max_runs,
        pause_seconds=0.0,
    )
    runs, seconds = figures["runs"], figures["seconds"]
    if not runs:
        raise RuntimeError(f"no run ended within {seconds:.1f} s")
    return {
        "concurrency": concurrency,
        "runs": runs,
        "runs_per_second": round(runs / seconds, 1),
        "first_ms": figures["first_ms"],
        "complete_ms": figures["complete_ms"],
        "cpu_ms_per_run": {
            "flexrun": _ms(cpu.flexrun, runs),
            "postgres": _ms(cpu.postgres, runs),
            "rabbitmq": _ms(cpu.rabbitmq, runs),
            "engine": _ms(cpu.engine, runs),
            "client": _ms(figures["client_cpu_seconds"], runs),
        },
    }


async def measure_fan_out(engine: MeasuredEngine, sizes: Sizes) -> Figures:
    """Frames/s from one run's log to many subscribers."""
    run_id = (await _waiting_runs(engine, 1))[0].run_id
    async with ClientProcess(
        "fan-out",
        url=engine.url,
        database_url=engine.database_url,
        path=_events_path(run_id),
        run_id=run_id,
        subscribers=sizes.subscribers,
        rounds=sizes.fan_out_rounds,
        events=sizes.fan_out_events,
    ) as client:
        figures, cpu = await measured(client, lambda: read_cpu(engine.pids))
    cpu_us = {"flexrun": cpu.flexrun, "client": figures["client_cpu_seconds"]}
    return {
        "subscribers": figures["subscribers"],
        "frames": figures["frames"],
        "frames_per_second": figures["frames_per_second"],
        "frames_per_second_paced": figures["frames_per_second_paced"],
        "one_frame_to_all_ms": figures["round_ms"],
        "cpu_us_per_frame": {name: round(used * 1e6 / figures["frames"], 2) for name, used in cpu_us.items()},
    }


async def measure_streams(engine: MeasuredEngine, sizes: Sizes) -> Figures:
    """Memory of the gateway for each idle stream, and its CPU while they all are open."""
    waiting = await _waiting_runs(engine, sizes.waiting_runs)
    paths = [[_events_path(run.run_id), run.head] for run in waiting]
    async with ClientProcess("streams", url=engine.url, paths=paths, count=sizes.idle_streams) as client:
        before = unshared_bytes(engine.gateway_pid)
        opened = (await client.until("open"))["streams"]
        after = await _settled_bytes(engine.gateway_pid)
        cpu = read_cpu(engine.pids)
        await asyncio.sleep(2.0)
        used = read_cpu(engine.pids) - cpu
        client.finish()
        await client.until("result")
    return {
        "streams": opened,
        "kib_per_stream": round((after - before) / 1024 / opened, 1),
        "gateway_mib": round(after / 1024**2, 1),
        "idle_cpu_percent": {
            "flexrun": round(used.flexrun / 2 * 100, 1),
            "postgres": round(used.postgres / 2 * 100, 1),
        },
    }


async def _load(engine: MeasuredEngine, **parameters: Any) -> tuple[Figures, CpuSeconds]:
    envelope = three_nodes().decode()
    async with ClientProcess(
        "load", url=engine.url, path=RUN_STREAM, envelope=envelope, nodes=NODES, **parameters
    ) as client:
        figures, cpu = await measured(client, lambda: read_cpu(engine.pids))
    # RabbitMQ idles beside an engine that does without it; that is no cost of its runs.
    return figures, cpu if engine.kind.broker == "rabbitmq" else replace(cpu, rabbitmq=0.0)


async def _waiting_runs(engine: MeasuredEngine, count: int) -> list[WaitingRun]:
    """Runs that wait for a person."""
    found: list[WaitingRun] = []
    async with GatewayClient(engine.url) as gateway:
        for _ in range(count):
            run_id = await gateway.start_run(waiting_for_approval())
            async for frame in gateway.frames(run_id):
                if frame["type"] == "complete":
                    raise RuntimeError(f"a run that should wait for a person is complete: {frame}")
                if frame["type"] == "hitl_request":
                    found.append(WaitingRun(run_id, frame["payload"]["requestId"], int(frame["id"])))
                    break
    return found


async def _settled_bytes(pid: int) -> int:
    """The process's memory once it has stopped growing."""
    previous = unshared_bytes(pid)
    for _ in range(10):
        await asyncio.sleep(0.3)
        current = unshared_bytes(pid)
        if abs(current - previous) < previous / 200:
            return current
        previous = current
    return previous


def _events_path(run_id: str) -> str:
    return f"/api/v1/flex/runs/{run_id}/events"


def _ms(seconds: float, runs: int) -> float:
    return round(seconds * 1000 / runs, 3)
