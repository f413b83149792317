"""`python -m bench.callbacks`: many nodes that wait for a callback, what that costs, and that all come through.

A node that waits for its callback is a row in Postgres and nothing in any process. So the processes are looked at when
nothing waits and when all of them wait: their memory, their CPU, and how many transactions the database sees. What they
load and keep while they begin and end so many nodes is not the cost of waiting, so all is done once before.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from bench.cpu import read_cpu
from bench.engines import EngineKind, MeasuredEngine, running_engine
from bench.later import LaterService, envelope, registrations, running_later_service
from bench.machine import describe_machine
from bench.measuring import ENGINES, engine_kind, measure
from bench.services import started_services
from bench.waiting import memory_mib
from flexrun.client import API, GatewayClient
from tests.support.ports import free_port

_errors = Console(stderr=True)
_PATIENCE_SECONDS = 1_800.0
_SETTLE_SECONDS = 3.0
_AT_ONCE = 16

_WAITING = "select count(*) from flex_work where started and worker like 'callback/%'"
_UNFINISHED = "select count(*) from flex_runs where status not in ('completed', 'failed', 'aborted')"
_COMPLETED = "select count(*) from flex_runs where status = 'completed'"
_TRAFFIC = """
select xact_commit + xact_rollback, tup_returned, tup_inserted + tup_updated + tup_deleted
from pg_stat_database where datname = current_database()
"""


@dataclass(frozen=True, slots=True)
class Scale:
    """How many nodes wait, in runs of how many, and how long the processes are watched while nothing happens."""

    nodes: int
    per_run: int
    quiet_seconds: float


def callbacks(
    nodes: Annotated[int, typer.Option(min=1, help="how many nodes wait")] = 10_000,
    per_run: Annotated[int, typer.Option(min=1, max=100, help="how many of them are in one run")] = 10,
    quiet_seconds: Annotated[float, typer.Option(min=1, help="how long they are watched")] = 20,
    engine: Annotated[str, typer.Option(help=ENGINES)] = "rabbitmq-3",
    as_json: Annotated[bool, typer.Option("--json", help="JSON in place of tables")] = False,
) -> None:
    """Let nodes wait for callbacks, watch the processes and the database, then call back for all of them."""
    kind = engine_kind(engine)
    figures = measure(
        "callbacks",
        lambda folder: _measure(kind, Scale(nodes, per_run, quiet_seconds), folder),
        _print,
        as_json=as_json,
    )
    raise typer.Exit(0 if figures["completed_runs"] == figures["runs"] else 1)


async def _measure(kind: EngineKind, scale: Scale, folder: Path) -> dict[str, Any]:
    machine, port = describe_machine(), free_port()
    environment = {"FLEXRUN_PUBLIC_URL": f"http://127.0.0.1:{port}"}
    async with (
        started_services(folder, rabbit=kind.broker == "rabbitmq") as services,
        running_later_service() as service,
        running_engine(kind, services, port=port, environment=environment) as engine,
    ):
        figures = await measure_callbacks(engine, service, scale)
    return {"machine": machine, "engine": kind.name, **figures}


async def measure_callbacks(engine: MeasuredEngine, service: LaterService, scale: Scale) -> dict[str, Any]:
    """Before, while all wait, and after all have been called back."""
    runs = -(-scale.nodes // scale.per_run)
    await _register(engine, service, scale.per_run)
    await _start_runs(engine, runs, scale.per_run)
    await _answer(engine, service)
    warm_up = await _count(engine, _COMPLETED)
    before = await _watched(engine, scale.quiet_seconds)
    started_seconds = await _start_runs(engine, runs, scale.per_run)
    waiting = await _watched(engine, scale.quiet_seconds)
    still_waiting = await _count(engine, _WAITING)
    answered_seconds = await _answer(engine, service)
    return {
        "nodes": runs * scale.per_run,
        "runs": runs,
        "waiting_nodes": still_waiting,
        "to_waiting_per_second": round(runs * scale.per_run / started_seconds, 1),
        "answered_per_second": round(runs * scale.per_run / answered_seconds, 1),
        "refused_callbacks": service.refused,
        "completed_runs": await _count(engine, _COMPLETED) - warm_up,
        "before": before,
        "waiting": waiting,
        "after": await _watched(engine, scale.quiet_seconds),
    }


async def _register(engine: MeasuredEngine, service: LaterService, number: int) -> None:
    facets, capabilities = registrations(service.url, number)
    async with GatewayClient(engine.url) as client:
        for facet in facets:
            await client.call("POST", f"{API}/facets", facet)
        await client.call("POST", f"{API}/capabilities/register", capabilities)


async def _start_runs(engine: MeasuredEngine, runs: int, per_run: int) -> float:
    """Start runs until all of their nodes wait; the seconds that it took."""
    began, body = time.perf_counter(), envelope(per_run)
    left = iter(range(runs))
    async with GatewayClient(engine.url) as client:

        async def customer() -> None:
            for _ in left:
                await client.start_run(body)

        await asyncio.gather(*(customer() for _ in range(_AT_ONCE)))
    await _until(engine, _WAITING, runs * per_run, "wait")
    return time.perf_counter() - began


async def _answer(engine: MeasuredEngine, service: LaterService) -> float:
    """Call back for all nodes; the seconds until the last run has ended."""
    began = time.perf_counter()
    await service.answer_all(_AT_ONCE)
    await _until(engine, _UNFINISHED, 0, "runs are left")
    return time.perf_counter() - began


async def _until(engine: MeasuredEngine, query: str, number: int, what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (found := await _count(engine, query)) != number:
        engine.require_alive()
        if time.monotonic() > deadline:
            raise TimeoutError(f"{found:,} {what} after {_PATIENCE_SECONDS:g} s, not {number:,}")
        _errors.print(f"{found:,} {what}", highlight=False)
        await asyncio.sleep(1)


async def _watched(engine: MeasuredEngine, seconds: float) -> dict[str, Any]:
    """What the processes and the database do by themselves, per second."""
    await asyncio.sleep(_SETTLE_SECONDS)
    engine.require_alive()
    traffic, cpu = await _traffic(engine), read_cpu(engine.pids)
    began = time.perf_counter()
    await asyncio.sleep(seconds)
    after, used = await _traffic(engine), read_cpu(engine.pids) - cpu
    passed = time.perf_counter() - began
    names = ("transactions_per_second", "rows_read_per_second", "rows_changed_per_second")
    rates = {
        name: round((later - earlier) / passed, 1)
        for name, later, earlier in zip(names, after, traffic, strict=True)
    }
    processors = {"flexrun": used.flexrun, "postgres": used.postgres, "rabbitmq": used.rabbitmq}
    return {
        "memory_mib": memory_mib(engine),
        **rates,
        "cpu_percent": {name: round(each / passed * 100, 1) for name, each in processors.items()},
    }


async def _traffic(engine: MeasuredEngine) -> tuple[int, int, int]:
    async with await psycopg.AsyncConnection.connect(engine.database_url) as connection:
        row = await (await connection.execute(_TRAFFIC)).fetchone()
    return (int(row[0]), int(row[1]), int(row[2])) if row else (0, 0, 0)


async def _count(engine: MeasuredEngine, query: str) -> int:
    async with await psycopg.AsyncConnection.connect(engine.database_url) as connection:
        row = await (await connection.execute(query)).fetchone()  # type: ignore[arg-type] - it is one of those above
    return int(row[0]) if row else 0


def _print(console: Console, figures: dict[str, Any]) -> None:
    machine, stages = figures["machine"], [figures[name] for name in ("before", "waiting", "after")]
    console.print(
        f"\n{machine['cpus']} x {machine['cpu_model']}, {machine['system']}, commit {machine['commit'] or '?'}, "
        f"load before {machine['load_before']}; {figures['engine']}: {figures['waiting_nodes']:,} nodes wait in "
        f"{figures['runs']:,} runs, {figures['completed_runs']:,} of which completed; "
        f"{figures['to_waiting_per_second']} nodes/s began to wait, {figures['answered_per_second']} were answered",
        highlight=False,
    )
    table = Table("", "nothing waits", f"{figures['waiting_nodes']:,} wait", "all answered")
    for name in ("transactions_per_second", "rows_read_per_second", "rows_changed_per_second"):
        table.add_row(name.replace("_", " "), *(str(stage[name]) for stage in stages))
    for name in stages[0]["cpu_percent"]:
        table.add_row(f"CPU of {name}, %", *(str(stage["cpu_percent"][name]) for stage in stages))
    for name in stages[0]["memory_mib"]:
        table.add_row(f"{name}, MiB", *(str(stage["memory_mib"][name]) for stage in stages))
    console.print(table)


if __name__ == "__main__":
    typer.run(callbacks)
