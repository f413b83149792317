"""The plumbing from a measure to a table, on real parts and in small."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench.append_measure import measure_append
from bench.cpu import read_cpu, unshared_bytes
from bench.dispatch import measure_home
from bench.engines import KINDS, MeasuredEngine, running_engine
from bench.load_process import ClientFailed, ClientProcess, measured
from bench.measures import measure_approve, measure_fan_out, measure_idle, measure_load, measure_streams
from bench.report import as_document, print_tables
from bench.services import Services, pgbench_program
from bench.sizes import QUICK
from bench.steps import Done

SMALL = replace(
    QUICK,
    idle_runs=3,
    approvals=3,
    load_warm_up_seconds=0.05,
    load_seconds=0.5,
    subscribers=10,
    fan_out_rounds=2,
    fan_out_events=5,
    idle_streams=20,
    waiting_runs=2,
    append_seconds=0.2,
)
MACHINE: dict[str, Any] = dict.fromkeys(
    ("cpus", "cpu_model", "memory_gib", "system", "python", "postgres", "commit", "at"), "x"
)


@pytest.fixture
def services(postgres_url: str, tmp_path: Path) -> Services:
    return Services(tmp_path, postgres_url, "15", None, pgbench_program())


@pytest.fixture
async def engine(services: Services) -> AsyncIterator[MeasuredEngine]:
    async with running_engine(KINDS[0], services) as engine:
        yield engine


async def test_each_measure_of_an_engine_gives_figures_and_a_row(engine: MeasuredEngine) -> None:
    results = [
        Done(engine.kind.name, "idle", await measure_idle(engine, SMALL)),
        Done(engine.kind.name, "load", await measure_load(engine, SMALL, 2)),
        Done(engine.kind.name, "approve", await measure_approve(engine, SMALL)),
        Done(engine.kind.name, "fan-out", await measure_fan_out(engine, SMALL)),
        Done(engine.kind.name, "streams", await measure_streams(engine, SMALL)),
    ]
    load = results[1].figures
    assert load["runs"] > 0
    assert load["cpu_ms_per_run"]["flexrun"] > 0
    assert load["first_ms"]["p50"] <= load["complete_ms"]["p50"]
    approvals = results[2].figures
    assert approvals["approvals"] == 3
    assert 0 < approvals["next_frame_ms"]["p50"] <= approvals["complete_ms"]["max"]
    assert results[3].figures["frames"] == 50
    text = tables(results)
    assert text.count(" postgres ") >= 5


async def test_appends_are_measured_beside_pgbench(services: Services) -> None:
    figures = await measure_append(services, SMALL, 2)
    assert figures["flexrun"] > 0
    if services.pgbench is not None:
        assert figures["pgbench_call"] > 0
        assert figures["pgbench_insert"] > 0
    assert "append/s" in tables([Done("", "append", figures)])


@pytest.mark.parametrize("home", ["model", "mcp"])
async def test_dispatch_is_measured_at_a_home_that_executors_call(
    services: Services, home: str, tmp_path: Path
) -> None:
    figures = await measure_home("postgres", home, (1, 3), services, tmp_path / "site")
    assert figures["nodes"] == 3
    assert all(figures[f"{name}_ms"]["p50"] > 0 for name in ("start", "end", "between"))
    assert f" {home} " in tables([Done("postgres", "dispatch", figures)])


async def test_a_client_that_fails_says_why() -> None:
    async with ClientProcess("streams", url="http://127.0.0.1:9", paths=[["/", 0]], count=1) as client:
        with pytest.raises(ClientFailed, match="Connect"):
            await measured(client, lambda: read_cpu(()))


def tables(results: list[Done]) -> str:
    text = StringIO()
    print_tables(Console(width=200, file=text), as_document(MACHINE, "bench", results))
    return text.getvalue()


def test_memory_of_a_process_is_that_of_its_children_too() -> None:
    code = "import sys; x = bytearray(50_000_000); print('ready', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code]
    before = unshared_bytes(os.getpid())
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert unshared_bytes(os.getpid()) - before > 45_000_000
        child.communicate()
