"""`python -m bench.stored_size`: how many bytes very many finished runs take, by table and by index.

Fifty runs are made by the engine, the others are copies of them, with events, nodes, hashes and indexes as the engine
stores them. Numbers are of a database that was vacuumed.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import typer
from rich.console import Console
from rich.table import Table

from bench.engines import running_engine
from bench.envelopes import three_nodes
from bench.machine import describe_machine
from bench.measuring import engine_kind, measure
from bench.services import started_services
from bench.stored_runs import store_runs
from eventstore.sizes import sizes
from eventstore.store import EventStore
from flexrun.client import API

_errors = Console(stderr=True)
_TEMPLATES = 50


def stored_size(
    runs: Annotated[int, typer.Option(min=1_000, help="how many runs are stored")] = 1_000_000,
    as_json: Annotated[bool, typer.Option("--json", help="JSON in place of a table")] = False,
) -> None:
    """Store runs of three nodes, and ask the database for the bytes of each table and index."""
    measure("stored-size", lambda folder: _measure(runs, folder), _print, as_json=as_json)


async def _measure(runs: int, folder: Path) -> dict[str, Any]:
    async with (
        started_services(folder, rabbit=False) as services,
        running_engine(engine_kind("postgres"), services) as engine,
    ):
        async with aiohttp.ClientSession() as http:
            for _ in range(_TEMPLATES):
                async with http.post(f"{engine.url}{API}/run.stream", data=three_nodes()) as answer:
                    await answer.read()
        _errors.print(f"storing {runs:,} runs …", highlight=False)
        began = time.perf_counter()
        await store_runs(engine.database_url, runs)
        took = time.perf_counter() - began
        store = await EventStore.open(engine.database_url)
        try:
            found = await sizes(store)
        finally:
            await store.close()
    return {
        "machine": describe_machine(),
        "runs": runs + _TEMPLATES,
        "store_seconds": round(took, 1),
        "tables": [asdict(each) for each in found.tables if each.rows_about >= runs],
        "indexes": [asdict(each) for each in found.indexes if each.bytes >= runs],
        "events": [asdict(each) for each in found.events],
    }


def _print(console: Console, figures: dict[str, Any]) -> None:
    runs = figures["runs"]
    table = Table(
        "of a run", "rows", "bytes", title=f"{runs:,} runs, stored in {figures['store_seconds']} s", box=None
    )
    for each in figures["tables"]:
        heap = each["table_bytes"] + each["large_value_bytes"]
        table.add_row(each["name"], str(round(each["rows_about"] / runs, 1)), f"{heap / runs:,.0f}")
    for each in figures["indexes"]:
        table.add_row(f"  {each['name']}", "", f"{each['bytes'] / runs:,.0f}")
    total = sum(each["total_bytes"] for each in figures["tables"])
    table.add_row("in all", "", f"{total / runs:,.0f}")
    table.add_row("a million runs, GB", "", f"{total / runs / 1000:,.1f}")
    console.print(table)


if __name__ == "__main__":
    typer.run(stored_size)
