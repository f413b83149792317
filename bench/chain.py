"""`python -m bench.chain`: what the hash chain costs, in CPU per run and in runs/s, with and without it in turns.

There is no setting that leaves the chain out: the engine without it is patched as it starts (`bench/without_chain`).
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from bench.engines import ROOT, running_engine
from bench.machine import Neighbours, describe_machine
from bench.measures import measure_load
from bench.measuring import engine_kind, measure
from bench.services import Services, started_services
from bench.sizes import Sizes

_WITHOUT = {"PYTHONPATH": f"{ROOT / 'bench' / 'without_chain'}:{ROOT}", "BENCH_WITHOUT_CHAIN": "1"}
_CONCURRENCY = 16


def chain(
    turns: Annotated[int, typer.Option(min=1, help="how often each of the two is measured")] = 5,
    seconds: Annotated[float, typer.Option(min=1.0, help="how long each time")] = 6.0,
    as_json: Annotated[bool, typer.Option("--json", help="JSON in place of a table")] = False,
) -> None:
    """Measure runs with and without the hash chain, in turns."""
    measure("chain", lambda folder: _measure(turns, seconds, folder), _print, as_json=as_json)


async def _measure(turns: int, seconds: float, folder: Path) -> dict[str, Any]:
    sizes = Sizes(load_seconds=seconds)
    neighbours = Neighbours()
    pairs: list[dict[str, dict[str, float]]] = []
    async with started_services(folder, rabbit=False) as services:
        for turn in range(turns):
            # What comes second finds a warmer machine: the two change places.
            order = ("with", "without") if turn % 2 == 0 else ("without", "with")
            pairs.append({which: await _one(which, services, sizes) for which in order})
    return {
        "machine": describe_machine(),
        "turns": pairs,
        "cpu_percent": _percent(pairs, "cpu_ms"),
        "runs_per_second_percent": _percent(pairs, "runs_per_second"),
        "others_cpu_percent": neighbours.percent(),
    }


async def _one(which: str, services: Services, sizes: Sizes) -> dict[str, float]:
    environment = _WITHOUT if which == "without" else {}
    async with running_engine(engine_kind("postgres"), services, environment=environment) as engine:
        figures = await measure_load(engine, sizes, _CONCURRENCY)
        await _check(engine.database_url, chained=which == "with")
    return {
        "runs_per_second": figures["runs_per_second"],
        "cpu_ms": figures["cpu_ms_per_run"]["engine"],
        "flexrun_cpu_ms": figures["cpu_ms_per_run"]["flexrun"],
    }


async def _check(database_url: str, *, chained: bool) -> None:
    """Whether the engine hashed what it stored, or did not, as was asked. Raises RuntimeError."""
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        row = await (await connection.execute("select count(distinct hash) from flex_events")).fetchone()
    if row is None or (row[0] > 1) != chained:
        raise RuntimeError(f"the engine stored {row} different hashes")


def _percent(pairs: list[dict[str, dict[str, float]]], figure: str) -> float:
    """By how much the chain changes a figure, pair by pair: the median."""
    changes = [(pair["with"][figure] / pair["without"][figure] - 1) * 100 for pair in pairs]
    return round(statistics.median(changes), 1)


def _print(console: Console, figures: dict[str, Any]) -> None:
    table = Table("turn", "chain", "runs/s", "CPU per run, ms", "of it flexrun, ms", box=None)
    for number, pair in enumerate(figures["turns"], start=1):
        for which in ("with", "without"):
            row = pair[which]
            table.add_row(
                str(number),
                which,
                *(str(row[key]) for key in ("runs_per_second", "cpu_ms", "flexrun_cpu_ms")),
            )
    console.print(table)
    console.print(
        f"the chain: {figures['cpu_percent']:+} % CPU per run,"
        f" {figures['runs_per_second_percent']:+} % runs/s (medians of pairs);"
        f" others used {figures['others_cpu_percent']} % of the machine"
    )


if __name__ == "__main__":
    typer.run(chain)
