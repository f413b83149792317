"""`python -m bench.two_tenants`: how much a tenant that floods costs a quiet one, on both brokers.

The quiet tenant has a few runs at a time, one after the other, alone and then beside a tenant that has fifty times as
many. Each run has one node, which holds a slot of the executor and hardly any CPU, so that what is measured is the
wait for a turn. Both tenants keep their number of runs in the air for the same time.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import aiohttp
import orjson
import typer
import uvloop
from rich.console import Console
from rich.table import Table

from bench.client.report import percentiles_ms
from bench.engines import KINDS, EngineKind, running_engine
from bench.machine import Neighbours, describe_machine
from bench.services import Services, started_services
from flexrun.logs import configure_logs

TIMES = 50
"""How many times the load of the quiet tenant the other one has."""

SLOTS = 16
AT_MOST = 1.2
"""What the aim is: p95 and throughput within a fifth of alone."""

_WARM_UP_RUNS = 20
_ENVELOPE = {
    "objective": "Wait",
    "inputs": {"facets": {"word": "hello"}},
    "outputContract": {"mode": "facets", "facets": ["waited"]},
}


@dataclass(slots=True)
class Load:
    """What one tenant did: the seconds of each run that was completed, and why others were not."""

    seconds: list[float] = field(default_factory=list[float])
    failures: int = 0

    def figures(self, measured_seconds: float) -> dict[str, Any]:
        return {
            **percentiles_ms(self.seconds),
            "runs_per_second": round(len(self.seconds) / measured_seconds, 2),
            "failures": self.failures,
        }


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant with a token, and how many runs it has in the air."""

    name: str
    token: str
    runs_at_a_time: int

    async def run(self, http: aiohttp.ClientSession, url: str, load: Load, until: float) -> None:
        """One run after the other until the time is over; what ends later does not count."""
        headers = {"Authorization": f"Bearer {self.token}"}
        while perf_counter() < until:
            began = perf_counter()
            async with http.post(f"{url}/api/v1/flex/run.stream", json=_ENVELOPE, headers=headers) as answer:
                frames = await answer.read()
            if perf_counter() >= until:
                return
            if answer.status == 200 and b'"status":"completed"' in frames:
                load.seconds.append(perf_counter() - began)
            else:
                load.failures += 1


def two_tenants(
    seconds: Annotated[float, typer.Option("--seconds", help="how long each part takes")] = 30.0,
    quiet_runs: Annotated[int, typer.Option("--quiet-runs", help="runs of the quiet tenant at a time")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="JSON in place of a table")] = False,
) -> None:
    """Measure a quiet tenant alone and beside one that floods, on the Postgres broker and on RabbitMQ."""
    configure_logs("warning")
    machine, neighbours = describe_machine(), Neighbours()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rows = runner.run(_measure(seconds, quiet_runs))
    machine["others_cpu_percent"] = neighbours.percent()
    command = " ".join(["python -m bench.two_tenants", *sys.argv[1:]])
    document = {"machine": machine, "command": command, "results": rows}
    if as_json:
        sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        _print(rows)
    raise typer.Exit(0 if all(row["within_a_fifth"] for row in rows) else 1)


async def _measure(seconds: float, quiet_runs: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="flexrun-bench-", ignore_cleanup_errors=True) as folder:
        await asyncio.to_thread(Path(folder).chmod, 0o755)  # as root, the servers run as another account
        async with started_services(Path(folder), rabbit=True) as services:
            brokers = {"postgres"} | ({"rabbitmq"} if services.amqp_url is not None else set[str]())
            kinds = [kind for kind in KINDS if kind.commands == ("up",) and kind.broker in brokers]
            return [await _on(kind, services, seconds, quiet_runs) for kind in kinds]


async def _on(kind: EngineKind, services: Services, seconds: float, quiet_runs: int) -> dict[str, Any]:
    quiet = Tenant("quiet", secrets.token_hex(16), quiet_runs)
    flood = Tenant("flood", secrets.token_hex(16), TIMES * quiet_runs)
    environment = {
        "FLEXRUN_TOKENS": ";".join(f"{each.token}={each.name}:tenant:{each.name}" for each in (quiet, flood)),
        "FLEXRUN_LOAD": str(Path(__file__).with_name("slow_capability.py")),
        "FLEXRUN_EXECUTOR_SLOTS": str(SLOTS),
    }
    async with running_engine(kind, services, environment=environment) as engine:
        await _load(engine.url, [Tenant("quiet", quiet.token, _WARM_UP_RUNS)], 3.0)
        (alone,) = await _load(engine.url, [quiet], seconds)
        beside, flooded = await _load(engine.url, [quiet, flood], seconds)
        engine.require_alive()
    found = {
        "alone": alone.figures(seconds),
        "beside": beside.figures(seconds),
        "flood": flooded.figures(seconds),
    }
    slower = found["beside"]["p95"] / found["alone"]["p95"]
    fewer = found["alone"]["runs_per_second"] / found["beside"]["runs_per_second"]
    return {
        "engine": kind.name,
        **found,
        "p95_times": round(slower, 3),
        "throughput_times": round(1 / fewer, 3),
        "within_a_fifth": slower <= AT_MOST and fewer <= AT_MOST and not beside.failures,
    }


async def _load(url: str, tenants: Sequence[Tenant], seconds: float) -> list[Load]:
    """What each tenant did in the same time."""
    loads = [Load() for _ in tenants]
    until = perf_counter() + seconds
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
        asyncio.TaskGroup() as group,
    ):
        for tenant, load in zip(tenants, loads, strict=True):
            for _ in range(tenant.runs_at_a_time):
                group.create_task(tenant.run(http, url, load, until))
    return loads


def _print(rows: Sequence[dict[str, Any]]) -> None:
    table = Table(
        title=f"A quiet tenant, alone and beside one with {TIMES} times its load", title_justify="left"
    )
    for column in ("engine", "alone p50 ms", "p95", "runs/s", "beside p50 ms", "p95", "runs/s", "flood runs/s",
                   "p95 times", "runs/s times", "within a fifth"):  # fmt: skip
        table.add_column(column, justify="right")
    for row in rows:
        alone, beside = row["alone"], row["beside"]
        table.add_row(
            row["engine"],
            *(str(each[name]) for each in (alone, beside) for name in ("p50", "p95", "runs_per_second")),
            str(row["flood"]["runs_per_second"]),
            str(row["p95_times"]),
            str(row["throughput_times"]),
            "yes" if row["within_a_fifth"] else "no",
        )
    Console(width=None if sys.stdout.isatty() else 160).print(table)


if __name__ == "__main__":
    typer.run(two_tenants)
