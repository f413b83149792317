"""append/s: the engine's own code, beside pgbench making the same insert."""

from __future__ import annotations

import asyncio
from typing import Any

from bench.cpu import read_cpu
from bench.load_process import ClientProcess, measured
from bench.pgbench import flex_append_script, insert_script, run_pgbench, start_runs
from bench.services import Services
from bench.sizes import Sizes
from eventstore.migrate import migrate

CLIENTS = (1, 16, 64)


async def measure_append(services: Services, sizes: Sizes, clients: int) -> dict[str, Any]:
    """Appends per second with so many callers at a time, each on a run of its own; None where pgbench is missing."""
    figures: dict[str, Any] = {"clients": clients}
    with services.database() as database_url:
        await migrate(database_url)
        figures["flexrun"], figures["flexrun_cpu_us"] = await _flexrun(database_url, sizes, clients)
    for name, script in (("pgbench_call", flex_append_script()), ("pgbench_insert", insert_script())):
        figures[name] = await _pgbench(services, sizes, clients, script)
    return figures


async def _flexrun(database_url: str, sizes: Sizes, clients: int) -> tuple[float, dict[str, float]]:
    async with ClientProcess(
        "appends", database_url=database_url, concurrency=clients, seconds=sizes.append_seconds
    ) as client:
        result, cpu = await measured(client, lambda: read_cpu(()))
    used = {"flexrun": result["client_cpu_seconds"], "postgres": cpu.postgres}
    per_append = {name: round(seconds * 1e6 / result["appends"], 1) for name, seconds in used.items()}
    return round(result["appends"] / result["seconds"], 1), per_append


async def _pgbench(services: Services, sizes: Sizes, clients: int, script: str) -> float | None:
    if services.pgbench is None:
        return None
    path = services.folder / "append.sql"
    path.write_text(script)
    with services.database() as database_url:
        await migrate(database_url)
        await asyncio.to_thread(start_runs, database_url, clients)
        return round(
            await run_pgbench(
                services.pgbench, database_url, path, clients=clients, seconds=sizes.append_seconds
            ),
            1,
        )
