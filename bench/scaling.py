"""`python -m bench.scaling`: 400 nodes of one second each, with 2 and with 4 processes of 50 slots, on both brokers.

With 100 slots they take 4 s at least, with 200 slots 2 s; what is beyond that is flexrun's. They are one wide fan-out
in one run, or spread over forty runs, done by executors or by remote workers (the SDK for Python) at one gateway.
A run with as many short nodes as there are slots is done first: processes that have just started still load.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from bench.machine import Neighbours, describe_machine
from bench.measuring import measure
from bench.second import PYTHON, WORKER
from bench.services import Services, started_services
from flexrun.embedded.launch import GuardedServer
from schemas.capability import worker_queue
from tests.support.given import node
from tests.support.processes import ROOT, Setting, Site
from tests.support.waiting import eventually
from tests.support.wired_engine import BrokerAddress, Wiring
from tests.support.wiring import StoreWiring

_errors = Console(stderr=True)
BROKERS = ("postgres", "rabbitmq")
HOMES = ("executors", "workers")
SHAPES = {"one run": 1, "forty runs": 40}
_PATIENCE_SECONDS = 120.0
_WARM_UP_SECONDS = 0.2
_COMPLETED = "select count(*) from flex_plan_nodes where status = 'completed' and run_id = any(%s::uuid[])"
_FAILED = "select error from flex_runs where error is not null"
_COMMITS = "select count(distinct xid) from flex_events where run_id = any(%s::uuid[])"
_READY = "select count(distinct worker) from flex_capability_workers where capability_id = %s"


@dataclass(frozen=True, slots=True)
class Case:
    """What is measured: who does the nodes, and in how many runs they are."""

    broker: str
    home: str
    processes: int
    shape: str
    slots: int
    nodes: int
    seconds: float

    @property
    def ideal_seconds(self) -> float:
        """What the nodes take where nothing but the slots counts."""
        rounds = -(-self.nodes // (self.processes * self.slots))
        return rounds * self.seconds


def scaling(
    nodes: Annotated[int, typer.Option(min=1, help="how many nodes")] = 400,
    seconds: Annotated[float, typer.Option(min=0, help="how long each takes")] = 1.0,
    slots: Annotated[int, typer.Option(min=1, help="of each process")] = 50,
    only: Annotated[
        list[str] | None, typer.Option(help="a broker, a home or a shape; again for more")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON in place of a table")] = False,
) -> None:
    """Measure how long many nodes take with 2 and with 4 processes."""
    chosen = set(only or ())
    if unknown := chosen - {*BROKERS, *HOMES, *SHAPES}:
        raise typer.BadParameter(f"{', '.join(unknown)}: none of {', '.join((*BROKERS, *HOMES, *SHAPES))}")
    axes = [[each for each in axis if each in chosen] or list(axis) for axis in (BROKERS, HOMES, SHAPES)]
    cases = [
        Case(broker, home, processes, shape, slots, nodes, seconds)
        for broker, home, shape in product(*axes)
        for processes in (2, 4)
    ]
    measure("scaling", lambda folder: _measure(cases, folder), _print, as_json=as_json)


async def _measure(cases: list[Case], folder: Path) -> dict[str, Any]:
    machine, rows = describe_machine(), list[dict[str, Any]]()
    async with started_services(folder, rabbit=any(case.broker == "rabbitmq" for case in cases)) as services:
        for number, case in enumerate(cases):
            if case.broker == "rabbitmq" and services.amqp_url is None:
                continue
            _errors.print(f"{case.broker}: {case.processes} {case.home}, {case.shape}", highlight=False)
            neighbours = Neighbours()
            row = await _measure_case(case, services, folder / str(number))
            rows.append({**row, "others_cpu_percent": neighbours.percent()})
            _errors.print(f"  {row['seconds']} s, {row['commits']} commits", highlight=False)
    return {"machine": machine, "cases": rows}


async def _measure_case(case: Case, services: Services, folder: Path) -> dict[str, Any]:
    with services.database() as database_url:
        broker_url = "postgres" if case.broker == "postgres" else services.amqp_url or ""
        extra = {"EXECUTOR_SLOTS": str(case.slots), "LOAD": "bench.second"}
        setting = Setting(database_url, broker_url, lease_seconds=15, extra=extra)
        site = Site(setting, folder)
        site.add_all(gateway=1, executor=case.processes if case.home == "executors" else 1)
        address = BrokerAddress(broker_url, setting.namespace)
        async with (
            site,
            remote_workers(case, site.urls[0], folder),
            StoreWiring(database_url, broker_address=address, wiring=Wiring(keeper=None)) as client,
            await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection,
        ):
            await all_serve(case, connection)
            return await _time(case, client, connection)


@asynccontextmanager
async def remote_workers(case: Case, url: str, folder: Path) -> AsyncIterator[None]:
    """Remote workers, where the case has some."""
    count = case.processes if case.home == "workers" else 0
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}/sdk/python:{ROOT}", "BENCH_WORKER": "1"}
    command = [sys.executable, "-m", "flexrun_sdk", "bench.second", "--url", url, "--slots", str(case.slots)]
    servers = [
        GuardedServer.launch(command, log_path=folder / f"worker-{index}.log", environment=environment)
        for index in range(count)
    ]
    try:
        yield
    finally:
        for server in servers:
            server.request_stop()
        for server in servers:
            await server.ended()


async def all_serve(case: Case, connection: psycopg.AsyncConnection[Any]) -> None:
    """Return when the executors or workers of the case are in the registry."""
    capability = WORKER if case.home == "workers" else PYTHON

    async def ready() -> bool:
        return await _number(connection, _READY, [capability]) >= case.processes

    await eventually(ready, 60)


async def _time(case: Case, client: StoreWiring, connection: psycopg.AsyncConnection[Any]) -> dict[str, Any]:
    await _do(case, client, connection, [case.processes * case.slots], min(_WARM_UP_SECONDS, case.seconds))
    runs = min(SHAPES[case.shape], case.nodes)
    each = [case.nodes // runs + (index < case.nodes % runs) for index in range(runs)]
    ids = await _do(case, client, connection, each, case.seconds)
    events = [event for run_id in ids for event in await client.store.read(run_id)]
    planned = min(event.recorded_at for event in events if event.type == "plan_generated")
    completed = [event for event in events if event.type == "node_complete"]
    seconds = (max(event.recorded_at for event in completed) - planned).total_seconds()
    outputs = [event.payload["output"] for event in completed]
    begun = sorted(output["began"] - planned.timestamp() for output in outputs)
    return {
        "broker": case.broker,
        "home": case.home,
        "processes": case.processes,
        "shape": case.shape,
        "seconds": round(seconds, 2),
        "ideal_seconds": case.ideal_seconds,
        "first_round_began_seconds": round(begun[min(case.processes * case.slots, case.nodes) - 1], 2),
        "nodes_by_process": sorted(Counter(output["process"] for output in outputs).values()),
        "attempts_beyond_the_first": len([e for e in events if e.type == "node_start"]) - case.nodes,
        "commits": await _number(connection, _COMMITS, [ids]),
    }


async def _do(
    case: Case,
    client: StoreWiring,
    connection: psycopg.AsyncConnection[Any],
    nodes_each: list[int],
    seconds: float,
) -> list[str]:
    """Runs with so many nodes each, when all nodes are done; their ids."""
    capability = WORKER if case.home == "workers" else PYTHON
    queue = worker_queue(capability) if case.home == "workers" else "default"
    plans = [
        [node(f"n{index}", capabilityId=capability, queue=queue) for index in range(count)]
        for count in nodes_each
    ]
    inputs = {"seconds": seconds}
    ids = await asyncio.gather(*(client.submit(*plan, inputs=inputs) for plan in plans))

    async def done() -> bool:
        cursor = await connection.execute(_FAILED)
        if (failed := await cursor.fetchone()) is not None:
            raise RuntimeError(f"a run has failed: {failed[0]}")
        return await _number(connection, _COMPLETED, [ids]) == sum(nodes_each)

    await eventually(done, _PATIENCE_SECONDS)
    return ids


async def _number(
    connection: psycopg.AsyncConnection[Any], statement: str, parameters: list[Any] | None = None
) -> int:
    cursor = await connection.execute(statement.encode(), parameters)
    row = await cursor.fetchone()
    return row[0] if row else 0


def _print(console: Console, figures: dict[str, Any]) -> None:
    machine = figures["machine"]
    title = (
        f"{machine['cpus']} x {machine['cpu_model']}, commit {machine['commit'] or '?'}, "
        f"load before {machine['load_before']}"
    )
    table = Table(title=title, title_justify="left")
    columns = {
        "broker": "broker",
        "home": "home",
        "processes": "processes",
        "shape": "shape",
        "ideal_seconds": "slots alone, s",
        "seconds": "took, s",
        "first_round_began_seconds": "all slots busy after, s",
        "nodes_by_process": "nodes by process",
        "commits": "commits",
        "others_cpu_percent": "others %",
    }
    for name in columns.values():
        table.add_column(name)
    for row in figures["cases"]:
        table.add_row(*(str(row[key]) for key in columns))
    console.print(table)


if __name__ == "__main__":
    typer.run(scaling)
