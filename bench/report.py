"""The figures as tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.steps import Done

AIMS = (
    "Aims on 2 cores: first frame ≤ 3 ms and complete ≤ 10 ms when idle (postgres), approval to next frame ≤ 10 ms, "
    "≥ 400 runs/s."
)


def as_document(machine: dict[str, Any], command: str, results: Iterable[Done]) -> dict[str, Any]:
    """The figures for keeping."""
    rows = [{"engine": done.engine or None, "measure": done.measure, **done.figures} for done in results]
    return {"machine": machine, "command": command, "results": rows}


def print_tables(console: Console, document: dict[str, Any]) -> None:
    """Every measure that has figures, each as a table with the engines one below the other."""
    machine = document["machine"]
    console.print(
        f"\n{machine['cpus']} x {machine['cpu_model']}, {machine['memory_gib']} GiB, {machine['system']}, "
        f"Python {machine['python']}, Postgres {machine['postgres']}, commit {machine['commit'] or '?'}, "
        f"{machine['at']}; client included, everything on loopback.",
        highlight=False,
    )
    for measure, table in _TABLES.items():
        rows = [row for row in document["results"] if row["measure"] == measure]
        if rows:
            console.print(table(rows))
    console.print(AIMS, highlight=False)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for number, column in enumerate((*columns, "others %")):
        table.add_column(column, justify="left" if number == 0 else "right")
    return table


def _add_row(table: Table, row: dict[str, Any], *cells: str) -> None:
    """The cells, and how much of the machine was used by others in the meantime."""
    table.add_row(*cells, f"{row.get('others_cpu_percent', 0):.0f}")


def _idle(rows: list[dict[str, Any]]) -> Table:
    table = _table(
        "A run of three nodes, idle (ms after the POST)",
        "engine", "first frame p50", "p95", "complete p50", "p95", "runs",
    )  # fmt: skip
    for row in rows:
        first, complete = row["first_ms"], row["complete_ms"]
        _add_row(
            table, row,
            row["engine"], *(_number(value) for value in (first["p50"], first["p95"])),
            *(_number(value) for value in (complete["p50"], complete["p95"])), str(row["runs"]),
        )  # fmt: skip
    return table


def _approve(rows: list[dict[str, Any]]) -> Table:
    table = _table(
        "A person's approval over HTTP, idle (ms after the POST)",
        "engine", "next frame p50", "p95", "complete p50", "p95", "answer p50", "approvals",
    )  # fmt: skip
    for row in rows:
        following, complete = row["next_frame_ms"], row["complete_ms"]
        _add_row(
            table, row,
            row["engine"], *(_number(value) for value in (following["p50"], following["p95"])),
            *(_number(value) for value in (complete["p50"], complete["p95"])),
            _number(row["answer_ms"]["p50"]), str(row["approvals"]),
        )  # fmt: skip
    return table


def _load(rows: list[dict[str, Any]]) -> Table:
    table = _table(
        "Runs of three nodes, so many at a time (CPU in ms per run; engine = flexrun + postgres + rabbitmq)",
        "engine", "at a time", "runs/s", "complete p50", "p95",
        "engine CPU", "flexrun", "postgres", "rabbitmq", "client CPU",
    )  # fmt: skip
    previous = ""
    for row in rows:
        if previous and row["engine"] != previous:
            table.add_section()
        previous = row["engine"]
        cpu, complete = row["cpu_ms_per_run"], row["complete_ms"]
        _add_row(
            table, row,
            row["engine"], str(row["concurrency"]), _number(row["runs_per_second"]),
            _number(complete["p50"]), _number(complete["p95"]),
            *(_number(cpu[name]) for name in ("engine", "flexrun", "postgres", "rabbitmq", "client")),
        )  # fmt: skip
    return table


def _fan_out(rows: list[dict[str, Any]]) -> Table:
    table = _table(
        "SSE: one run's events to its subscribers",
        "engine", "subscribers", "frames/s", "frames/s, one event at a time", "one event to all p50 ms",
        "flexrun CPU µs/frame",
    )  # fmt: skip
    for row in rows:
        _add_row(
            table, row,
            row["engine"], f"{row['subscribers']:,}", f"{row['frames_per_second']:,}",
            f"{row['frames_per_second_paced']:,}", _number(row["one_frame_to_all_ms"]["p50"]),
            _number(row["cpu_us_per_frame"]["flexrun"]),
        )  # fmt: skip
    return table


def _streams(rows: list[dict[str, Any]]) -> Table:
    table = _table("Idle SSE streams", "engine", "streams", "KiB per stream", "gateway MiB", "flexrun CPU %")
    for row in rows:
        _add_row(
            table, row,
            row["engine"], f"{row['streams']:,}", _number(row["kib_per_stream"]), _number(row["gateway_mib"]),
            _number(row["idle_cpu_percent"]["flexrun"]),
        )  # fmt: skip
    return table


def _append(rows: list[dict[str, Any]]) -> Table:
    table = _table(
        "append/s, one event each (pgbench call: the same flex_append; insert: the bare row of the log)",
        "callers", "flexrun", "pgbench call", "pgbench insert", "flexrun CPU µs", "its postgres CPU µs",
    )  # fmt: skip
    for row in rows:
        cpu = row["flexrun_cpu_us"]
        _add_row(
            table, row,
            str(row["clients"]),
            *(_number(row[name]) for name in ("flexrun", "pgbench_call", "pgbench_insert")),
            _number(cpu["flexrun"]), _number(cpu["postgres"]),
        )  # fmt: skip
    return table


def _dispatch(rows: list[dict[str, Any]]) -> Table:
    table = _table(
        "Dispatch by home (ms: node_start until it begins; its end until node_complete; its end until the next begins)",
        "engine", "home", "start p50", "p95", "end p50", "p95", "between p50", "p95", "nodes",
    )  # fmt: skip
    for row in rows:
        times = [row[f"{name}_ms"][part] for name in ("start", "end", "between") for part in ("p50", "p95")]
        _add_row(table, row, row["engine"], row["home"], *(_number(ms) for ms in times), str(row["nodes"]))
    return table


def _number(value: float | None) -> str:
    if value is None:
        return "no pgbench"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


_TABLES = {
    "idle": _idle,
    "approve": _approve,
    "load": _load,
    "fan-out": _fan_out,
    "streams": _streams,
    "append": _append,
    "dispatch": _dispatch,
}
