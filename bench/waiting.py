"""`python -m bench.waiting`: many runs that wait for a person, what they cost, how soon an approval gets through.

A run that waits is a few rows in Postgres and nothing in any process.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import psutil
import psycopg
import typer
from rich.console import Console
from rich.table import Table
from tenacity import AsyncRetrying, retry_if_exception, wait_fixed

from bench.approvals import WaitingRun, measure_approvals
from bench.engines import EngineKind, MeasuredEngine, running_engine
from bench.envelopes import waiting_for_approval
from bench.machine import describe_machine
from bench.measuring import ENGINES, engine_kind, measure
from bench.services import started_services
from flexrun.client import API, GatewayClient, GatewayProblemError

_errors = Console(stderr=True)
_FULL_BACKLOG = 503
_OPEN_REQUESTS = """
select q.run_id::text, q.id, r.head_seq from hitl_requests q join flex_runs r using (run_id)
where q.status = 'open' order by q.created_at
"""


@dataclass(frozen=True, slots=True)
class Scale:
    """How many runs wait, how many of them are approved, how many are started at the same time."""

    waiting: int
    approvals: int
    at_once: int = 32


def waiting(
    runs: Annotated[int, typer.Option(help="how many runs wait")] = 20_000,
    approvals: Annotated[int, typer.Option(help="how many of them are approved")] = 100,
    engine: Annotated[str, typer.Option(help=ENGINES)] = "rabbitmq-3",
    as_json: Annotated[bool, typer.Option("--json", help="JSON in place of a table")] = False,
) -> None:
    """Start runs that wait for an approval, look at the processes' memory, then approve some."""
    kind = engine_kind(engine)
    measure("waiting", lambda folder: _measure(kind, Scale(runs, approvals), folder), _print, as_json=as_json)


async def _measure(kind: EngineKind, scale: Scale, folder: Path) -> dict[str, Any]:
    machine = describe_machine()
    rabbit = kind.broker == "rabbitmq"
    async with (
        started_services(folder, rabbit=rabbit) as services,
        running_engine(kind, services) as engine,
    ):
        fresh = memory_mib(engine)
        began = time.perf_counter()
        await _start_runs(engine, scale)
        seconds = time.perf_counter() - began
        with_waiting = memory_mib(engine)
        runs = await _open_requests(engine)
        chosen = random.Random(20261122).sample(runs, min(scale.approvals, len(runs)))
        figures = await measure_approvals(engine.url, chosen)
        engine.require_alive()
        return {
            "machine": machine,
            "engine": kind.name,
            "waiting": len(runs),
            "started_per_second": round(scale.waiting / seconds, 1),
            "fresh_mib": fresh,
            "waiting_mib": with_waiting,
            "after_approvals_mib": memory_mib(engine),
            **figures,
        }


def memory_mib(engine: MeasuredEngine) -> dict[str, float]:
    """Resident memory of each process of flexrun, its contract checkers included."""
    found: dict[str, float] = {}
    for name, (server, _) in engine.servers.items():
        process = psutil.Process(server.pid)
        tree = [process, *process.children(recursive=True)]
        found[name] = round(sum(each.memory_info().rss for each in tree) / 1024**2, 1)
        found[f"{name} alone"] = round(process.memory_info().rss / 1024**2, 1)
    return found


async def _start_runs(engine: MeasuredEngine, scale: Scale) -> None:
    """Start them all, and wait until each of them waits."""
    envelope = waiting_for_approval()
    left = iter(range(scale.waiting))
    async with GatewayClient(engine.url) as client:

        async def customer() -> None:
            for number in left:
                if number % 1_000 == 0:
                    _errors.print(f"{number:,} started", highlight=False)
                await _start(client, envelope)

        await asyncio.gather(*(customer() for _ in range(scale.at_once)))
    while (found := await _count_open(engine)) < scale.waiting:
        engine.require_alive()
        _errors.print(f"{found:,} wait", highlight=False)
        await asyncio.sleep(1)


async def _start(client: GatewayClient, envelope: bytes) -> None:
    """Start a run; a full backlog is waited for, as a client should."""
    patiently = AsyncRetrying(retry=retry_if_exception(_is_full), wait=wait_fixed(1), reraise=True)
    await patiently(client.call, "POST", f"{API}/runs", envelope)


def _is_full(error: BaseException) -> bool:
    return isinstance(error, GatewayProblemError) and error.status == _FULL_BACKLOG


async def _count_open(engine: MeasuredEngine) -> int:
    async with await psycopg.AsyncConnection.connect(engine.database_url) as connection:
        cursor = await connection.execute("select count(*) from hitl_requests where status = 'open'")
        row = await cursor.fetchone()
    return row[0] if row else 0


async def _open_requests(engine: MeasuredEngine) -> list[WaitingRun]:
    async with await psycopg.AsyncConnection.connect(engine.database_url) as connection:
        cursor = await connection.execute(_OPEN_REQUESTS)
        return [WaitingRun(*row) for row in await cursor.fetchall()]


def _print(console: Console, figures: dict[str, Any]) -> None:
    machine = figures["machine"]
    console.print(
        f"\n{machine['cpus']} x {machine['cpu_model']}, {machine['system']}, commit {machine['commit'] or '?'}, "
        f"load before {machine['load_before']}; {figures['engine']}: {figures['waiting']:,} runs wait, "
        f"{figures['started_per_second']} started per second",
        highlight=False,
    )
    memory = Table(title="Resident memory (MiB), with and without contract checkers", title_justify="left")
    for column in ("process", "fresh", f"{figures['waiting']:,} waiting", "after the approvals"):
        memory.add_column(column)
    stages = [figures[name] for name in ("fresh_mib", "waiting_mib", "after_approvals_mib")]
    for name in stages[0]:
        memory.add_row(name, *(str(stage[name]) for stage in stages))
    console.print(memory)
    times = Table(title=f"{figures['approvals']} approvals (ms after the POST)", title_justify="left")
    for column in ("", "p50", "p95", "max"):
        times.add_column(column)
    for name in ("answer_ms", "next_frame_ms", "complete_ms"):
        row = figures[name]
        times.add_row(
            name.removesuffix("_ms").replace("_", " "), *(str(row[key]) for key in ("p50", "p95", "max"))
        )
    console.print(times)


if __name__ == "__main__":
    typer.run(waiting)
