"""`python -m bench.large_values`: what runs with large outputs take: bytes, write-ahead log, CPU, reading them again.

Each run's nodes pass one large text on, and the last of them is delivered. There is no engine beside the store, which
is what is measured: rules, projection, encoding, the append.
"""

from __future__ import annotations

import random
import string
import time
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from bench.cpu import read_cpu
from bench.machine import describe_machine
from bench.measuring import measure
from bench.services import started_services
from eventstore.handler import RunHandler
from eventstore.migrate import migrate
from eventstore.store import EventStore
from tests.support.given import node
from tests.support.started_runs import started_run

_TABLES = (
    "select relname, pg_total_relation_size(oid) from pg_class where relname = any (%s) order by relname"
)
_MEASURED = ["flex_events", "flex_plan_nodes", "flex_runs", "flex_values", "hitl_requests"]


def large_values(
    runs: Annotated[int, typer.Option(min=1, help="how many runs")] = 20,
    nodes: Annotated[int, typer.Option(min=1, help="how many nodes each has")] = 5,
    kilobytes: Annotated[int, typer.Option(min=1, help="the size of the output of each node")] = 2_000,
    as_json: Annotated[bool, typer.Option("--json", help="JSON in place of a table")] = False,
) -> None:
    """Measure runs whose nodes pass a large text on."""
    measure("large-values", lambda folder: _measure(runs, nodes, kilobytes, folder), _print, as_json=as_json)


async def _measure(runs: int, nodes: int, kilobytes: int, folder: Path) -> dict[str, Any]:
    async with started_services(folder, rabbit=False) as services:
        with services.database() as url:
            await migrate(url)
            store = await EventStore.open(url)
            try:
                async with await psycopg.AsyncConnection.connect(url, autocommit=True) as asking:
                    return {
                        "machine": describe_machine(),
                        "runs": runs,
                        "nodes": nodes,
                        "kilobytes": kilobytes,
                        **await _figures(store, asking, runs, nodes, kilobytes),
                    }
            finally:
                await store.close()


async def _figures(
    store: EventStore, asking: psycopg.AsyncConnection[Any], runs: int, nodes: int, kilobytes: int
) -> dict[str, Any]:
    await _run(store, nodes, 1)  # the first one prepares statements
    log, tables, began = await _log(asking), await _tables(asking), _cpu()
    run_ids = [await _run(store, nodes, kilobytes) for _ in range(runs)]
    wrote = _cpu()
    written, grown = await _log(asking) - log, await _tables(asking)
    before_reading = _cpu()
    for run_id in run_ids:
        await store.read(run_id)
    read = _cpu()
    return {
        "stored_kilobytes_per_run": {
            name: round((grown[name] - tables[name]) / 1000 / runs, 1) for name in grown
        },
        "log_kilobytes_per_run": round(written / 1000 / runs, 1),
        "write_cpu_ms": _per_run(began, wrote, runs),
        "read_cpu_ms": _per_run(before_reading, read, runs),
    }


async def _run(store: EventStore, nodes: int, kilobytes: int) -> str:
    words = ["".join(random.choices(string.ascii_lowercase, k=7)) for _ in range(3_000)]
    text = " ".join(random.choices(words, k=kilobytes * 125))
    run = await started_run(RunHandler(store))
    await run.planned(*(node(f"n{number}") for number in range(nodes)))
    for number in range(nodes):
        await run.work(f"n{number}", {"text": text, "by": number})
    await run.deliver({"text": text})
    return run.run_id


async def _log(asking: psycopg.AsyncConnection[Any]) -> int:
    row = await (await asking.execute("select pg_current_wal_lsn() - '0/0'")).fetchone()
    return int(row[0]) if row else 0


async def _tables(asking: psycopg.AsyncConnection[Any]) -> dict[str, int]:
    return dict(await (await asking.execute(_TABLES, (_MEASURED,))).fetchall())


def _cpu() -> tuple[float, float]:
    """CPU seconds of this process, and of Postgres."""
    return time.process_time(), read_cpu([]).postgres


def _per_run(before: tuple[float, float], after: tuple[float, float], runs: int) -> dict[str, float]:
    ours, theirs = ((late - early) * 1000 / runs for early, late in zip(before, after, strict=True))
    return {"python": round(ours, 1), "postgres": round(theirs, 1)}


def _print(console: Console, figures: dict[str, Any]) -> None:
    title = f"{figures['runs']} runs, {figures['nodes']} nodes, outputs of {figures['kilobytes']} KB"
    table = Table("of a run", "", title=title, box=None)
    for name, size in figures["stored_kilobytes_per_run"].items():
        table.add_row(f"{name}, KB", str(size))
    table.add_row("write-ahead log, KB", str(figures["log_kilobytes_per_run"]))
    for name in ("write_cpu_ms", "read_cpu_ms"):
        for part, spent in figures[name].items():
            table.add_row(f"{name.split('_')[0]}: CPU of {part}, ms", str(spent))
    console.print(table)


if __name__ == "__main__":
    typer.run(large_values)
