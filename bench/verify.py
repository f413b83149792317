"""`python -m bench.verify`: how many events a second `flexrun db verify` looks at, and what a hash costs an append.

A run is made by the engine; copies of its log, each with a chain of its own, are stored, and the read models made from
them.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import orjson
import psycopg
import typer
from rich.console import Console
from rich.table import Table
from uuid_utils import uuid7

from bench.engines import running_engine
from bench.envelopes import three_nodes
from bench.machine import Neighbours, describe_machine
from bench.measuring import engine_kind, measure
from bench.services import started_services
from eventstore.chain import chained, event_text, link
from eventstore.rebuild import rebuild
from eventstore.store import EventStore
from flexrun.client import API
from runs.event import Event

_COLUMNS = (
    "run_id, seq, type, payload, recorded_at, correlation_id, node_id, plan_version, message, detail, hash"
)
_VERIFY_SECONDS = 3_600.0
_TIMES = 200


def verify(
    runs: Annotated[int, typer.Option(min=1, help="how many runs are stored")] = 20_000,
    as_json: Annotated[bool, typer.Option("--json", help="JSON in place of a table")] = False,
) -> None:
    """Measure a verify of a whole database."""
    measure("verify", lambda folder: _measure(runs, folder), _print, as_json=as_json)


async def _measure(runs: int, folder: Path) -> dict[str, Any]:
    machine = describe_machine()
    async with (
        started_services(folder, rabbit=False) as services,
        running_engine(engine_kind("postgres"), services) as engine,
    ):
        url, log = engine.database_url, await _one_run(engine.url, engine.database_url)
        await _store_copies(url, log, runs)
        await rebuild(url)
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            await connection.execute("vacuum analyze")
        neighbours = Neighbours()
        began = time.perf_counter()
        report = await _verify(url)
        took = time.perf_counter() - began
        return {
            "machine": machine,
            "runs": report["runs"],
            "events": report["events"],
            "bytes_per_event": round(sum(len(event_text(event)) for event in log) / len(log)),
            "seconds": round(took, 1),
            "events_per_second": round(report["events"] / took),
            "hash_us_per_event": _hash_microseconds(log),
            "others_cpu_percent": neighbours.percent(),
        }


async def _one_run(engine_url: str, database_url: str) -> list[Event]:
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{engine_url}{API}/run.stream", data=three_nodes()) as answer,
    ):
        frame = (await answer.read()).rpartition(b"data: ")[2].partition(b"\n")[0]
    store = await EventStore.open(database_url)
    try:
        return await store.read(orjson.loads(frame)["runId"])
    finally:
        await store.close()


async def _store_copies(url: str, log: list[Event], runs: int) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("set session_replication_role = replica")
        cursor = connection.cursor()
        async with cursor.copy(f"copy flex_events ({_COLUMNS}) from stdin") as copy:
            for _ in range(runs):
                run_id = str(uuid7())
                for event in chained(None, [replace(event, run_id=run_id) for event in log]):
                    await copy.write_row(_row(event))


def _row(event: Event) -> tuple[object, ...]:
    detail = orjson.dumps(event.detail).decode() if event.detail is not None else None
    return (
        event.run_id, event.seq, event.type, orjson.dumps(event.payload).decode(), event.recorded_at,
        event.correlation_id, event.node_id, event.plan_version, event.message, detail,
        bytes.fromhex(event.hash or ""),
    )  # fmt: skip


async def _verify(url: str) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "flexrun", "db", "verify", "--json", "--database", url, stdout=asyncio.subprocess.PIPE
    )  # fmt: skip
    async with asyncio.timeout(_VERIFY_SECONDS):
        out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"flexrun db verify ended with {process.returncode}: {out[:500]!r}")
    return orjson.loads(out)


def _hash_microseconds(log: Sequence[Event]) -> float:
    """CPU time of one event's hash, without its text, which an append needs in any case."""
    texts = [event_text(event) for event in log]
    began = time.process_time()
    for _ in range(_TIMES):
        link(None, texts)
    return round((time.process_time() - began) / _TIMES / len(log) * 1e6, 1)


def _print(console: Console, figures: dict[str, Any]) -> None:
    table = Table(title="flexrun db verify")
    for name in ("events", "bytes per event", "s", "events/s", "hash in an append, µs per event"):
        table.add_column(name)
    keys = ("events", "bytes_per_event", "seconds", "events_per_second", "hash_us_per_event")
    table.add_row(*(str(figures[key]) for key in keys))
    console.print(table)


if __name__ == "__main__":
    typer.run(verify)
