"""`python -m bench.listing`: each filter of the list of runs over a million stored runs, first page and last."""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bench.machine import describe_machine
from bench.many_runs import fill
from bench.measuring import measure
from bench.services import started_services
from eventstore.migrate import migrate
from eventstore.queries.run_list import RunCursor, RunFilters, list_runs
from eventstore.store import EventStore

_errors = Console(stderr=True)
_TIMES = 5
_DAY = timedelta(days=1)


def listing(
    runs: Annotated[int, typer.Option(min=1_000, help="how many runs are stored")] = 1_000_000,
    as_json: Annotated[bool, typer.Option("--json", help="JSON in place of a table")] = False,
) -> None:
    """Measure one page of 50 runs by each filter, and the worst that a page can be."""
    measure("listing", lambda folder: _measure(runs, folder), _print, as_json=as_json)


def filters(now: datetime) -> dict[str, RunFilters]:
    """Each filter alone, and some together, of which one is looked for in a whole window."""
    return {
        "none": RunFilters(),
        "status completed": RunFilters(statuses=["completed"]),
        "status aborted": RunFilters(statuses=["aborted"]),
        "status of three": RunFilters(statuses=["failed", "aborted", "running"]),
        "thread": RunFilters(thread_id="thread 7777"),
        "client": RunFilters(client_id="client-7"),
        "client, not known": RunFilters(client_id="nobody"),
        "label": RunFilters(run_label="label-4711"),
        "submitted by": RunFilters(submitted_by="person-9"),
        "error code": RunFilters(error_code="code-3"),
        "capability": RunFilters(capability_id="capability.7"),
        "older than 5 days": RunFilters(created_before=now - 5 * _DAY),
        "newer than 1 day": RunFilters(created_after=now - _DAY),
        "objective": RunFilters(objective="saturn"),
        "objective, in none": RunFilters(objective="neptune"),
        "objective of a client": RunFilters(objective="neptune", client_id="client-7"),
        "objective of a capability": RunFilters(objective="neptune", capability_id="capability.7"),
        "client and error, in none": RunFilters(client_id="client-7", error_code="code-4"),
        "waiting for a person": RunFilters(waiting_for="person"),
        "waiting for a task": RunFilters(waiting_for="task"),
        "waiting for a timer": RunFilters(waiting_for="timer"),
        "waiting for a worker": RunFilters(waiting_for="worker"),
        "waiting for a lease": RunFilters(waiting_for="lease"),
        "waiting for a limit": RunFilters(waiting_for="limit"),
        "paused": RunFilters(waiting_for="paused"),
    }


async def _measure(runs: int, folder: Path) -> dict[str, Any]:
    machine = describe_machine()
    async with started_services(folder, rabbit=False) as services:
        with services.database() as url:
            await migrate(url)
            _errors.print(f"storing {runs:,} runs …", highlight=False)
            began = time.perf_counter()
            await fill(url, runs)
            filled = time.perf_counter() - began
            store = await EventStore.open(url)
            try:
                now = datetime.now(UTC)
                old = RunCursor(now - timedelta(seconds=runs * 0.9), "ffffffff-ffff-ffff-ffff-ffffffffffff")
                rows = [
                    {
                        "filter": name,
                        **await _times(store, asked, None, "first"),
                        **await _times(store, asked, old, "late"),
                    }
                    for name, asked in filters(now).items()
                ]
            finally:
                await store.close()
    return {"machine": machine, "runs": runs, "fill_seconds": round(filled, 1), "filters": rows}


async def _times(store: EventStore, asked: RunFilters, after: RunCursor | None, which: str) -> dict[str, Any]:
    took: list[float] = []
    found = 0
    for _ in range(_TIMES):
        began = time.perf_counter()
        page = await list_runs(store, asked, after=after)
        took.append((time.perf_counter() - began) * 1000)
        found = len(page.runs)
    return {
        f"{which}_found": found,
        f"{which}_median_ms": round(statistics.median(took), 1),
        f"{which}_max_ms": round(max(took), 1),
    }


def _print(console: Console, figures: dict[str, Any]) -> None:
    table = Table("filter", "runs", "first page, ms", "longest", "runs", "late page, ms", "longest", box=None)
    for each in figures["filters"]:
        table.add_row(*map(str, each.values()))
    console.print(f"{figures['runs']:,} runs, stored in {figures['fill_seconds']} s")
    console.print(table)


if __name__ == "__main__":
    typer.run(listing)
