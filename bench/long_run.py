"""`python -m bench.long_run`: what an operator asks of a run with very many events: show, state, check, compare."""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bench.machine import describe_machine
from bench.measuring import measure
from bench.services import started_services
from contracts.checker import ContractChecker
from eventstore.migrate import migrate
from flexrun.api import API
from runs import commands as c
from tests.support.by_hand import ByHand
from tests.support.gateways import RunningGateway, running_gateway
from tests.support.given import node
from tests.support.no_spare import NO_SPARE

_TIMES = 5


def long_run(
    events: Annotated[int, typer.Option(min=100, help="how many events the run has")] = 5_000,
    as_json: Annotated[bool, typer.Option("--json", help="JSON in place of a table")] = False,
) -> None:
    """Measure answers about one run: half of its events are those of nodes, the others are lines for people."""
    measure("long-run", lambda folder: _measure(events, folder), _print, as_json=as_json)


async def _measure(events: int, folder: Path) -> dict[str, Any]:
    async with started_services(folder, rabbit=False) as services:
        with services.database() as url:
            await migrate(url)
            async with ContractChecker(NO_SPARE) as contracts, running_gateway(url, contracts) as gateway:
                run_id = await _stored(gateway, events)
                rows = [
                    await _times(gateway, name, f"{API}/runs/{run_id}{path}")
                    for name, path in (
                        ("show", ""),
                        ("state after the last event", "/state"),
                        ("state after an event in the middle", f"/state?atSeq={events // 2}"),
                        ("check", "/verification"),
                        ("compare with itself", f"/diff?other={run_id}"),
                    )
                ]
    return {"machine": describe_machine(), "events": events, "answers": rows}


async def _stored(gateway: RunningGateway, events: int) -> str:
    """A run with so many events, of which the last node is under way."""
    run = ByHand(gateway.handler, await gateway.start_run())
    nodes = events // 4
    await run.planned(*(node(f"n{number}") for number in range(nodes)))
    now = datetime.now(UTC)
    for first in range(0, nodes, 100):
        commands: list[c.Command] = []
        for number in range(first, min(first + 100, nodes)):
            at = {"now": now, "node_id": f"n{number}", "attempt": 1}
            commands.append(c.StartNode(**at))
            if number < nodes - 1:
                commands.append(c.CompleteNode(**at, output={"text": "x" * 200}, duration_ms=1))
        await gateway.handler.execute(run.run_id, *commands)
    head = (await gateway.store.heads([run.run_id]))[run.run_id]
    lines = [c.RecordLog(now=now, message=f"line {number}") for number in range(events - head)]
    for first in range(0, len(lines), 200):
        await gateway.handler.execute(run.run_id, *lines[first : first + 200])
    return run.run_id


async def _times(gateway: RunningGateway, name: str, path: str) -> dict[str, Any]:
    """The first answer comes from a gateway that has not looked at the run before."""
    took: list[float] = []
    size = 0
    for _ in range(_TIMES):
        began = time.perf_counter()
        async with gateway.http.get(gateway.url + path) as answer:
            body = await answer.read()
            answer.raise_for_status()
        took.append((time.perf_counter() - began) * 1000)
        size = len(body)
    return {
        "answer": name,
        "first_ms": round(took[0], 1),
        "median_ms": round(statistics.median(took), 1),
        "kilobytes": round(size / 1000),
    }


def _print(console: Console, figures: dict[str, Any]) -> None:
    table = Table("answer", "first, ms", "median, ms", "kB", box=None)
    for each in figures["answers"]:
        table.add_row(*map(str, each.values()))
    console.print(f"a run of {figures['events']:,} events")
    console.print(table)


if __name__ == "__main__":
    typer.run(long_run)
