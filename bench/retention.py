"""`python -m bench.retention`: what removing old runs costs those that go on.

A database gets many finished runs of a hundred days ago. Then runs are started at an even rate, first alone, then while
`flexrun db prune` removes the old ones, then alone again; how long each took counts, from before the connect to
`complete`. A rate at which the two times alone differ is too high for the machine as it is.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import orjson
import typer
from rich.console import Console
from rich.table import Table

from bench.engines import running_engine
from bench.envelopes import three_nodes
from bench.machine import Neighbours, describe_machine
from bench.measuring import engine_kind, measure
from bench.services import started_services
from bench.stored_runs import store_runs
from flexrun.client import API

_errors = Console(stderr=True)
_TEMPLATES = 50
_RUN_SECONDS = 60.0
_PRUNE_SECONDS = 3_600.0


def retention(
    runs: Annotated[int, typer.Option(min=1, help="how many old runs")] = 100_000,
    rate: Annotated[float, typer.Option(min=0.1, help="how many runs a second go on beside it")] = 50,
    seconds: Annotated[float, typer.Option(min=1, help="how long they are measured alone")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="JSON in place of a table")] = False,
) -> None:
    """Measure runs alone, and beside the removal of old ones."""
    measure("retention", lambda folder: _measure(runs, rate, seconds, folder), _print, as_json=as_json)


async def _measure(runs: int, rate: float, seconds: float, folder: Path) -> dict[str, Any]:
    machine = describe_machine()
    async with (
        started_services(folder, rabbit=False) as services,
        running_engine(engine_kind("postgres"), services) as engine,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True)) as http,
    ):
        load = _Load(http, engine.url, rate)
        await load.go_on(asyncio.sleep(_TEMPLATES / rate))
        _errors.print(f"storing {runs:,} runs …", highlight=False)
        await store_runs(engine.database_url, runs)
        neighbours = Neighbours()
        alone = await load.go_on(asyncio.sleep(seconds))
        _errors.print("removing them …", highlight=False)
        began = time.perf_counter()
        beside = await load.go_on(_prune(engine.database_url))
        took = time.perf_counter() - began
        again = await load.go_on(asyncio.sleep(seconds))
        return {
            "machine": machine,
            "old_runs": runs,
            "rate": rate,
            "alone": alone,
            "beside": beside,
            "alone_again": again,
            "prune_seconds": round(took, 1),
            "pruned_per_second": round(runs / took),
            "others_cpu_percent": neighbours.percent(),
        }


class _Load:
    """Runs at an even rate, whether those before have ended or not."""

    def __init__(self, http: aiohttp.ClientSession, url: str, rate: float) -> None:
        self._http = http
        self._url = url
        self._rate = rate

    async def go_on(self, work: Any) -> dict[str, Any]:
        """Start runs until `work` has ended; how long they took, in milliseconds."""
        times, tasks, over = list[float](), set[asyncio.Task[None]](), asyncio.ensure_future(work)
        began = time.perf_counter()
        while not over.done():
            task = asyncio.create_task(self._run(times))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            started = len(times) + len(tasks)
            await asyncio.sleep(max(0.0, began + started / self._rate - time.perf_counter()))
        await over
        await asyncio.gather(*tasks)
        ordered = sorted(times)
        return {
            "runs": len(ordered),
            "p50_ms": round(statistics.median(ordered) * 1000, 1),
            "p95_ms": round(ordered[int(len(ordered) * 0.95)] * 1000, 1),
            "max_ms": round(ordered[-1] * 1000, 1),
        }

    async def _run(self, times: list[float]) -> None:
        began = time.perf_counter()
        timeout = aiohttp.ClientTimeout(total=_RUN_SECONDS)
        async with self._http.post(
            f"{self._url}{API}/run.stream", data=three_nodes(), timeout=timeout
        ) as answer:
            last = (await answer.read()).rpartition(b"data: ")[2].partition(b"\n")[0]
        if orjson.loads(last)["payload"].get("status") != "completed":
            raise RuntimeError(f"a run did not complete: {last[:500]!r}")
        times.append(time.perf_counter() - began)


async def _prune(database_url: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "flexrun", "db", "prune", "--older-than", "30d", "--yes", "--database", database_url
    )  # fmt: skip
    async with asyncio.timeout(_PRUNE_SECONDS):
        status = await process.wait()
    if status:
        raise RuntimeError(f"flexrun db prune ended with {status}")


def _print(console: Console, figures: dict[str, Any]) -> None:
    table = Table(title=f"{figures['rate']} runs/s, {figures['old_runs']:,} old runs removed in "
                  f"{figures['prune_seconds']} s ({figures['pruned_per_second']}/s)")  # fmt: skip
    for name in ("", "runs", "p50, ms", "p95, ms", "longest, ms"):
        table.add_column(name)
    for name in ("alone", "beside", "alone_again"):
        row = figures[name]
        table.add_row(
            name.replace("_", " "), *(str(row[key]) for key in ("runs", "p50_ms", "p95_ms", "max_ms"))
        )
    console.print(table)


if __name__ == "__main__":
    typer.run(retention)
