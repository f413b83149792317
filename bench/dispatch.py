"""`python -m bench.dispatch`: what a node costs beside its work: in executors, by remote workers, by
services, by models and by MCP tools.

Runs of nodes that follow each other, whose functions note when they begin and end. `start` is from the time of
`node_start` until the function begins, `end` from its end until the time of `node_complete`, and `between` from its end
until the next node's function begins: with a commit of the result and the start of the next node in it.
"""

from __future__ import annotations

import shlex
import statistics
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from bench.far_ends import HTTP, MCP, MODEL, TOOL, far_end
from bench.machine import Neighbours, describe_machine
from bench.measuring import measure
from bench.scaling import Case, all_serve, remote_workers
from bench.second import PYTHON, WORKER
from bench.services import Services, started_services
from runs.event import Event
from schemas.capability import worker_queue
from tests.support.given import node
from tests.support.processes import Setting, Site
from tests.support.wired_engine import BrokerAddress, Wiring
from tests.support.wiring import StoreWiring

_errors = Console(stderr=True)
BROKERS = ("postgres", "rabbitmq")
HOMES = {"python": PYTHON, "worker": WORKER, "http": HTTP, "model": MODEL, "mcp": MCP}
_OUTPUT = {"type": "object", "properties": {"began": {"type": "number"}, "ended": {"type": "number"}}}
"""What a node of a model gives: an endpoint is asked for this."""

_PATIENCE_SECONDS = 120.0

Times = dict[str, list[float]]
"""Milliseconds, by what they are of."""


def dispatch(
    runs: Annotated[int, typer.Option(min=1, help="how many runs are counted, after a first one")] = 10,
    nodes: Annotated[int, typer.Option(min=2, help="how many nodes each has, one after the other")] = 20,
    only: Annotated[list[str] | None, typer.Option(help="a broker or a home; again for more")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON in place of a table")] = False,
) -> None:
    """Measure what the engine adds to each node."""
    chosen = set(only or ())
    if unknown := chosen - {*BROKERS, *HOMES}:
        raise typer.BadParameter(f"{', '.join(unknown)}: none of {', '.join((*BROKERS, *HOMES))}")
    brokers = [each for each in BROKERS if each in chosen] or list(BROKERS)
    homes = [each for each in HOMES if each in chosen] or list(HOMES)
    measure(
        "dispatch", lambda folder: _measure(brokers, homes, (runs, nodes), folder), _print, as_json=as_json
    )


async def _measure(
    brokers: list[str], homes: list[str], size: tuple[int, int], folder: Path
) -> dict[str, Any]:
    machine, rows = describe_machine(), list[dict[str, Any]]()
    async with started_services(folder, rabbit="rabbitmq" in brokers) as services:
        for broker in brokers:
            for home in homes:
                if broker == "rabbitmq" and services.amqp_url is None:
                    continue
                _errors.print(f"{broker}: {home}", highlight=False)
                neighbours = Neighbours()
                row = await measure_home(broker, home, size, services, folder / f"{broker}-{home}")
                rows.append({**row, "others_cpu_percent": neighbours.percent()})
    return {"machine": machine, "cases": rows}


async def measure_home(
    broker: str, home: str, size: tuple[int, int], services: Services, folder: Path
) -> dict[str, Any]:
    """Runs of `size[1]` nodes of this home, `size[0]` after a first one: `{start,end,between}_ms`."""
    case = Case(broker, "workers" if home == "worker" else "executors", 1, "one run", 10, 1, 0)
    broker_url = "postgres" if broker == "postgres" else services.amqp_url or ""
    allowed = {"CAPABILITY_ALLOW_PRIVATE": "true", "MCP_COMMANDS": shlex.join(TOOL)}
    extra = {"LOAD": "bench.second", **allowed}
    with services.database() as database_url:
        setting = Setting(database_url, broker_url, lease_seconds=15, extra=extra)
        site = Site(setting, folder)
        site.add_all(gateway=1, executor=1)
        address = BrokerAddress(broker_url, setting.namespace)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(site)
            await stack.enter_async_context(remote_workers(case, site.urls[0], folder))
            await stack.enter_async_context(far_end(HOMES[home], site.urls[0]))
            wired = StoreWiring(database_url, broker_address=address, wiring=Wiring(keeper=None))
            client = await stack.enter_async_context(wired)
            opened = psycopg.AsyncConnection.connect(database_url, autocommit=True)
            await all_serve(case, await stack.enter_async_context(await opened))
            times: Times = {"start": [], "end": [], "between": []}
            for number in range(size[0] + 1):
                events = await _one_run(client, HOMES[home], size[1])
                if number:
                    _add(times, events)
    return {"broker": broker, "home": home, "nodes": len(times["start"]), **_figures(times)}


async def _one_run(client: StoreWiring, capability: str, count: int) -> list[Event]:
    queue = worker_queue(capability) if capability == WORKER else "default"
    described: dict[str, Any] = {"capabilityId": capability, "queue": queue}
    if capability == MODEL:
        described["contract"] = {"output": _OUTPUT}
    nodes = [node(f"n{index}", *([f"n{index - 1}"] if index else []), **described) for index in range(count)]
    run_id = await client.submit(*nodes, inputs={"seconds": 0})
    await client.reached(
        run_id,
        lambda state: all(each.status == "completed" for each in state.nodes.values()),
        _PATIENCE_SECONDS,
    )
    return await client.events(run_id, "node_start", "node_complete")


def _add(times: Times, events: list[Event]) -> None:
    starts = [event.recorded_at.timestamp() for event in events if event.type == "node_start"]
    completes = [event for event in events if event.type == "node_complete"]
    outputs = [event.payload["output"] for event in completes]
    for start, complete, output in zip(starts, completes, outputs, strict=True):
        times["start"].append((output["began"] - start) * 1000)
        times["end"].append((complete.recorded_at.timestamp() - output["ended"]) * 1000)
    times["between"] += [(after["began"] - before["ended"]) * 1000 for before, after in pairwise(outputs)]


def _figures(times: Times) -> dict[str, dict[str, float]]:
    return {
        f"{name}_ms": {
            "p50": round(statistics.median(found), 2),
            "p95": round(statistics.quantiles(found, n=20)[-1], 2),
        }
        for name, found in times.items()
    }


def _print(console: Console, figures: dict[str, Any]) -> None:
    machine = figures["machine"]
    title = f"{machine['cpus']} x {machine['cpu_model']}, load before {machine['load_before']}; ms, p50 / p95"
    table = Table(title=title, title_justify="left")
    for name in ("broker", "home", "nodes", "start", "end", "between", "others %"):
        table.add_column(name)
    for row in figures["cases"]:
        measured = [row[f"{name}_ms"] for name in ("start", "end", "between")]
        shown = [f"{each['p50']} / {each['p95']}" for each in measured]
        table.add_row(row["broker"], row["home"], str(row["nodes"]), *shown, str(row["others_cpu_percent"]))
    console.print(table)


if __name__ == "__main__":
    typer.run(dispatch)
